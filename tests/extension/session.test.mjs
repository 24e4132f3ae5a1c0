import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { Api } from '../../extension/shared/api.js'
import { isRevealed, unrated, withScore } from '../../extension/shared/rating.js'
import { Session } from '../../extension/shared/session.js'
import { REPLIES } from './contract_content.mjs'
import { ContractServer } from './contract_server.mjs'

/** @import { PanelState } from '../../extension/shared/state.js' */

const TICKET = { id: 'lp-9001', subject: 'Blank app', text: 'I cannot log in.', contact: 'Henrik Solberg' }

/** @type {ContractServer} */
let server
/** @type {string} */
let base

before(async () => {
  server = new ContractServer()
  base = await server.start()
})
after(() => server.stop())
beforeEach(() => {
  server.requests = []
  server.refusal = null
  server.streams = true
  server.script = () => REPLIES.map((text) => ({ text }))
})

function newSession(id = 'lp-9001') {
  const api = new Api({ base: `${base}/api/v1` })
  api.rater = 'olha'
  return new Session(id, api)
}

/** @param {Session} session @param {(state: PanelState) => boolean} wanted */
function until(session, wanted) {
  return new Promise((/** @type {(value: void) => void} */ done) => {
    const look = () => {
      if (wanted(session.store.state)) done()
    }
    session.store.addEventListener('change', look)
    look()
  })
}

/** @param {Session} session */
const texts = (session) => session.store.suggestion?.candidates.map(({ text }) => text)

describe('asking', () => {
  test('three replies grow word by word until all are ready', async () => {
    const session = newSession()
    /** @type {Set<number>} */
    const lengths = new Set()
    session.store.addEventListener('change', () => lengths.add(texts(session)?.[0]?.length ?? 0))

    await session.suggest(TICKET)

    assert.deepEqual(texts(session), REPLIES)
    assert.equal(session.store.state.kind, 'ready')
    assert.ok(lengths.size > 10, `saw ${lengths.size} lengths`)
    assert.equal(session.store.suggestion?.candidates[0]?.sources.length, 2)
  })

  test('the ticket goes out with its id as external id, and with the steering line', async () => {
    const session = newSession()
    session.steering = ' mention the outage '

    await session.suggest(TICKET)

    const { id, ...ticket } = TICKET
    assert.deepEqual(server.posted('/suggestions'), [{ ticket: { ...ticket, external_id: id }, steering: 'mention the outage' }])
    assert.equal(server.requests[0]?.headers['x-rater'], 'olha')
  })

  test('behind a proxy that cannot stream, waiting brings the same replies', async () => {
    server.streams = false
    const session = newSession()

    await session.suggest(TICKET)

    assert.deepEqual(texts(session), REPLIES)
  })

  test('one reply that fails leaves the others and says why', async () => {
    const problem = { type: '/problems/engine-timeout', title: 'Engine timeout', detail: 'It took over 60 s.' }
    server.script = () => [{ text: 'Fine.' }, { text: 'Begun', problem }, { text: 'Fine, too.' }]
    const session = newSession()

    await session.suggest(TICKET)

    const candidates = session.store.suggestion?.candidates ?? []
    assert.deepEqual(candidates.map(({ state }) => state), ['done', 'failed', 'done'])
    assert.equal(candidates[1]?.problem?.detail, 'It took over 60 s.')
  })

  test('a ticket without a letter is empty, and nothing is sent', async () => {
    const session = newSession()

    await session.suggest({ id: 'x', subject: '…', text: ' \n' })

    assert.equal(session.store.state.kind, 'empty')
    assert.equal(server.requests.length, 0)
  })

  test('a second click while the first is under way does nothing', async () => {
    const session = newSession()

    await Promise.all([session.suggest(TICKET), session.suggest(TICKET)])

    assert.equal(server.posted('/suggestions').length, 1)
  })
})

describe('when it does not work', () => {
  for (const [type, status, kind] of /** @type {const} */ ([
    ['queue-full', 503, 'queue-full'],
    ['no-model', 503, 'no-model'],
    ['disk-full', 507, 'disk-full'],
    ['too-large', 413, 'too-large'],
    ['forbidden', 401, 'signed-out'],
    ['something-new', 500, 'server'],
    ['something-new', 429, 'busy'],
  ])) {
    test(`${status} ${type} is shown as ${kind} with the server's sentence`, async () => {
      server.refusal = { status, type, detail: 'So it is.' }
      const session = newSession()

      await session.suggest(TICKET)

      const { state } = session.store
      assert.ok(state.kind === 'failed')
      assert.equal(state.problem.kind, kind)
      assert.equal(state.problem.detail, 'So it is.')
    })
  }

  test('a server that is not there is offline, and asking again works once it is', async () => {
    const gone = new ContractServer()
    const address = await gone.start()
    await gone.stop()
    let here = false
    const api = new Api({ call: (url, init) => fetch((here ? base : address) + url, init) })
    const session = new Session('lp-9001', api)

    await session.suggest(TICKET)
    assert.equal(session.store.state.kind, 'offline')

    here = true
    await session.suggest(TICKET)
    assert.deepEqual(texts(session), REPLIES)
  })

  test('a connection that breaks in the middle is taken up again', async () => {
    let cuts = 0
    const api = new Api({
      call: async (url, init) => {
        const response = await fetch(base + url, init)
        if (!url.endsWith('/events') || cuts > 0 || !response.body) return response
        cuts += 1
        return new Response(firstBytes(response.body, 900), { headers: response.headers })
      },
    })
    const session = new Session('lp-9001', api)

    await session.suggest(TICKET)

    assert.equal(cuts, 1)
    assert.deepEqual(texts(session), REPLIES)
  })
})

