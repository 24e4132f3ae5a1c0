/** Both extensions as an admin would upload them: packed, and the zips unpacked for serving. */

import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/**
 * @typedef {object} Packed  What was in one zip.
 * @property {string} folder
 * @property {string} page  Where the widget starts.
 * @property {string[]} allowed  Origins that Zoho's servers call for the widget.
 * @property {string[]} connectSources  Origins that the widget's own page may call.
 */

/**
 * @param {string} backend
 * @returns {Promise<{desk: Packed, crm: Packed, remove: () => Promise<void>}>}
 */
export async function packed(backend) {
  const out = await mkdtemp(join(tmpdir(), 'packed-'))
  const command = ['--backend', backend, '--connection', 'suggestbackend', '--link-host', 'help.example', '--out', out]
  execFileSync(join(ROOT, 'scripts/pack_extension'), command, { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] })
  for (const product of ['desk', 'crm']) {
    const zip = join(out, `suggest-answer-${product}.zip`)
    execFileSync('python3', ['-m', 'zipfile', '-e', zip, join(out, `${product}-unpacked`)])
  }
  const manifest = JSON.parse(await readFile(join(out, 'desk-unpacked/plugin-manifest.json'), 'utf8'))
  const rules = { allowed: manifest.whiteListedDomains, connectSources: manifest.cspDomains['connect-src'] }
  return {
    desk: { folder: join(out, 'desk-unpacked'), page: manifest.modules.widgets[0].url, ...rules },
    crm: { folder: join(out, 'crm-unpacked'), page: '/app/crm/index.html', ...rules },
    remove: () => rm(out, { recursive: true, force: true }),
  }
}
