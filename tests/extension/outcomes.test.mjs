import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { Api } from '../../extension/shared/api.js'
import { Outcomes } from '../../extension/shared/outcomes.js'
import { holdsUnchanged, likeness, markOf } from '../../extension/shared/similar.js'
import { Uses } from '../../extension/shared/uses.js'
import { REPLIES } from './contract_content.mjs'
import { newSession, TICKET, useServer } from './session_fixture.mjs'

/** @import { Message } from '../../extension/shared/host.js' */

const used = useServer()
const [FIRST = '', SECOND = ''] = REPLIES
const EDITED = `${FIRST.replace('one working day', 'two working days')}\n\n-- \nLarkpost, all of us`

/** A browser's storage. */
class Shelf {
  kept = /** @type {Map<string, string>} */ (new Map())
  getItem = (/** @type {string} */ key) => this.kept.get(key) ?? null
  setItem = (/** @type {string} */ key, /** @type {string} */ value) => void this.kept.set(key, value)
}

let shelf = new Shelf()
/** @type {Message[]} */
let messages = []
beforeEach(() => {
  shelf = new Shelf()
  messages = []
})

/** As after a reload: nothing is remembered but what the browser keeps. @param {Uses} [uses] */
function outcomes(uses = new Uses(shelf, async () => [])) {
  const api = new Api({ base: `${used.base}/api/v1` })
  api.rater = 'olha'
  return new Outcomes({ api, host: { readMessages: async () => messages }, uses, pause: async () => {} })
}

/** Ask, and use the first reply. */
async function useFirst() {
  const session = newSession(used.base)
  await session.suggest(TICKET)
  const suggestion = session.store.suggestion
  const candidate = suggestion?.candidates[0]
  assert.ok(suggestion && candidate)
  outcomes().used(candidate, { ticketId: TICKET.id, suggestionId: suggestion.id })
}

/** @param {string} text @param {Partial<Message>} [more] @returns {Message} */
const ours = (text, more) => ({ from: 'agent', text, at: Date.now(), isSent: true, ...more })
const told = () => used.server.posted('/outcomes').map(({ kind, final_text }) => [kind, final_text])

describe('what became of a reply, after a reload', () => {
  test('sent as it was inserted, with the signature below', async () => {
    await useFirst()
    messages = [{ ...ours('Any news?'), from: 'customer' }, ours(`${FIRST}\n\nOlha, Larkpost`)]
    await outcomes().look(TICKET.id)
    await outcomes().look(TICKET.id)
    assert.deepEqual(told(), [['sent', `${FIRST}\n\nOlha, Larkpost`]])
  })

  test('sent with changes is edited, too', async () => {
    await useFirst()
    messages = [ours(EDITED)]
    await outcomes().look(TICKET.id)
    assert.deepEqual(told(), [['sent', EDITED], ['edited', EDITED]])
  })

  test('where it cannot be known that it went out, only a change is told, once', async () => {
    await useFirst()
    messages = [ours(`Written before.\n\n${FIRST}`, { isSent: false, at: 0 })]
    await outcomes().look(TICKET.id)
    assert.deepEqual(told(), [])
    messages = [ours(EDITED, { isSent: false, at: 0 })]
    await outcomes().look(TICKET.id)
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
      await outcomes().look(TICKET.id)
      assert.deepEqual(told(), [])
    })
  }

  test('another reply of the same suggestion that was sent is the one that is told', async () => {
    await useFirst()
    messages = [ours(SECOND)]
    await outcomes().look(TICKET.id)
    assert.deepEqual(told(), [['sent', SECOND]])
    const path = used.server.requests.find(({ path }) => path.endsWith('/outcomes'))?.path
    const [suggestion] = [...used.server.suggestions.values()].slice(-1)
    assert.equal(path, `/api/v1/candidates/${suggestion?.candidates[1]?.id}/outcomes`)
  })

  test('a ticket that cannot be read is looked at again', async () => {
    await useFirst()
    let looks = 0
    const api = new Api({ base: `${used.base}/api/v1` })
    api.rater = 'olha'
    const readMessages = async () => {
      if ((looks += 1) < 3) throw new Error('not now')
      return [ours(FIRST)]
    }
    await new Outcomes({ api, host: { readMessages }, uses: new Uses(shelf, async () => []), pause: async () => {} }).look(TICKET.id)
    assert.deepEqual([looks, told()], [3, [['sent', FIRST]]])
  })

  test('where the browser keeps nothing, or nonsense, it works until the reload', async () => {
    const broken = { getItem: () => '{nonsense', setItem: () => { throw new Error('denied') } }
    for (const storage of [null, broken]) {
      const uses = new Uses(storage, async () => [])
      uses.add({ ticketId: 't', suggestionId: 's', candidateId: 'c', agent: 'olha', mark: '1:x', at: Date.now() })
      assert.equal(uses.of('t', 'olha').length, 1)
      assert.equal(uses.of('t', 'petro').length, 0)
      uses.settle('s')
      assert.equal(uses.of('t', 'olha').length, 0)
    }
  })

  test('where the browser denies storage, the server is asked once for each ticket', async () => {
    const session = newSession(used.base)
    await session.suggest(TICKET)
    const { id = '', candidates } = session.store.suggestion ?? {}
    let asked = 0
    const use = { ticketId: TICKET.id, suggestionId: id, candidateId: candidates?.[0]?.id ?? '', agent: 'olha', mark: '', at: Date.now() }
    const uses = new Uses(null, async () => ((asked += 1), [use]))
    await outcomes(uses).look(TICKET.id)
    messages = [ours(EDITED)]
    await outcomes(uses).look(TICKET.id)
    assert.deepEqual([asked, told().map(([kind]) => kind)], [1, ['sent', 'edited']])
  })

  test('no text is kept in the browser', async () => {
    await useFirst()
    const [kept = ''] = [...shelf.kept.values()]
    assert.ok(kept.length > 0 && !/Henrik|confirmation/.test(kept))
  })
})

describe('likeness', () => {
  for (const [one, other, alike] of /** @type {[string, string, boolean][]} */ ([
    [FIRST, EDITED, true],
    [FIRST, FIRST.slice(0, 300), true],
    [FIRST, SECOND, false],
    ['Yes.', 'yes', true],
    ['Hello Ana, thank you', 'Hello Ana, thank you for waiting', false],
    ['', '', false],
  ])) {
    test(`${JSON.stringify(one.slice(0, 20))} and ${JSON.stringify(other.slice(-20))}: ${alike}`, () => {
      assert.equal(likeness(one, other) > 0, alike)
      assert.equal(likeness(other, one) > 0, alike)
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
