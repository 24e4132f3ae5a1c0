import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isRevealed, unrated, withScore } from '../../extension/shared/rating.js'
import { REPLIES } from './contract_content.mjs'
import { newSession, settled, texts, TICKET, until, useServer } from './session_fixture.mjs'

const used = useServer()

describe('stopping and leaving', () => {
  test('stop keeps what was written and tells the server', async () => {
    used.server.script = () => REPLIES.map((text) => ({ text, pace: 20 }))
    const session = newSession(used.base)
    const asked = session.suggest(TICKET)
    await until(session, () => (texts(session)?.[0]?.length ?? 0) > 10)

    await session.stop()
    await asked

    assert.equal(used.server.requests.filter(({ method }) => method === 'DELETE').length, 1)
    assert.deepEqual(session.store.suggestion?.candidates.map(({ state }) => state), ['cancelled', 'cancelled', 'cancelled'])
    assert.ok((texts(session)?.[0]?.length ?? 0) > 10)
  })

  test('stop before the first word leaves nothing to show', async () => {
    used.server.script = () => [{ hold: true }, { hold: true }, { hold: true }]
    const session = newSession(used.base)
    void session.suggest(TICKET)
    await until(session, ({ kind }) => kind === 'waiting')

    await session.stop()

    assert.equal(session.store.state.kind, 'cancelled')
  })

  test('a ticket left and opened again shows all that was written meanwhile', async () => {
    used.server.script = () => REPLIES.map((text) => ({ text, pace: 3 }))
    const session = newSession(used.base)
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
    const session = newSession(used.base)
    await session.suggest(TICKET)
    const { id: suggestionId = '', candidates } = session.store.suggestion ?? {}
    const candidate = candidates?.[1]
    assert.ok(candidate)

    session.used(candidate, 'inserted', suggestionId)
    session.sent('Hello, edited.')
    await settled(() => used.server.outcomes.size === 3)

    assert.deepEqual([...used.server.outcomes.values()].map(({ id: _, ...outcome }) => outcome), [
      { candidateId: candidate.id, kind: 'inserted', agent: 'olha' },
      { candidateId: candidate.id, kind: 'sent', final_text: 'Hello, edited.', agent: 'olha' },
      { candidateId: candidate.id, kind: 'edited', final_text: 'Hello, edited.', agent: 'olha' },
    ])
  })

  test('regenerating asks for fresh replies and discards the unused ones', async () => {
    const session = newSession(used.base)
    await session.suggest(TICKET)
    const first = session.store.suggestion?.id

    await session.regenerate(TICKET)

    assert.equal(used.server.posted('/suggestions')[1]?.fresh, true)
    assert.notEqual(session.store.suggestion?.id, first)
    assert.deepEqual(used.server.posted('/outcomes').map(({ kind }) => kind), ['discarded', 'discarded', 'discarded'])
  })

  test('models stay hidden until all three are rated', async () => {
    const session = newSession(used.base)
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
