/** Whether what was sent came from a reply that was inserted: by the words they share. */

import { MARKED_LINK } from './links.js'

const LONG = 3
/** Runs of three words that are enough to tell, and the share of them that has to be found. */
const ENOUGH = 8
const SHARE = 0.6

/**
 * The words as they read in any editor: numbers of lists and targets of links may get lost there.
 *
 * @param {string} text
 */
function plainWords(text) {
  const read = text.normalize('NFC').replace(/^\s*\d{1,3}[.)]\s/gm, '').replace(new RegExp(MARKED_LINK.source, 'gi'), '$<label>')
  return read.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
}

/**
 * How much of the shorter text is in the longer one, from 0 to 1; 0 where too little is shared to
 * say. Greetings alone are too little.
 *
 * @param {string} text
 * @param {string} other
 */
export function likeness(text, other) {
  const [ours, theirs] = [plainWords(text), plainWords(other)]
  if (ours.length > 0 && ours.join(' ') === theirs.join(' ')) return 1
  const [first, second] = [runs(ours), runs(theirs)]
  const shared = [...first].filter((run) => second.has(run)).length
  const share = shared / Math.max(1, Math.min(first.size, second.size))
  return shared >= ENOUGH && share >= SHARE ? share : 0
}

/** @param {readonly string[]} words */
function runs(words) {
  return new Set(words.slice(LONG - 1).map((_, at) => words.slice(at, at + LONG).join(' ')))
}

/**
 * A short mark of a text's words, kept in place of the text: its length and a hash of it.
 *
 * @param {string} text
 */
export function markOf(text) {
  const words = plainWords(text)
  return `${words.length}:${hash(words.join(' '))}`
}

/**
 * Whether the text with this mark stands unchanged at the start or at the end of another.
 *
 * @param {string} mark
 * @param {string} text
 */
export function holdsUnchanged(mark, text) {
  const words = plainWords(text)
  const count = Number(mark.split(':')[0])
  if (count > words.length || count === 0) return false
  return [words.slice(0, count), words.slice(-count)].some((part) => `${count}:${hash(part.join(' '))}` === mark)
}

/** FNV-1a with 32 bits: to notice a change, not to keep a secret. @param {string} text */
function hash(text) {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  return (value >>> 0).toString(36)
}
