import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { problemOf } from '../../extension/shared/problem.js'
import { proxied, unwrap } from '../../extension/shared/sdk_calls.js'
import { WRAPPINGS } from './fake_desk.mjs'

const SUGGESTION = { id: 's1', state: 'done', candidates: [{ text: 'Use {"statusMessage": "x", "statusCode": 500} here.' }] }
const REFUSED = { type: '/problems/queue-full', title: 'Queue full', status: 503, detail: 'Too many.' }

describe('an answer of the backend, however it is wrapped', () => {
  for (const [name, wrap] of Object.entries(WRAPPINGS)) {
    test(`${name}: it comes out whole`, () => {
      const { status, body } = unwrap(wrap(202, JSON.stringify(SUGGESTION)))
      assert.ok(status === 202 || status === 200)
      assert.deepEqual(JSON.parse(body), SUGGESTION)
    })

    test(`${name}: a refusal keeps its status and its kind`, async () => {
      const response = await proxied(Promise.resolve(wrap(503, JSON.stringify(REFUSED))))
      assert.equal(response.status, 503)
      const { kind, detail } = await problemOf(response)
      assert.deepEqual([kind, detail], ['queue-full', 'Too many.'])
    })
  }

  test("CRM's connection: it comes out whole", () => {
    const wrapped = { code: 'SUCCESS', status: 'success', details: { status: 'true', statusMessage: SUGGESTION } }
    assert.deepEqual(unwrap(wrapped), { status: 200, body: JSON.stringify(SUGGESTION) })
    assert.deepEqual(unwrap(JSON.stringify(wrapped)), { status: 200, body: JSON.stringify(SUGGESTION) })
  })

  test('not wrapped at all, as an object or as text', () => {
    assert.deepEqual(unwrap(SUGGESTION), { status: 200, body: JSON.stringify(SUGGESTION) })
    assert.deepEqual(unwrap(JSON.stringify(SUGGESTION)), { status: 200, body: JSON.stringify(SUGGESTION) })
  })
})

describe('answers that are none of the backend', () => {
  for (const [name, answer, wanted, said] of /** @type {[string, unknown, string, string][]} */ ([
    ['a page of a proxy', { statusCode: 502, response: '<html>Bad gateway</html>' }, 'unreachable', ''],
    ['a connection that failed', JSON.stringify({ statusCode: 200, response: { status: 'false', statusMessage: 'Invalid connection' } }), 'proxy', 'Invalid connection'],
    ['a connection that failed without a word', { statusCode: 200, response: { status: false, statusMessage: {} } }, 'proxy', ''],
    ['a connection that CRM does not know', { code: 'INVALID_DATA', details: {}, message: 'no such connection', status: 'error' }, 'proxy', 'no such connection'],
    ['a session that is over', { code: 'AUTHENTICATION_FAILURE', message: 'sign in again' }, 'signed-out', 'sign in again'],
  ])) {
    test(`${name} is a failure, not an answer`, async () => {
      const { kind, detail } = await problemOf(await proxied(Promise.resolve(answer)))
      assert.deepEqual([kind, detail], [wanted, said])
    })
  }

  for (const answer of [null, undefined, '', 42, true, [], 'no JSON', '{"cut":', '"text"']) {
    test(`${JSON.stringify(answer)} does not break anything`, () => {
      assert.equal(unwrap(answer).status, 200)
      assert.equal(typeof unwrap(answer).body, 'string')
    })
  }

  test('layers without end are given up', () => {
    /** @type {unknown} */
    let layers = 'core'
    for (let depth = 0; depth < 100; depth += 1) layers = { statusCode: 200, response: layers }
    assert.equal(unwrap(layers).status, 200)
  })

  test('an empty answer has no body', async () => {
    const response = await proxied(Promise.resolve({ statusCode: 204, response: '' }))
    assert.deepEqual([response.status, await response.text()], [204, ''])
  })
})

describe('calls that do not get through', () => {
  test('a rejection that holds an answer is that answer', async () => {
    const response = await proxied(Promise.reject({ statusCode: 503, response: JSON.stringify(REFUSED) }))
    assert.equal((await problemOf(response)).kind, 'queue-full')
  })

  for (const reason of ['Network error', new Error('timeout'), { errorMessage: 'host not allowed' }, undefined]) {
    test(`a rejection with ${String(reason)} stays one`, () => assert.rejects(proxied(Promise.reject(reason)), Error))
  }

  test('a call can be given up', async () => {
    const leaving = new AbortController()
    const call = proxied(new Promise(() => {}), leaving.signal)
    leaving.abort()
    await assert.rejects(call, { name: 'AbortError' })
    await assert.rejects(proxied(new Promise(() => {}), leaving.signal), { name: 'AbortError' })
  })
})
