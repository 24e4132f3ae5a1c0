/** What each file of the extension and of the demo page may import: whitelists, and every file is in one. */

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/** `shared/` from the bottom up: a file imports from its own layer and from those before it. */
const LAYERS = [
  {
    name: 'values and rules',
    files: [
      ...['api_types', 'host', 'settings', 'problem', 'suggestion', 'state', 'state_messages', 'translations'],
      ...['rating', 'gaps', 'links', 'likeness', 'reply_text', 'rich_text', 'plain_text', 'quotes'],
    ],
  },
  {
    name: 'calls and sessions',
    files: ['api', 'streaming', 'sdk_calls', 'ticket_reader', 'used_replies', 'outcome_queue', 'outcomes', 'session'],
  },
  { name: 'views', files: ['dom', 'clipboard', 'gaps_view', 'sources_view', 'rating_view', 'candidate_view', 'panel_view'] },
  { name: 'panel', files: ['insertion', 'panel', 'widget'] },
].map(({ name, files }) => ({ name, files: files.map((file) => `extension/shared/${file}.js`) }))
const WITHOUT_PAGE = LAYERS.slice(0, 2).flatMap(({ files }) => files)

/** What an adapter of a product sees of `shared/`: the host's contract, and the widget that takes a host. */
const ADAPTER_PARTS = ['clipboard', 'host', 'plain_text', 'quotes', 'rich_text', 'sdk_calls', 'settings', 'widget']
const DEMO_PARTS = ['api', 'dom', 'host', 'panel', 'settings', 'translations']
const PACKED = 'extension/packed.js'
const PACKED_PARTS = ['settings', 'translations']

const ROOMS = ['extension/crm/', 'extension/desk/', 'demo/page/']
const PRODUCT = /zoho/i
const PAGE = /\b(?:document|window)\s*[.[]|\b(?:HTML\w*Element|customElements|DOMParser)\b/
const IMPORTS = /(?:\bfrom|\bimport|@import[^'"*]*from|\bimport\()\s*(['"])(?<target>[^'"\n]+)\1/g
const UNREADABLE = /\bimport\(\s*(?!['"])/

/**
 * What breaks a contract, one sentence each.
 *
 * @param {string} root  A checkout.
 * @returns {string[]}
 */
export function violations(root) {
  const files = [...filesIn(root, 'extension'), ...filesIn(root, 'demo/page')]
  const missing = LAYERS.flatMap((layer) => layer.files).filter((file) => !files.includes(file))
  return [...missing.map((file) => `${file} is in a contract, but there is no such file.`), ...files.flatMap((file) => ofFile(file, root))]
}

/** @param {string} root @param {string} folder @returns {string[]} */
function filesIn(root, folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.name === 'node_modules') return []
    if (entry.isDirectory()) return filesIn(root, path)
    return /\.m?js$/.test(entry.name) ? [path] : []
  })
}

/** @param {string} file @param {string} root @returns {string[]} */
function ofFile(file, root) {
  const allowed = allowedFor(file)
  if (!allowed) return [`${file} is in no contract: name it in tests/extension/import_contracts.mjs.`]
  const source = readFileSync(join(root, file), 'utf8')
  const wrong = targets(file, source).filter((target) => !allowed(target)).map((target) => `${file} may not import ${target}.`)
  if (UNREADABLE.test(source)) wrong.push(`${file} imports what only shows when it runs: write the path out.`)
  if (file.startsWith('extension/shared/') && PRODUCT.test(source.replace(IMPORTS, ''))) wrong.push(`${file} names a product; only its adapter may.`)
  if (WITHOUT_PAGE.includes(file) && PAGE.test(withoutComments(source))) wrong.push(`${file} touches the page; only views and panel may.`)
  return wrong
}

/**
 * Whether a file may import another; undefined for a file that no contract names.
 *
 * @param {string} file
 * @returns {((target: string) => boolean) | undefined}
 */
function allowedFor(file) {
  const layer = LAYERS.findIndex(({ files }) => files.includes(file))
  const below = LAYERS.slice(0, layer + 1).flatMap(({ files }) => files)
  if (layer >= 0) return (target) => below.includes(target)
  const parts = file === PACKED ? PACKED_PARTS : file.startsWith('demo/page/') ? DEMO_PARTS : ADAPTER_PARTS
  const room = ROOMS.find((name) => file.startsWith(name))
  if (!room && file !== PACKED) return undefined
  const shared = parts.map((name) => `extension/shared/${name}.js`)
  const isEntry = file.endsWith('/entry.js')
  return (target) => shared.includes(target) || Boolean(room && target.startsWith(room)) || (isEntry && target === PACKED)
}

/** The files that a source imports, types included. @param {string} file @param {string} source */
function targets(file, source) {
  return [...source.matchAll(IMPORTS)].map(({ groups }) => {
    const target = groups?.['target'] ?? ''
    if (target.startsWith('/')) return target.slice(1)
    return target.startsWith('.') ? relative('.', join(dirname(file), target)) : target
  })
}

/** @param {string} source */
const withoutComments = (source) => source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '')
