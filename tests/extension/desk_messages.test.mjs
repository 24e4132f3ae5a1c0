import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { DeskHost } from '../../extension/desk/desk_host.js'
import { DEFAULTS } from '../../extension/shared/settings.js'
import { FakeDesk } from './fake_desk.mjs'

/** @import { WidgetSettings } from '../../extension/shared/settings.js' */

const PACKED = /** @type {WidgetSettings} */ ({ ...DEFAULTS, backend: 'https://suggest.example.org', calls: 'proxy' })

let desk = new FakeDesk()
let page = new EventTarget()
let said = /** @type {string[]} */ ([])

beforeEach(() => {
  desk = new FakeDesk()
  page = new EventTarget()
  said = []
})

/** @param {object} [sdk] @param {Partial<WidgetSettings>} [more] */
async function start(sdk = desk.sdk, more = {}) {
  const host = new DeskHost(/** @type {any} */ (sdk), { page, say: (/** @type {string} */ message) => said.push(message), lookEvery: 10 })
  await host.init({ ...PACKED, ...more })
  return { host }
}

const soon = () => new Promise((done) => setTimeout(done, 5))

/** @param {string} id @param {'in' | 'out'} direction @param {string} plainText @param {object} [more] */
const thread = (id, direction, plainText, more) => ({
  type: 'thread', id, direction, plainText, channel: 'EMAIL', status: 'SUCCESS', visibility: 'public', isForward: false,
  summary: plainText.slice(0, 9), createdTime: `2026-06-01T08:${id}:00.000Z`, isDescriptionThread: id === '10', ...more,
})
const COMMENT = { type: 'comment', id: '40', content: '<b>And</b> hurry', isPublic: true, commentedTime: '2026-06-01T08:40:00.000Z', commenter: { type: 'END_USER' } }

describe('what was written in a ticket', () => {
  test('the customer since the last answer, with that answer, in full and without quotations', async () => {
    desk.conversation = [
      COMMENT,
      { ...COMMENT, id: '39', content: 'internal', isPublic: false },
      thread('30', 'in', 'It did not help at all.\nOn Mon, 1 Jun 2026 at 10:29, Support <s@acme.example> wrote:\n> Try'),
      thread('29', 'out', 'half written', { status: 'DRAFT' }),
      thread('28', 'out', 'to a colleague', { isForward: true }),
      thread('20', 'out', 'Try this first, please.'),
      thread('15', 'in', 'An older question'),
      thread('10', 'in', 'I cannot log in.'),
    ]
    const { host } = await start(desk.sdk, { reading: 'readtickets' })

    const messages = await host.readMessages('4001')
    await host.readMessages('4001')

    assert.deepEqual(messages.map(({ from, text }) => `${from}: ${text}`), ['agent: Try this first, please.', 'customer: It did not help at all.', 'customer: And hurry'])
    assert.equal(messages[0]?.at, Date.parse('2026-06-01T08:20:00.000Z'))
    const base = 'desk.zoho.eu/api/v1/tickets/4001/'
    const list = `${base}conversations {"from":"0","limit":"50"}`
    assert.deepEqual(desk.read, [list, `${base}threads/20 {"include":"plainText"}`, `${base}threads/30 {"include":"plainText"}`, list])
  })

  test('before any answer: everything but the description, the newest four', async () => {
    desk.conversation = [10, 11, 12, 13, 14, 15].map((id) => thread(String(id), 'in', `Message ${id}`))
    const { host } = await start(desk.sdk, { reading: 'readtickets' })
    assert.deepEqual((await host.readMessages('4001')).map(({ text }) => text), ['Message 12', 'Message 13', 'Message 14', 'Message 15'])
  })

  test('nothing is asked without a connection; an empty list is empty', async () => {
    assert.deepEqual(await (await start()).host.readMessages('4001'), [])
    assert.deepEqual(desk.read, [])
    assert.deepEqual(await (await start(desk.sdk, { reading: 'readtickets' })).host.readMessages('4001'), [])
  })

  test('a connection that may not read is an error, for who asks to pass over', async () => {
    await assert.rejects((await start(desk.sdk, { reading: 'misspelt' })).host.readMessages('4001'))
  })

  test('an editor that opens, a comment and one more thread are told', async () => {
    desk.ticket = { ...desk.ticket, threadCount: '1' }
    const { host } = await start()
    let times = 0
    const stop = host.onWritten(() => (times += 1))
    desk.openEditor()
    desk.emit('ticket_comment.add', {})
    assert.equal(times, 2)
    for (const [id, threadCount, expected] of /** @type {const} */ ([['4001', '1', 2], ['4001', '2', 3], ['4001', '2', 3], ['4002', '5', 3], ['4002', '6', 4]])) {
      desk.ticket = { ...desk.ticket, id, threadCount }
      await new Promise((done) => setTimeout(done, 40))
      assert.equal(times, expected, `${id} with ${threadCount}`)
    }
    stop()
  })
})

describe('telling and noticing', () => {
  test('Desk shows a message; where it cannot, the widget does', async () => {
    const { host } = await start()
    host.notify('Saved.')
    host.notify('Click Reply first.', 'warning')
    assert.deepEqual(desk.notes, [
      { title: 'Suggest answer', content: 'Saved.', icon: 'success' },
      { title: 'Suggest answer', content: 'Click Reply first.', icon: 'failure' },
    ])
    for (const notify of [undefined, () => Promise.reject(new Error('no')), () => { throw new Error('no') }]) {
      const other = await start({ ...desk.sdk, notify })
      other.host.notify('Hello')
    }
    await soon()
    assert.deepEqual(said, ['Hello', 'Hello', 'Hello'])
  })

  for (const notice of [() => desk.emit('ticket_Shift', {}), () => page.dispatchEvent(new Event('focus'))]) {
    test(`another ticket is noticed by ${notice}`, async () => {
      const { host } = await start()
      let changes = 0
      const stop = host.onTicketChange(() => (changes += 1))
      await soon()
      notice()
      await soon()
      assert.equal(changes, 0)
      desk.ticket = { ...desk.ticket, id: '4002' }
      notice()
      await soon()
      assert.equal(changes, 1)
      stop()
      desk.ticket = { ...desk.ticket, id: '4003' }
      notice()
      await soon()
      assert.equal(changes, 1)
    })
  }
})
