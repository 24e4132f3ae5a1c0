import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Api } from '../../extension/shared/api.js'
import { REPLIES } from './contract_content.mjs'
import { ContractServer } from './contract_server.mjs'
import { newSession, sessionOver, texts, TICKET, useServer } from './session_fixture.mjs'

const used = useServer()

describe('asking', () => {
  test('three replies grow word by word until all are ready', async () => {
    const session = newSession(used.base)
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
    const session = newSession(used.base)
    session.steering = ' mention the outage '

    await session.suggest(TICKET)

    const { id, ...ticket } = TICKET
    assert.deepEqual(used.server.posted('/suggestions'), [{ ticket: { ...ticket, external_id: id }, steering: 'mention the outage' }])
    assert.equal(used.server.requests[0]?.headers['x-rater'], 'olha')
  })

  test('behind a proxy that cannot stream, waiting brings the same replies', async () => {
    used.server.streams = false
    const session = newSession(used.base)

    await session.suggest(TICKET)

    assert.deepEqual(texts(session), REPLIES)
  })

  test('one reply that fails leaves the others and says why', async () => {
    const problem = { type: '/problems/engine-timeout', title: 'Engine timeout', detail: 'It took over 60 s.' }
    used.server.script = () => [{ text: 'Fine.' }, { text: 'Begun', problem }, { text: 'Fine, too.' }]
    const session = newSession(used.base)

    await session.suggest(TICKET)

    const candidates = session.store.suggestion?.candidates ?? []
    assert.deepEqual(candidates.map(({ state }) => state), ['done', 'failed', 'done'])
    assert.equal(candidates[1]?.problem?.detail, 'It took over 60 s.')
  })

  test('a ticket without a letter is empty, and nothing is sent', async () => {
    const session = newSession(used.base)

    await session.suggest({ id: 'x', subject: '…', text: ' \n' })

    assert.equal(session.store.state.kind, 'empty')
    assert.equal(used.server.requests.length, 0)
  })

  test('a second click while the first is under way does nothing', async () => {
    const session = newSession(used.base)

    await Promise.all([session.suggest(TICKET), session.suggest(TICKET)])

    assert.equal(used.server.posted('/suggestions').length, 1)
  })
})

describe('when it does not work', () => {
  for (const [type, status, kind] of /** @type {const} */ ([
    ['queue-full', 503, 'queue-full'],
    ['no-model', 503, 'no-model'],
    ['disk-full', 507, 'disk-full'],
    ['too-large', 413, 'too-large'],
    ['forbidden', 401, 'key'],
    ['', 401, 'signed-out'],
    ['something-new', 500, 'server'],
    ['something-new', 429, 'busy'],
  ])) {
    test(`${status} ${type} is shown as ${kind} with the server's sentence`, async () => {
      used.server.refusal = { status, type, detail: 'So it is.' }
      const session = newSession(used.base)

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
    const api = new Api({ call: (url, init) => fetch((here ? used.base : address) + url, init) })
    const session = sessionOver(api)

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
        const response = await fetch(used.base + url, init)
        if (!url.endsWith('/events') || cuts > 0 || !response.body) return response
        cuts += 1
        return new Response(firstBytes(response.body, 900), { headers: response.headers })
      },
    })
    const session = sessionOver(api)

    await session.suggest(TICKET)

    assert.equal(cuts, 1)
    assert.deepEqual(texts(session), REPLIES)
  })
})

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
