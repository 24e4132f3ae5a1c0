/** Blind mode: before all is rated, nothing in page, network or timing tells which engine wrote what. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { main, SECRET, useZoho } from './zoho_panel.mjs'
import { PATIENCE, until } from './waiting.mjs'

/** @import { Frame } from 'playwright-core' */

const ENGINES = ['alder', 'cedar', 'nearest']
const PACE = { alder: 30, cedar: 45 }
/** A reply of the length of the stored answer, so that only its rhythm could tell them apart. */
const TEXT = 'Please open the sign-in page and choose "Forgot password"; a link then comes by e-mail within two minutes. '.repeat(4)
const ROUNDS = 6
const { parts, onPage } = useZoho('mixed')

test('which of three engines wrote a reply is told by nothing until all are rated', (t) =>
  onPage('desk', 'blind', { direct: true, axe: false }, async ({ page, widget }) => {
    parts.chats.reply = (model) => ({ text: TEXT, pace: PACE[/** @type {'alder' | 'cedar'} */ (model)] })
    /** @type {string[]} */
    const bodies = []
    page.on('response', async (response) => {
      if (response.url().includes('/api/v1/')) bodies.push(await response.text().catch(() => ''))
    })
    /** @type {Awaited<ReturnType<typeof watched>>[]} */
    const rounds = []
    for (let round = 0; round < ROUNDS; round += 1) rounds.push(await watched(widget))

    const html = await widget.content()
    const whole = () => bodies.filter((body) => body.startsWith('{')).map((body) => JSON.parse(body)).filter(({ candidates }) => candidates)
    await until(() => whole().length >= ROUNDS)
    const [stored, written] = [false, true].map((isWritten) => rounds.flatMap(({ seen, engines }) => seen.filter((_, at) => (engines[at] !== 'nearest') === isWritten)))
    assert.ok(stored && written && stored.length === ROUNDS)
    t.diagnostic(`nearest: ${say(stored)}; written: ${say(written)}`)
    for (const { seen, engines } of rounds) {
      const own = seen[engines.indexOf('nearest')]
      const others = seen.filter((_, at) => engines[at] !== 'nearest')
      assert.ok(own && own.first >= Math.min(...others.map(({ first }) => first)) - 35, 'the stored answer came first')
      assert.ok(own.last >= Math.min(...others.map(({ last }) => last)) * 0.75, 'the stored answer was complete long before the others')
      assert.ok(own.steps >= 0.4 * Math.min(...others.map(({ steps }) => steps)), `the stored answer grew in ${own.steps} steps`)
      assert.equal(new Set(seen.map(({ look }) => look)).size, 1, 'cards differ')
    }
    for (const secret of [...ENGINES, 'Written by', 'chat', 'gguf']) {
      assert.ok(!html.includes(secret), `the page tells ${secret}`)
      assert.ok(!bodies.some((body) => body.includes(secret)), `the network tells ${secret}`)
    }
    for (const { candidates } of whole()) {
      for (const field of ['model', 'seconds', 'revision', 'sources']) {
        assert.equal(new Set(candidates.map((/** @type {any} */ candidate) => JSON.stringify(candidate[field]))).size, 1, `${field} differs`)
      }
    }
  }))

/** @typedef {{first: number, last: number, steps: number, look: string}} Seen  When the text began and ended, and in how many steps. */

/**
 * Ask for fresh replies and watch each card; then, as another rater, find out who wrote which.
 *
 * @param {Frame} widget
 * @returns {Promise<{seen: Seen[], engines: string[]}>}
 */
async function watched(widget) {
  const asked = widget.page().waitForResponse((response) => response.request().method() === 'POST' && response.url().endsWith('/suggestions'))
  const watching = widget.evaluate(watch, PATIENCE)
  await main(widget).click()
  const { id } = await (await asked).json()
  return { seen: await watching, engines: await enginesOf(id) }
}

/** In the page: follow how the texts grow. @param {number} patience @returns {Promise<Seen[]>} */
function watch(patience) {
  const old = new Set(document.querySelectorAll('[data-candidate]'))
  /** @type {Map<string, {first: number, last: number, lengths: Set<number>, look: string}>} */
  const seen = new Map()
  const start = performance.now()
  return new Promise((done, fail) => {
    const look = () => {
      const cards = [...document.querySelectorAll('[data-candidate]')].filter((card) => !old.has(card))
      for (const card of cards) {
        const label = card.getAttribute('data-candidate') ?? ''
        const { length } = card.querySelector('.sa-text')?.textContent ?? ''
        const now = performance.now() - start
        const kept = seen.get(label) ?? { first: 0, last: 0, lengths: new Set(), look: '' }
        seen.set(label, kept)
        if (length && !kept.first) kept.first = now
        if (length && !kept.lengths.has(length)) kept.last = now
        kept.lengths.add(length)
        kept.look = [...card.querySelectorAll('*')].map((part) => `${part.tagName}.${part.className}`).join()
      }
      if (cards.length === 3 && cards.every((card) => card.getAttribute('data-state') === 'done')) {
        done([...seen].sort().map(([, { first, last, lengths, look: shape }]) => ({ first, last, steps: lengths.size, look: shape })))
      } else if (performance.now() - start > patience) {
        fail(new Error(`Not all were written: ${document.body.innerText}`))
      } else requestAnimationFrame(look)
    }
    look()
  })
}

/** The engines of A, B and C. @param {string} id */
async function enginesOf(id) {
  const headers = { Authorization: `Bearer ${SECRET}`, 'Content-Type': 'application/json', 'X-Rater': 'someone else' }
  const base = `${parts.backend.address}/api/v1`
  const get = async () => /** @type {{candidates: {id: string, model: string}[]}} */ (await (await fetch(`${base}/suggestions/${id}`, { headers })).json())
  for (const candidate of (await get()).candidates) {
    const body = JSON.stringify({ scores: { content: 3, grammar: 3, structure: 3, style: 3 } })
    await fetch(`${base}/candidates/${candidate.id}/ratings`, { method: 'POST', headers, body })
  }
  return (await get()).candidates.map(({ model }) => model)
}

/** @param {readonly Seen[]} all */
function say(all) {
  const mean = (/** @type {(seen: Seen) => number} */ of) => Math.round(all.reduce((sum, seen) => sum + of(seen), 0) / all.length)
  return `begins at ${mean(({ first }) => first)} ms, ends at ${mean(({ last }) => last)} ms, in ${mean(({ steps }) => steps)} steps`
}
