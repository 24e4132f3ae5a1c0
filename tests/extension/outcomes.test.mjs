import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { holdsUnchanged, likeness, markOf } from '../../extension/shared/likeness.js'
import { OutcomeQueue } from '../../extension/shared/outcome_queue.js'
import { Outcomes } from '../../extension/shared/outcomes.js'
import { UsedReplies } from '../../extension/shared/used_replies.js'
import { REPLIES } from './contract_content.mjs'
import { apiOf, MemoryStorage, newSession, TICKET, useServer } from './session_fixture.mjs'

/** @import { Message } from '../../extension/shared/host.js' */

const used = useServer()
const [FIRST = '', SECOND = ''] = REPLIES
const EDITED = `${FIRST.replace('one working day', 'two working days')}\n\n-- \nLarkpost, all of us`

let storage = new MemoryStorage()
/** @type {Message[]} */
let messages = []
beforeEach(() => {
  storage = new MemoryStorage()
  messages = []
})

/**
 * As after a reload: nothing is remembered but what the browser keeps.
 *
 * @param {{usedReplies?: UsedReplies, readMessages?: () => Promise<Message[]>}} [parts]
 */
function newOutcomes({ usedReplies = new UsedReplies(storage, async () => []), readMessages = async () => messages } = {}) {
  const api = apiOf(used.base)
  const queue = new OutcomeQueue({ api, storage, firstDelay: 5 })
  return { queue, outcomes: new Outcomes({ api, host: { readMessages }, queue, usedReplies, pause: async () => {} }) }
}

/** Look into the ticket, and wait until all that was found is reported. @param {Parameters<typeof newOutcomes>[0]} [parts] */
async function look(parts) {
  const { outcomes, queue } = newOutcomes(parts)
  await outcomes.look(TICKET.id)
  await queue.flush()
}

/** Ask, and use the first reply. */
async function useFirst() {
  const session = newSession(used.base)
  await session.suggest(TICKET)
  const suggestion = session.store.suggestion
  const candidate = suggestion?.candidates[0]
  assert.ok(suggestion && candidate)
  const { outcomes, queue } = newOutcomes()
  outcomes.used(candidate, 'inserted', { ticketId: TICKET.id, suggestionId: suggestion.id })
  await queue.flush()
}

/** @param {string} text @param {Partial<Message>} [more] @returns {Message} */
const ours = (text, more) => ({ from: 'agent', text, at: Date.now(), isSent: true, ...more })
/** What was reported after the use itself. */
const told = () => [...used.server.outcomes.values()].map(({ kind, final_text }) => [kind, final_text]).slice(1)

