/** A reply as HTML for a rich editor, from an allow-list of tags. */

import { allowedAddress, BARE_LINK, MARKED_LINK, trimmed } from './links.js'
import { clean } from './reply_text.js'

/** Stands before the address of a link that is shown as text. */
export const MARK = '⚠\u00A0'

const BOLD = /\*\*(?=\S)(?<bold>[^\n]+?)(?<=\S)\*\*/
const ITALIC = /(?<![\w*])\*(?=[^\s*])(?<star>[^*\n]+?)(?<=\S)\*(?![\w*])|(?<![\w_])_(?=[^\s_])(?<line>[^_\n]+?)(?<=\S)_(?![\w_])/
const INLINE = [MARKED_LINK, BARE_LINK, BOLD, ITALIC].map(({ source }) => source).join('|')
const DEEPEST = 4

/** @typedef {{kind: 'p' | 'ul' | 'ol' | 'title', items: string[][]}} Block */

/**
 * The reply with p, br, ul, ol, li, b, i and links to known hosts. Every piece of it is escaped; the only tags
 * are the ones written here.
 *
 * @param {string} text
 * @param {readonly string[]} hosts  Where links may lead.
 * @returns {string}
 */
export function richText(text, hosts) {
  return blocks(clean(text)).map((block) => rendered(block, hosts)).join('')
}

/**
 * @param {Block} block
 * @param {readonly string[]} hosts
 */
function rendered({ kind, items }, hosts) {
  const parts = items.map((lines) => lines.map((line) => inline(line.trim(), hosts)).join('<br>'))
  if (kind === 'p') return `<p>${parts.join('<br>')}</p>`
  if (kind === 'title') return `<p><b>${parts.join('<br>')}</b></p>`
  return `<${kind}>${parts.map((part) => `<li>${part}</li>`).join('')}</${kind}>`
}

/**
 * Paragraphs and lists. Numbers that do not count 1, 2, 3 … stay text, so that none is lost.
 *
 * @param {string} text
 */
function blocks(text) {
  /** @type {Block[]} */
  const found = []
  /** @type {Block | undefined} */
  let open
  let gap = false
  for (const line of text.split('\n')) {
    if (!line.trim()) {
      gap = true
      if (open?.kind === 'p') open = undefined
      continue
    }
    const { kind, words } = lineOf(line, open)
    if (kind === 'more' && open) open.items.at(-1)?.push(words)
    else if (open?.kind === kind && kind !== 'title' && !(kind === 'p' && gap)) open.items.push([words])
    else found.push((open = { kind: kind === 'more' ? 'p' : kind, items: [[words]] }))
    gap = false
  }
  return found
}

/**
 * What a line is, after the block before it. `more` goes on with the last item of a list.
 *
 * @param {string} line
 * @param {Block | undefined} open
 * @returns {{kind: Block['kind'] | 'more', words: string}}
 */
function lineOf(line, open) {
  const isList = open?.kind === 'ul' || open?.kind === 'ol'
  const [, bullet] = /^\s{0,3}[-*•]\s+(\S.*)$/u.exec(line) ?? []
  if (bullet) return { kind: 'ul', words: bullet }
  const [, number, step] = /^\s{0,3}(\d{1,3})[.)]\s+(\S.*)$/u.exec(line) ?? []
  const next = open?.kind === 'ol' ? open.items.length + 1 : 1
  if (step && Number(number) === next) return { kind: 'ol', words: step }
  const [, title] = /^#{1,6}\s+(\S.*)$/u.exec(line) ?? []
  if (title) return { kind: 'title', words: title }
  return { kind: isList && /^\s/.test(line) ? 'more' : 'p', words: line }
}

/**
 * @param {string} text
 * @param {readonly string[]} hosts
 * @param {number} [depth]
 * @returns {string}
 */
function inline(text, hosts, depth = 0) {
  if (depth > DEEPEST) return escaped(text)
  let html = ''
  let end = 0
  for (const match of text.matchAll(new RegExp(INLINE, 'giu'))) {
    const { label, target, bare, bold, star, line } = match.groups ?? {}
    let length = match[0].length
    html += escaped(text.slice(end, match.index))
    if (target !== undefined) html += marked(label ?? '', target, { hosts, depth })
    else if (bare !== undefined) {
      const address = trimmed(bare)
      length = address.length
      html += link(address, escaped(address), hosts) ?? MARK + escaped(address)
    } else if (bold !== undefined) html += `<b>${inline(bold, hosts, depth + 1)}</b>`
    else html += `<i>${inline(star ?? line ?? '', hosts, depth + 1)}</i>`
    end = match.index + length
  }
  return html + escaped(text.slice(end))
}

/**
 * A label may not name an address of its own: it would show one and lead to another.
 *
 * @param {string} label
 * @param {string} target
 * @param {{hosts: readonly string[], depth: number}} how
 */
function marked(label, target, { hosts, depth }) {
  const isPlain = label.trim() !== '' && !new RegExp(BARE_LINK.source, 'iu').test(label)
  const shown = link(target, escaped(isPlain ? label : target), hosts)
  if (shown && isPlain) return shown
  const address = shown ?? MARK + escaped(target)
  if (!label.trim() || label.trim() === target) return address
  return `${inline(label, hosts, depth + 1)} (${address})`
}

/**
 * @param {string} target
 * @param {string} label  Escaped.
 * @param {readonly string[]} hosts
 */
function link(target, label, hosts) {
  const address = allowedAddress(target, hosts)
  return address && `<a href="${escaped(address)}">${label}</a>`
}

/** @param {string} text */
function escaped(text) {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
