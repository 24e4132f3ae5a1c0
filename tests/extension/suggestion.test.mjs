import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events } from '../../extension/shared/api.js'
import { withChange } from '../../extension/shared/suggestion.js'

/** @import { Candidate, Suggestion } from '../../extension/shared/api_types.js' */

/** @param {Partial<Candidate>[]} candidates @returns {Suggestion} */
function suggestionOf(...candidates) {
  return {
    id: 's1',
    state: 'writing',
    revision: 1,
    created: '2026-01-01T00:00:00Z',
    steering: '',
    prefer: 'now',
    rubric: 'quality',
    queue: { ahead: 0, seconds: null },
    candidates: candidates.map((candidate, index) => ({
      id: `c${index}`,
      label: 'ABC'[index] ?? '?',
      state: 'writing',
      text: '',
      revision: 1,
      finish: null,
      problem: null,
      sources: [],
      rated: false,
      model: null,
      seconds: null,
      ...candidate,
    })),
  }
}

test('a change appends to one candidate and leaves the others alone', () => {
  const before = suggestionOf({ text: 'Hello' }, { text: 'Hi' })

  const after = withChange(before, { id: 'c0', offset: 5, append: ' there' })

  assert.deepEqual(after?.candidates.map(({ text }) => text), ['Hello there', 'Hi'])
  assert.equal(before.candidates[0]?.text, 'Hello')
})

for (const [text, offset, append, expected] of /** @type {const} */ ([
  ['Hello', 5, '!', 'Hello!'],
  ['Hello', 5, '', 'Hello'],
  ['Hello', 0, 'Anew', 'Anew'],
  ['Hello wrold', 6, 'world', 'Hello world'],
  ['🔐 ok', 5, '.', '🔐 ok.'],
])) {
  test(`"${text}" cut at ${offset} and grown by "${append}" is "${expected}"`, () => {
    assert.equal(withChange(suggestionOf({ text }), { id: 'c0', offset, append })?.candidates[0]?.text, expected)
  })
}

test('a change that does not fit what is there is refused, so that the whole is read again', () => {
  assert.equal(withChange(suggestionOf({ text: 'Hel' }), { id: 'c0', offset: 5, append: ' there' }), null)
  assert.equal(withChange(suggestionOf({}), { id: 'unknown', offset: 0, append: 'x' }), null)
})

for (const [states, expected] of /** @type {const} */ ([
  [['queued', 'queued'], 'queued'],
  [['queued', 'done'], 'writing'],
  [['done', 'failed'], 'done'],
  [['failed', 'failed'], 'failed'],
  [['failed', 'cancelled'], 'cancelled'],
])) {
  test(`candidates ${states.join(' and ')} make a suggestion ${expected}`, () => {
    const [first, second] = states
    const suggestion = suggestionOf({ state: 'writing' }, { state: second })
    assert.equal(withChange(suggestion, { id: 'c0', state: first, offset: 0, append: '' })?.state, expected)
  })
}

const STREAM =
  ': hello\n\nid: 7\nevent: suggestion\ndata: {"a":\ndata: "ї🔐"}\n\nevent: end\r\ndata: {}\r\n\r\nevent: empty\n\nevent: half\ndata: {'

for (const size of [1, 2, 3, 7, 1000]) {
  test(`an event stream in pieces of ${size} bytes is read the same`, async () => {
    const bytes = new TextEncoder().encode(STREAM)
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.slice(at * size, (at + 1) * size))
    const stream = new ReadableStream({
      start(controller) {
        for (const piece of pieces) controller.enqueue(piece)
        controller.close()
      },
    })

    const found = []
    for await (const event of events(stream)) found.push(event)

    assert.deepEqual(found, [
      { name: 'suggestion', body: '{"a":\n"ї🔐"}', id: '7' },
      { name: 'end', body: '{}', id: '7' },
    ])
  })
}
