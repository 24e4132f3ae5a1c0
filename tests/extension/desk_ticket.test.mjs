import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { DeskHost } from '../../extension/desk/desk_host.js'
import { NotInserted } from '../../extension/shared/host.js'
import { DEFAULTS } from '../../extension/shared/settings.js'
import { FakeDesk } from './fake_desk.mjs'

/** @import { WidgetSettings } from '../../extension/shared/settings.js' */

const REPLY = { text: 'Hello,\n\n1. See https://help.example.org/a', hosts: ['help.example.org'] }
const HTML = '<p>Hello,</p><ol><li>See <a href="https://help.example.org/a">https://help.example.org/a</a></li></ol>'
const PACKED = /** @type {WidgetSettings} */ ({ ...DEFAULTS, backend: 'https://suggest.example.org', calls: 'proxy' })

let desk = new FakeDesk()
let page = new EventTarget()
let said = /** @type {string[]} */ ([])
let copied = /** @type {string[]} */ ([])

beforeEach(() => {
  desk = new FakeDesk()
  page = new EventTarget()
  said = []
  copied = []
})

/** @param {object} [sdk] */
async function start(sdk = desk.sdk) {
  const parts = { page, say: (/** @type {string} */ message) => said.push(message), copy: async (/** @type {string} */ text) => void copied.push(text) }
  const host = new DeskHost(/** @type {any} */ (sdk), parts)
  const settings = await host.init(PACKED)
  return { host, settings }
}

/** Insert into ticket 4001; how it ends, and whether the agent had to open the editor. @param {DeskHost} host */
function insert(host) {
  const told = { waits: 0, unsure: 0, end: '' }
  const waiting = () => void (told.waits += 1)
  const unsure = () => void (told.unsure += 1)
  const ended = host.insert(REPLY, { place: 'editor', ticketId: '4001', waiting, unsure }).then(
    (how) => (told.end = how),
    (error) => (told.end = error instanceof NotInserted ? error.kind : `broken: ${error}`),
  )
  return { told, ended }
}

const soon = () => new Promise((done) => setTimeout(done, 5))

describe('reading', () => {
  for (const whole of [true, false]) {
    test(`the ticket, ${whole ? 'at once' : 'field by field'}`, async () => {
      desk.whole = whole
      const { host } = await start()

      assert.deepEqual(await host.readTicket(), { id: '4001', subject: 'Blank app', text: 'I cannot log in.\nHelp!', contact: 'Henrik' })
    })
  }

  test('fields of two tickets are never mixed', async () => {
    desk.whole = false
    const { host } = await start()
    let looks = 0
    desk.beforeTicketId = () => {
      if ((looks += 1) === 2) desk.ticket = { ...desk.ticket, id: '4002' }
    }

    assert.equal(await host.readTicket(), null)
    assert.equal((await host.readTicket())?.id, '4002')
  })

  test('the agent, and an agent who is signed out', async () => {
    const { host } = await start()
    assert.deepEqual(await host.currentUser(), { id: '7', name: 'Olha' })
    desk.user = /** @type {any} */ ({ status: 'failure' })
    await assert.rejects(host.currentUser(), /Sign in/)
  })

  test('a script that did not load is named', () => {
    assert.throws(() => new DeskHost(undefined, { page, say: () => {} }), /js\.zohostatic\.com/)
  })
})

describe('settings', () => {
  test('what the admin set in Desk overrides the package, but for the backend', async () => {
    desk.config = [
      { name: 'autostart', value: 'Yes' },
      { name: 'linkhosts', value: 'help.example.org, *.Shop.example' },
      { name: 'calls', value: '' }, { name: 'connection', defaultValue: 'suggest' },
      { name: 'backend', value: 'https://evil.example' },
      null,
    ]
    const { settings } = await start()

    assert.deepEqual(settings, { ...PACKED, autostart: true, linkhosts: ['help.example.org', '*.shop.example'], connection: 'suggest', language: 'uk_UA' })
  })

  for (const config of [null, 'none', {}, [{}]]) {
    test(`a configuration like ${JSON.stringify(config)} changes nothing`, async () => {
      desk.config = config
      assert.deepEqual((await start()).settings, { ...PACKED, language: 'uk_UA' })
    })
  }

  test('a value that cannot be is named', async () => {
    desk.config = [{ name: 'calls', value: 'sometimes' }]
    await assert.rejects(start(), /"calls" is "sometimes"/)
  })
})

