import assert from 'node:assert/strict'
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { violations } from './import_contracts.mjs'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

test('every file keeps its contract', () => assert.deepEqual(violations(ROOT), []))

for (const [file, line, sentence] of /** @type {const} */ ([
  ['extension/shared/state.js', "import { DeskHost } from '../desk/desk_host.js'", /state\.js may not import extension\/desk\/desk_host\.js/],
  ['extension/shared/panel.js', "/** @import { CrmSdk } from '../crm/crm_sdk.js' */", /panel\.js may not import extension\/crm\/crm_sdk\.js/],
  ['extension/shared/session.js', 'export const sdk = globalThis.ZOHODESK', /session\.js names a product/],
  ['extension/crm/crm_host.js', "import { Conversation } from '../desk/conversation.js'", /crm_host\.js may not import extension\/desk\/conversation\.js/],
  ['extension/desk/desk_host.js', "import { variable } from '../crm/case_fields.js'", /desk_host\.js may not import extension\/crm\/case_fields\.js/],
  ['extension/desk/desk_host.js', "export { Session } from '../shared/session.js'", /desk_host\.js may not import extension\/shared\/session\.js/],
  ['extension/crm/crm_host.js', "import * as packed from '../packed.js'", /crm_host\.js may not import extension\/packed\.js/],
  ['extension/shared/likeness.js', "import { make } from './dom.js'", /likeness\.js may not import extension\/shared\/dom\.js/],
  ['extension/shared/state.js', "import { Session } from './session.js'", /state\.js may not import extension\/shared\/session\.js/],
  ['extension/shared/session.js', "import { PanelView } from './panel_view.js'", /session\.js may not import extension\/shared\/panel_view\.js/],
  ['extension/shared/candidate_view.js', "const late = () => import('./panel.js')", /candidate_view\.js may not import extension\/shared\/panel\.js/],
  ['extension/shared/rich_text.js', 'export const page = () => document.body', /rich_text\.js touches the page/],
  ['extension/shared/api.js', "import { chromium } from 'playwright-core'", /api\.js may not import playwright-core/],
  ['extension/shared/panel.js', 'const any = (name) => import(`./${name}.js`)', /panel\.js imports what only shows when it runs/],
  ['extension/packed.js', "import { Panel } from './shared/panel.js'", /packed\.js may not import extension\/shared\/panel\.js/],
  ['demo/page/desk.js', "import { Session } from '/extension/shared/session.js'", /page\/desk\.js may not import extension\/shared\/session\.js/],
  ['extension/shared/helpers.js', 'export const helper = 1', /helpers\.js is in no contract/],
  ['extension/jira/entry.js', 'export const entry = 1', /jira\/entry\.js is in no contract/],
])) {
  test(`planted and caught: ${line} in ${file}`, () => {
    const found = violations(planted((root) => {
      mkdirSync(dirname(join(root, file)), { recursive: true })
      appendFileSync(join(root, file), `\n${line}\n`)
    }))
    assert.equal(found.length, 1)
    assert.match(found[0] ?? '', sentence)
  })
}

test('a contract that names a file which is gone is told', () => {
  const found = violations(planted((root) => rmSync(join(root, 'extension/shared/quotes.js'))))
  assert.match(found.join('\n'), /quotes\.js is in a contract, but there is no such file/)
})

test('a comment may speak of the page', () => {
  assert.deepEqual(violations(planted((root) => appendFileSync(join(root, 'extension/shared/state.js'), '\n/** No document.body here. */\n'))), [])
})

/**
 * A copy of the sources that a test has changed; it is gone when the process ends.
 *
 * @param {(root: string) => void} change
 */
function planted(change) {
  const root = mkdtempSync(join(tmpdir(), 'contracts-'))
  process.on('exit', () => rmSync(root, { recursive: true, force: true }))
  for (const folder of ['shared', 'crm', 'desk']) cpSync(join(ROOT, 'extension', folder), join(root, 'extension', folder), { recursive: true })
  cpSync(join(ROOT, 'extension/packed.js'), join(root, 'extension/packed.js'))
  cpSync(join(ROOT, 'demo/page'), join(root, 'demo/page'), { recursive: true })
  change(root)
  return root
}
