import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { OutcomeQueue } from '../../extension/shared/outcome_queue.js'
import { apiOf, MemoryStorage, newSession, settled, TICKET, useServer } from './session_fixture.mjs'

const used = useServer()
const BUSY = { status: 503, type: 'busy', detail: 'Not now.' }
const KEY = 'suggest-answer.outcomes'

let storage = new MemoryStorage()
/** @type {string[]} */
let warnings = []
beforeEach(() => {
  storage = new MemoryStorage()
  warnings = []
})

/** As a page that was just loaded. @param {{firstDelay?: number, agent?: string, storage?: MemoryStorage | null}} [how] */
function newQueue({ firstDelay = 5, agent = 'olha', storage: kept = storage } = {}) {
  const api = apiOf(used.base)
  api.rater = agent
  return new OutcomeQueue({ api, storage: kept, firstDelay, warn: (message) => warnings.push(message) })
}

/** The id of a finished candidate. */
async function candidateId() {
  const session = newSession(used.base)
  await session.suggest(TICKET)
  return session.store.suggestion?.candidates[0]?.id ?? ''
}

const told = () => [...used.server.outcomes.values()].map(({ kind }) => kind)

for (const trouble of /** @type {const} */ (['cut', 'answer lost', BUSY])) {
  for (const [kind, text] of /** @type {const} */ ([['inserted'], ['copied'], ['discarded'], ['sent', 'Hello.'], ['edited', 'Hello.']])) {
    test(`${kind} survives a request that fails (${typeof trouble === 'string' ? trouble : 'busy'}), and is counted once`, async () => {
      const id = await candidateId()
      used.server.outcomeTroubles = [trouble]
      await newQueue().add(id, kind, text)
      assert.deepEqual([told(), used.server.posted('/outcomes').length, warnings], [[kind], 2, []])
    })
  }
}

test('what waits is sent in the order it happened', async () => {
  const id = await candidateId()
  const queue = newQueue()
  used.server.outcomeTroubles = ['cut']
  await Promise.all([queue.add(id, 'copied'), queue.add(id, 'inserted'), queue.add(id, 'sent', 'Hello.')])
  assert.deepEqual(told(), ['copied', 'inserted', 'sent'])
})

test('each retry waits longer than the one before', async () => {
  const id = await candidateId()
  used.server.outcomeTroubles = ['cut', 'cut', 'cut', 'cut']
  const start = performance.now()
  await newQueue({ firstDelay: 20 }).add(id, 'inserted')
  assert.ok(performance.now() - start >= 20 + 40 + 80 + 160)
})

test('what a page could not report is reported by the next one, for the same agent', async () => {
  const id = await candidateId()
  used.server.outcomeTroubles = ['cut', 'cut']
  const left = newQueue({ firstDelay: 1_000_000 })
  void left.add(id, 'inserted')
  await left.flush()
  assert.deepEqual(told(), [])

  await newQueue({ agent: 'petro' }).flush()
  assert.deepEqual(told(), [])
  await newQueue().flush()
  assert.deepEqual([told(), JSON.parse(storage.getItem(KEY) ?? '')], [['inserted'], []])
})

test('a page that goes sends at once what waits, and the next page does not count it again', async () => {
  const id = await candidateId()
  used.server.outcomeTroubles = ['cut', 'cut', 'cut']
  const leaving = newQueue({ firstDelay: 1_000_000 })
  void leaving.add(id, 'sent', 'Hello.')
  void leaving.add(id, 'inserted')
  await leaving.flush()
  assert.deepEqual(told(), [])
  leaving.sendBeforeLeaving()
  await settled(() => used.server.outcomes.size === 2)
  assert.deepEqual(told().sort(), ['inserted', 'sent'])

  await newQueue().flush()
  assert.deepEqual(told().sort(), ['inserted', 'sent'])
})

test('an outcome that the backend refuses is lost with a warning, and the next one goes through', async () => {
  const id = await candidateId()
  const queue = newQueue()
  await Promise.all([queue.add('nobody', 'copied'), queue.add(id, 'inserted')])
  assert.deepEqual(told(), ['inserted'])
  assert.match(warnings.join('\n'), /^That a reply was copied could not be reported and is lost: No such candidate\.$/)
})

test('an error that the server keeps making does not hold up the rest for ever', async () => {
  const id = await candidateId()
  const queue = newQueue({ firstDelay: 0 })
  used.server.outcomeTroubles = Array.from({ length: 13 }, () => ({ status: 500, type: 'broken', detail: 'Broken.' }))
  await Promise.all([queue.add(id, 'copied'), queue.add(id, 'inserted')])
  assert.deepEqual([told(), warnings.length], [['inserted'], 1])
})

test('where nothing can be kept, and where nonsense was kept, it works until the reload', async () => {
  const id = await candidateId()
  storage.setItem(KEY, '[{"id": 3}, null]')
  for (const kept of [null, storage]) {
    used.server.outcomes.clear()
    used.server.outcomeTroubles = ['cut']
    await newQueue({ storage: kept }).add(id, 'inserted')
    assert.deepEqual(told(), ['inserted'])
  }
})

test('more than can be kept are lost with a warning, the oldest first', async () => {
  used.server.outcomeTroubles = Array.from({ length: 300 }, () => /** @type {const} */ ('cut'))
  const queue = newQueue({ firstDelay: 1_000_000 })
  for (let count = 0; count < 201; count += 1) void queue.add(`candidate-${count}`, 'copied')
  assert.equal(warnings.length, 1)
  assert.equal(JSON.parse(storage.getItem(KEY) ?? '')[0].candidateId, 'candidate-1')
  used.server.outcomeTroubles = []
  await queue.flush()
})
