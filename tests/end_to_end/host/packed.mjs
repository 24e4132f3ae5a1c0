/** Both extensions as an admin would upload them: packed, and the zips unpacked for serving. */

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
/** Variable with the folder of widgets that were packed for all files of tests. */
export const PACKED = 'SUGGEST_ANSWER_PACKED'
const run = promisify(execFile)

/**
 * @typedef {object} Packed  What was in one zip.
 * @property {string} folder
 * @property {string} page  Where the widget starts.
 * @property {string[]} allowed  Origins that Zoho's servers call for the widget.
 * @property {string[]} connectSources  Origins that the widget's own page may call.
 */

/**
 * Both widgets, packed now unless that was done for all files.
 *
 * @param {string} backend
 * @returns {Promise<{desk: Packed, crm: Packed, remove: () => Promise<void>}>}
 */
export async function packed(backend) {
  const given = process.env[PACKED]
  const { folder, remove } = given ? { folder: given, remove: async () => {} } : await pack(backend)
  const manifest = JSON.parse(await readFile(join(folder, 'desk-unpacked/plugin-manifest.json'), 'utf8'))
  const rules = { allowed: manifest.whiteListedDomains, connectSources: manifest.cspDomains['connect-src'] }
  return {
    desk: { folder: join(folder, 'desk-unpacked'), page: manifest.modules.widgets[0].url, ...rules },
    crm: { folder: join(folder, 'crm-unpacked'), page: '/app/crm/index.html', ...rules },
    remove,
  }
}

/**
 * Pack both widgets and unpack the zips.
 *
 * @param {string} backend
 */
export async function pack(backend) {
  const folder = await mkdtemp(join(tmpdir(), 'packed-'))
  const command = ['--backend', backend, '--connection', 'suggestbackend', '--link-host', 'help.example', '--out', folder]
  await run(join(ROOT, 'scripts/pack_extension'), command, { cwd: ROOT })
  const unpack = (/** @type {string} */ product) =>
    run('python3', ['-m', 'zipfile', '-e', join(folder, `suggest-answer-${product}.zip`), join(folder, `${product}-unpacked`)])
  await Promise.all(['desk', 'crm'].map(unpack))
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) }
}