describe('what became of a reply, after a reload', () => {
  test('sent as it was inserted, with the signature below', async () => {
    await useFirst()
    messages = [{ ...ours('Any news?'), from: 'customer' }, ours(`${FIRST}\n\nOlha, Larkpost`)]
    await look()
    await look()
    assert.deepEqual(told(), [['sent', `${FIRST}\n\nOlha, Larkpost`]])
  })

  test('sent with changes is edited, too', async () => {
    await useFirst()
    messages = [ours(EDITED)]
    await look()
    assert.deepEqual(told(), [['sent', EDITED], ['edited', EDITED]])
  })

  test('where it cannot be known that it went out, only a change is told, once', async () => {
    await useFirst()
    messages = [ours(`Written before.\n\n${FIRST}`, { isSent: false, at: 0 })]
    await look()
    assert.deepEqual(told(), [])
    messages = [ours(EDITED, { isSent: false, at: 0 })]
    await look()
    assert.deepEqual(told(), [['edited', EDITED]])
  })

  for (const [what, message] of /** @type {[string, Message][]} */ ([
    ['another answer', ours('Hello Henrik,\n\nthank you for writing. We looked into it and it is solved.\n\nBest regards\nLarkpost Support')],
    ['one from before', ours(FIRST, { at: Date.now() - 3_600_000 })],
    ["the customer's", { ...ours(FIRST), from: 'customer' }],
  ])) {
    test(`nothing is claimed from ${what}`, async () => {
      await useFirst()
      messages = [message]
      await look()
      assert.deepEqual(told(), [])
    })
  }

  test('another reply of the same suggestion that was sent is the one that is told', async () => {
    await useFirst()
    messages = [ours(SECOND)]
    await look()
    assert.deepEqual(told(), [['sent', SECOND]])
    const [suggestion] = [...used.server.suggestions.values()].slice(-1)
    assert.equal([...used.server.outcomes.values()].at(-1).candidateId, suggestion?.candidates[1]?.id)
  })

  test('a ticket that cannot be read is looked at again', async () => {
    await useFirst()
    let looks = 0
    const readMessages = async () => {
      if ((looks += 1) < 3) throw new Error('not now')
      return [ours(FIRST)]
    }
    await look({ readMessages })
    assert.deepEqual([looks, told()], [3, [['sent', FIRST]]])
  })

  test('where the browser keeps nothing, or nonsense, it works until the reload', async () => {
    const broken = { getItem: () => '{nonsense', setItem: () => { throw new Error('denied') } }
    for (const storage of [null, broken]) {
      const usedReplies = new UsedReplies(storage, async () => [])
      usedReplies.add({ ticketId: 't', suggestionId: 's', candidateId: 'c', agent: 'olha', mark: '1:x', at: Date.now() })
      assert.equal(usedReplies.of('t', 'olha').length, 1)
      assert.equal(usedReplies.of('t', 'petro').length, 0)
      usedReplies.settle('s')
      assert.equal(usedReplies.of('t', 'olha').length, 0)
    }
  })

  test('where the browser denies storage, the server is asked once for each ticket', async () => {
    const session = newSession(used.base)
    await session.suggest(TICKET)
    const { id = '', candidates } = session.store.suggestion ?? {}
    let asked = 0
    const use = { ticketId: TICKET.id, suggestionId: id, candidateId: candidates?.[0]?.id ?? '', agent: 'olha', mark: '', at: Date.now() }
    const usedReplies = new UsedReplies(null, async () => ((asked += 1), [use]))
    await look({ usedReplies })
    messages = [ours(EDITED)]
    await look({ usedReplies })
    assert.deepEqual([asked, [...used.server.outcomes.values()].map(({ kind }) => kind)], [1, ['sent', 'edited']])
  })

  test('no text is kept in the browser', async () => {
    await useFirst()
    used.server.outcomeTroubles = ['cut']
    messages = [ours(EDITED)]
    await look()
    const kept = [...storage.kept.values()].join()
    assert.ok(kept.length > 0 && !/Henrik|confirmation/.test(kept))
  })
})

describe('likeness', () => {
  for (const [first, second, alike] of /** @type {[string, string, boolean][]} */ ([
    [FIRST, EDITED, true],
    [FIRST, FIRST.slice(0, 300), true],
    [FIRST, SECOND, false],
    ['Yes.', 'yes', true],
    ['Hello Ana, thank you', 'Hello Ana, thank you for waiting', false],
    ['', '', false],
  ])) {
    test(`${JSON.stringify(first.slice(0, 20))} and ${JSON.stringify(second.slice(-20))}: ${alike}`, () => {
      assert.equal(likeness(first, second) > 0, alike)
      assert.equal(likeness(second, first) > 0, alike)
    })
  }

  test('an editor that numbers lists and hides targets of links changes nothing', () => {
    const mark = markOf('Do this:\n\n1. Open [the page](https://help.example/a)\n2. Press **Reset**')
    assert.ok(holdsUnchanged(mark, 'Do this:\nOpen the page\nPress Reset\n\nAda'))
  })

  test('unchanged is what stands whole at the start or the end', () => {
    const mark = markOf('Press  Reset.')
    assert.deepEqual(['Press reset', 'Hi! Press Reset. ', 'Press Reset, then wait', 'Press it', ''].map((text) => holdsUnchanged(mark, text)), [true, true, true, false, false])
  })
})