describe('inserting', () => {
  test('an open editor gets HTML from the allow-list at once', async () => {
    const { told, ended } = insert((await start()).host)
    await ended

    assert.deepEqual([told, desk.inserted], [{ waits: 0, unsure: 0, end: 'inserted' }, [HTML]])
  })

  for (const closed of /** @type {const} */ (['rejects', 'says failure'])) {
    test(`without an editor (Desk ${closed}) the choice waits until it is opened`, async () => {
      desk.editorOpen = false
      desk.closed = closed
      const { told, ended } = insert((await start()).host)
      await soon()
      assert.deepEqual([told, desk.inserted], [{ waits: 1, unsure: 0, end: '' }, []])

      desk.openEditor()
      await ended
      desk.openEditor()
      await soon()

      assert.deepEqual([told.end, desk.inserted], ['inserted', [HTML]])
    })
  }

  test('an event without a ticket, or with it deeper, is as good', async () => {
    for (const event of [{}, { data: { ticketId: 4001 } }]) {
      desk.editorOpen = false
      const { told, ended } = insert((await start()).host)
      await soon()
      desk.openEditor(event)
      await ended
      assert.equal(told.end, 'inserted')
    }
  })

  test('an editor that is not ready when it says so is tried again', async () => {
    desk.editorOpen = false
    const { told, ended } = insert((await start()).host)
    await soon()
    desk.notReady = 2
    desk.openEditor()
    desk.openEditor()
    await ended

    assert.deepEqual([told.end, desk.inserted], ['inserted', [HTML]])
  })

  test('only the last choice is inserted', async () => {
    desk.editorOpen = false
    const { host } = await start()
    const first = insert(host)
    await soon()
    const second = insert(host)
    await first.ended
    await soon()
    desk.openEditor()
    await second.ended

    assert.deepEqual([first.told.end, second.told.end, desk.inserted.length], ['superseded', 'inserted', 1])
  })

  test('another ticket gets nothing, even if it is opened at the last moment', async () => {
    const { host } = await start()
    desk.beforeTicketId = () => (desk.ticket = { ...desk.ticket, id: '4002' })
    const { told, ended } = insert(host)
    await ended

    assert.deepEqual([told.end, desk.inserted], ['changed', []])
  })

  test("the editor of another ticket does not get what waits, and then nothing waits any more", async () => {
    desk.editorOpen = false
    const { told, ended } = insert((await start()).host)
    await soon()
    desk.ticket = { ...desk.ticket, id: '4002' }
    desk.openEditor()
    await ended
    desk.ticket = { ...desk.ticket, id: '4001' }
    desk.openEditor()
    await soon()

    assert.deepEqual([told.end, desk.inserted], ['changed', []])
  })

  test('the event may name the right ticket while another is open', async () => {
    desk.editorOpen = false
    const { told, ended } = insert((await start()).host)
    await soon()
    desk.ticket = { ...desk.ticket, id: '4002' }
    desk.openEditor({ ticketId: '4001' })
    await ended

    assert.deepEqual([told.end, desk.inserted], ['changed', []])
  })

  test('where Desk cannot insert, the text is copied', async () => {
    const { invoke, ...sdk } = desk.sdk
    const { told, ended } = insert((await start(sdk)).host)
    await ended

    assert.ok(invoke)
    assert.deepEqual([told.end, copied], ['copied', [REPLY.text]])
  })
})