describe('stopping and leaving', () => {
  test('stop keeps what was written and tells the server', async () => {
    server.script = () => REPLIES.map((text) => ({ text, pace: 20 }))
    const session = newSession()
    const asked = session.suggest(TICKET)
    await until(session, () => (texts(session)?.[0]?.length ?? 0) > 10)

    await session.stop()
    await asked

    assert.equal(server.requests.filter(({ method }) => method === 'DELETE').length, 1)
    assert.deepEqual(session.store.suggestion?.candidates.map(({ state }) => state), ['cancelled', 'cancelled', 'cancelled'])
    assert.ok((texts(session)?.[0]?.length ?? 0) > 10)
  })

  test('stop before the first word leaves nothing to show', async () => {
    server.script = () => [{ hold: true }, { hold: true }, { hold: true }]
    const session = newSession()
    void session.suggest(TICKET)
    await until(session, ({ kind }) => kind === 'waiting')

    await session.stop()

    assert.equal(session.store.state.kind, 'cancelled')
  })

  test('a ticket left and opened again shows all that was written meanwhile', async () => {
    server.script = () => REPLIES.map((text) => ({ text, pace: 3 }))
    const session = newSession()
    const asked = session.suggest(TICKET)
    await until(session, () => (texts(session)?.[0]?.length ?? 0) > 10)
    session.pause()
    await asked
    const left = texts(session)
    await new Promise((done) => setTimeout(done, 60))
    assert.deepEqual(texts(session), left)

    await session.resume()

    assert.deepEqual(texts(session), REPLIES)
  })
})

describe('what becomes of replies', () => {
  test('a sent reply is reported with the final text for the reply it began as', async () => {
    const session = newSession()
    await session.suggest(TICKET)
    const id = session.store.suggestion?.candidates[1]?.id ?? ''

    session.report(id, 'inserted')
    session.sent('Hello, edited.')
    await until2(() => server.posted('/outcomes').length === 2)

    assert.deepEqual(server.posted('/outcomes'), [
      { kind: 'inserted', agent: 'olha' },
      { kind: 'sent', final_text: 'Hello, edited.', agent: 'olha' },
    ])
  })

  test('regenerating asks for fresh replies and discards the unused ones', async () => {
    const session = newSession()
    await session.suggest(TICKET)
    const first = session.store.suggestion?.id

    await session.regenerate(TICKET)

    assert.equal(server.posted('/suggestions')[1]?.fresh, true)
    assert.notEqual(session.store.suggestion?.id, first)
    assert.deepEqual(server.posted('/outcomes').map(({ kind }) => kind), ['discarded', 'discarded', 'discarded'])
  })

  test('models stay hidden until all three are rated', async () => {
    const session = newSession()
    await session.suggest(TICKET)

    for (const left of [2, 1, 0]) {
      const suggestion = session.store.suggestion
      assert.ok(suggestion && !isRevealed(suggestion))
      assert.deepEqual(suggestion.candidates.map(({ model }) => model), [null, null, null])
      const candidate = unrated(suggestion)[0]
      assert.ok(candidate)
      let draft = session.draft(candidate.id)
      for (const { key } of (await session.rubric()).criteria) draft = withScore(draft, key, 4)
      session.drafts.set(candidate.id, draft)
      assert.equal(await session.rate(candidate.id), 4)
      assert.equal(unrated(session.store.suggestion ?? suggestion).length, left)
    }

    const suggestion = session.store.suggestion
    assert.ok(suggestion && isRevealed(suggestion))
    assert.deepEqual(suggestion.candidates.map(({ model }) => model), ['demo-tuned', 'demo-base', 'nearest'])
  })
})

/** @param {() => boolean} wanted */
async function until2(wanted) {
  for (let tries = 0; tries < 100 && !wanted(); tries += 1) await new Promise((done) => setTimeout(done, 10))
}

/**
 * The first bytes of a stream, which then breaks.
 *
 * @param {ReadableStream<Uint8Array>} stream
 * @param {number} count
 */
function firstBytes(stream, count) {
  const reader = stream.getReader()
  let seen = 0
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await reader.read()
      seen += value?.length ?? 0
      if (value) controller.enqueue(value)
      if (done || seen > count) {
        await reader.cancel()
        controller.error(new TypeError('network error'))
      }
    },
  })
}
