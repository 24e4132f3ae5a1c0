import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CrmHost } from '../../extension/crm/crm_host.js'
import { DeskHost } from '../../extension/desk/desk_host.js'
import { DEFAULTS } from '../../extension/shared/settings.js'
import { apiFor } from '../../extension/shared/widget.js'
import { REPLIES } from './contract_content.mjs'
import { FakeCrm } from './fake_crm.mjs'
import { FakeDesk } from './fake_desk.mjs'
import { sessionOver, texts, until, useServer } from './session_fixture.mjs'

/** @import { Host } from '../../extension/shared/host.js' */
/** @import { WidgetSettings } from '../../extension/shared/settings.js' */

const used = useServer()
const desk = () => new FakeDesk()

/** A session in the ticket that is open in a host. @param {Host} host @param {Partial<WidgetSettings>} more */
async function open(host, more) {
  const settings = await host.init({ ...DEFAULTS, backend: used.base, ...more })
  const api = apiFor(host, settings)
  api.rater = (await host.currentUser()).id
  const ticket = await host.readTicket()
  assert.ok(ticket)
  return { session: sessionOver(api), ticket, api }
}

/** @param {FakeDesk} fake */
const deskHost = (fake) => new DeskHost(/** @type {any} */ (fake.sdk), { page: new EventTarget(), say: () => {} })
/** @param {FakeCrm} fake */
const crmHost = (fake) => new CrmHost(/** @type {any} */ (fake.sdk), { say: () => {} })

for (const wrapping of /** @type {const} */ (['plain', 'connection', 'connection-text', 'object', 'rejects'])) {
  test(`Desk's proxy (${wrapping}): asked, written to the end, used and rated`, async () => {
    const fake = desk()
    fake.wrapping = wrapping
    const { session, ticket } = await open(deskHost(fake), { calls: 'proxy', connection: 'suggest', agentkey: 'unused' })
    await session.suggest(ticket)

    assert.deepEqual(texts(session), REPLIES)
    assert.deepEqual(used.server.posted('/suggestions')[0].ticket, {
      text: 'I cannot log in.\nHelp!', subject: 'Blank app', contact: 'Henrik', external_id: '4001',
    })
    const [first, ...rest] = fake.requests
    assert.deepEqual([first.type, first.connectionLinkName, first.headers.authorization], ['POST', 'suggest', undefined])
    assert.ok(rest.every(({ type, data }) => type === 'GET' && Number(data.wait) <= 8))
    assert.ok(used.server.requests.every(({ headers }) => headers['x-rater'] === '7'))
    assert.ok(!used.server.requests.some(({ path }) => path.endsWith('/events')))
  })

  test(`Desk's proxy (${wrapping}): a full queue has its own words`, async () => {
    used.server.refusal = { status: 503, type: 'queue-full', detail: 'Too many.' }
    const fake = desk()
    fake.wrapping = wrapping
    const { session, ticket } = await open(deskHost(fake), { calls: 'proxy' })
    await session.suggest(ticket)

    const { state } = session.store
    assert.ok(state.kind === 'failed')
    assert.deepEqual([state.problem.kind, state.problem.detail], ['queue-full', 'Too many.'])
  })
}

describe('stopping and losing the way', () => {
  test('stop reaches the backend through the proxy, at once', async () => {
    used.server.script = () => REPLIES.map((text) => ({ text, pace: 30 }))
    const { session, ticket } = await open(deskHost(desk()), { calls: 'proxy' })
    const asked = session.suggest(ticket)
    await until(session, () => (texts(session)?.[0]?.length ?? 0) > 3)
    await session.stop()
    await asked

    assert.equal(session.store.suggestion?.state, 'cancelled')
    assert.equal(used.server.requests.filter(({ method }) => method === 'DELETE').length, 1)
  })

  test('a backend that cannot be reached is told as such', async () => {
    const { session, ticket } = await open(deskHost(desk()), { calls: 'proxy', backend: 'http://127.0.0.1:9' })
    await session.suggest(ticket)
    assert.equal(session.store.state.kind, 'offline')
  })
})

describe("CRM's ways", () => {
  test('a connection adds the key; bodies and parameters go where they belong', async () => {
    const fake = new FakeCrm()
    const { session, ticket } = await open(crmHost(fake), { calls: 'proxy', connection: 'suggest' })
    await session.suggest(ticket)

    assert.deepEqual(texts(session), REPLIES)
    assert.deepEqual(fake.invoked.map(({ method, param_type }) => [method, param_type])[0], ['POST', 2])
    assert.ok(fake.invoked.slice(1).every(({ name, method, param_type }) => name === 'suggest' && method === 'GET' && param_type === 1))
    assert.ok(used.server.requests.every(({ headers }) => headers.authorization === 'Bearer kept-by-zoho'))
  })

  test('without a connection, the key goes along', async () => {
    const { session, ticket } = await open(crmHost(new FakeCrm()), { calls: 'proxy', agentkey: 'k-1' })
    await session.suggest(ticket)
    assert.deepEqual(texts(session), REPLIES)
    assert.ok(used.server.requests.every(({ headers }) => headers.authorization === 'Bearer k-1'))
  })

  test('a connection that does not exist is told, with what CRM said', async () => {
    const fake = new FakeCrm()
    fake.instead = { code: 'INVALID_CONNECTION', message: 'No such connection', status: 'error', details: {} }
    const { session, ticket } = await open(crmHost(fake), { calls: 'proxy', connection: 'misspelt' })
    await session.suggest(ticket)
    const { state } = session.store
    assert.ok(state.kind === 'failed')
    assert.deepEqual([state.problem.kind, state.problem.detail], ['proxy', 'No such connection'])
  })
})

test('direct calls stream, with the key', async () => {
  const fake = desk()
  const { session, ticket } = await open(deskHost(fake), { calls: 'direct', agentkey: 'k-1' })
  await session.suggest(ticket)

  assert.deepEqual(texts(session), REPLIES)
  assert.deepEqual(fake.requests, [])
  assert.ok(used.server.requests.some(({ path, headers }) => path.endsWith('/events') && headers.authorization === 'Bearer k-1'))
})
