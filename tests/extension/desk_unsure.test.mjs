/** Desk that does not answer in time: whatever happens, a reply is put into the editor once. */

import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { ReplyEditor } from '../../extension/desk/reply_editor.js'
import { NotInserted } from '../../extension/shared/host.js'
import { FakeDesk } from './fake_desk.mjs'

const PATIENCE = 30
let desk = new FakeDesk()
let editor = open()

function open() {
  const { sdk } = desk
  return new ReplyEditor({
    put: (value) => sdk.invoke('INSERT', 'ticket.replyEditor', { value }),
    ticketId: async () => desk.ticket?.['id'],
    patience: PATIENCE,
  })
}

beforeEach(() => {
  desk = new FakeDesk()
  editor = open()
})

/** Insert, and how it ends. */
function insert() {
  const told = { waits: 0, unsure: 0, end: '' }
  const ways = { ticketId: '4001', waiting: () => void (told.waits += 1), unsure: () => void (told.unsure += 1) }
  const ended = editor.insert('<p>Hello</p>', ways).then(
    () => (told.end = 'inserted'),
    (error) => (told.end = error instanceof NotInserted ? error.kind : `broken: ${error}`),
  )
  return { told, ended }
}

const pause = (/** @type {number} */ milliseconds) => new Promise((done) => setTimeout(done, milliseconds))
const opened = () => editor.opened({ ticketId: '4001' })

test('it is told, nothing is tried again meanwhile, and the late answer counts', async () => {
  desk.slow = 150
  const { told, ended } = insert()
  for (const milliseconds of [10, 40, 40]) {
    await pause(milliseconds)
    void opened()
  }
  assert.deepEqual([told, desk.inserted.length], [{ waits: 0, unsure: 1, end: '' }, 1])
  await ended
  await opened()
  assert.deepEqual([told.end, desk.inserted.length], ['inserted', 1])
})

test('an editor that was opened and does not answer gets the reply once', async () => {
  desk.editorOpen = false
  const { told } = insert()
  await pause(5)
  desk.editorOpen = true
  desk.slow = 10_000
  for (let times = 0; times < 5; times += 1) {
    void opened()
    await pause(25)
  }
  assert.deepEqual([told, desk.inserted.length], [{ waits: 1, unsure: 1, end: '' }, 1])
})

test('a late refusal waits for the editor, but not once the agent has pressed again', async () => {
  desk.editorOpen = false
  desk.slow = 120
  const alone = insert()
  await pause(140)
  assert.deepEqual(alone.told, { waits: 1, unsure: 1, end: '' })

  const first = insert()
  await pause(60)
  desk.editorOpen = true
  desk.slow = 0
  const second = insert()
  await Promise.all([alone.ended, second.ended, first.ended])
  await opened()
  assert.deepEqual([alone.told.end, first.told.end, second.told.end, desk.inserted.length], ['superseded', 'superseded', 'inserted', 1])
})
