import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { kindOf, Problem } from '../../extension/shared/problem.js'
import { messageFor, progressOf } from '../../extension/shared/state_messages.js'
import { LANGUAGES, languageFor, Translations } from '../../extension/shared/translations.js'

/** @import { PanelState } from '../../extension/shared/state.js' */

const SHARED = new URL('../../extension/shared/', import.meta.url)

/** @param {string} language */
async function entriesOf(language) {
  return JSON.parse(await readFile(new URL(`strings/${language}.json`, SHARED), 'utf8'))
}

/** @returns {Promise<[string, string][]>} */
async function sources() {
  const names = (await readdir(SHARED)).filter((name) => name.endsWith('.js'))
  return Promise.all(names.map(async (name) => [name, await readFile(new URL(name, SHARED), 'utf8')]))
}

test('each language file is listed, and has the same words to say', async () => {
  const files = (await readdir(new URL('strings/', SHARED))).map((name) => name.replace('.json', ''))
  assert.deepEqual(files.sort(), [...LANGUAGES].sort())
  const english = await entriesOf('en')
  for (const language of LANGUAGES) {
    const entries = await entriesOf(language)
    assert.deepEqual(Object.keys(entries), Object.keys(english), language)
    for (const [key, entry] of Object.entries(entries)) {
      assert.deepEqual(places(entry), places(english[key]), `${language}: ${key}`)
    }
  }
})

test('a sentence with a number has every plural form of its language', async () => {
  for (const language of LANGUAGES) {
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories
    for (const [key, entry] of Object.entries(await entriesOf(language))) {
      if (typeof entry !== 'string') assert.deepEqual(Object.keys(entry).sort(), [...forms].sort(), `${language}: ${key}`)
    }
  }
})

test('every key that the code names has words, and every word is used', async () => {
  const english = await entriesOf('en')
  const code = (await sources()).map(([, text]) => text).join('\n')
  const named = [...code.matchAll(/say\('([\w.-]+)'/g)].map(([, key]) => key ?? '')
  for (const key of named) assert.ok(key in english, key)
  for (const key of Object.keys(english)) {
    const [group = '', last = ''] = [key.split('.')[0], key.split('.').at(-1)]
    assert.ok(code.includes(`'${key}'`) || code.includes(`\`${group}.`) || code.includes(`.${last}\``), `unused: ${key}`)
  }
})

test('Ukrainian counts as Ukrainian does', async () => {
  const words = new Translations('uk', await entriesOf('uk'))
  const said = [1, 3, 5, 21].map((n) => words.say('waiting.ahead', { n }))
  assert.deepEqual(said, ['Перед вами 1 відповідь.', 'Перед вами 3 відповіді.', 'Перед вами 5 відповідей.', 'Перед вами 21 відповідь.'])
})

test('a wish for a language without words gets English', () => {
  assert.deepEqual(['uk-UA', 'UK', 'de', '', 'en-GB'].map(languageFor), ['uk', 'uk', 'en', 'en', 'en'])
})

test('words that do not exist are an error', async () => {
  const words = new Translations('en', await entriesOf('en'))
  assert.throws(() => words.say('no.such'), /no words for no\.such in en/)
})

for (const [type, kind] of /** @type {const} */ ([
  ['/problems/queue-full', 'queue-full'],
  ['urn:suggest-answer:QueueFull', 'queue-full'],
  ['/problems/engine-unreachable', 'model-down'],
  ['about:blank', 'server'],
  ['', 'server'],
])) {
  test(`a problem of type "${type}" is ${kind}`, () => assert.equal(kindOf(type), kind))
}

test('every state and every problem has a title and a next step in every language', async () => {
  const problemCode = await readFile(new URL('problem.js', SHARED), 'utf8')
  const kinds = [...problemCode.matchAll(/'([a-z-]+)'(?= *[|}\n])/g)].map(([, kind]) => kind)
  /** @type {Exclude<PanelState, {kind: 'ready'}>[]} */
  const states = [{ kind: 'idle' }, { kind: 'empty' }, { kind: 'asking' }, { kind: 'cancelled' }, { kind: 'offline' }]
  for (const kind of new Set(kinds)) states.push({ kind: 'failed', problem: new Problem(/** @type {any} */ (kind)) })
  assert.ok(states.length > 15)
  for (const language of LANGUAGES) {
    const words = new Translations(language, await entriesOf(language))
    for (const state of states) {
      const { title, text } = messageFor(state, words)
      assert.ok(title && text)
      assert.equal(progressOf(state, words), '')
    }
  }
})

test('no code makes markup out of text', async () => {
  for (const [name, text] of await sources()) {
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc/, name)
  }
})

/** The places for values in a sentence. @param {any} entry */
function places(entry) {
  const sentence = typeof entry === 'string' ? entry : entry.other
  return [...new Set(sentence.match(/\{\w+\}/g) ?? [])].sort()
}
