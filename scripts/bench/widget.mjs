/** `python -m scripts.bench widget`: run by node's test runner, which starts and ends all its parts. */

import { test } from 'node:test'
import { suggest, SECRET, useZoho } from '../../tests/end_to_end/zoho_panel.mjs'

/** @import { Frame } from 'playwright-core' */

const { parts, onPage } = useZoho('tiny')
const ROUNDS = Number(process.env['ROUNDS'])

for (const direct of [true, false]) {
  const way = direct ? 'directly' : "through Zoho's servers"
  test(`called ${way}`, (t) =>
    onPage('desk', `speed_${direct ? 'direct' : 'proxy'}`, { direct, axe: false }, async ({ widget }) => {
      await suggest(widget)
      const painted = []
      const own = []
      for (let time = 0; time < ROUNDS; time += 1) {
        own.push(await firstWordOfBackend(time))
        painted.push(await firstPaintedWord(widget))
      }

      const over = Math.round(median(painted) - median(own))
      const ratio = (median(painted) / median(own)).toFixed(2)
      t.diagnostic(`${way}: painted ${say(painted)}, backend ${say(own)}, ratio ${ratio}, over it ${over} ms (aim <= 150)`)
    }))
}

/**
 * What the backend takes from a request to the first word on its event stream.
 *
 * @param {number} time
 */
async function firstWordOfBackend(time) {
  const headers = { Authorization: `Bearer ${SECRET}`, 'Content-Type': 'application/json' }
  const base = `${parts.backend.address}/api/v1/suggestions`
  const ticket = { text: 'Hello, I forgot my password and cannot log in any more. What can I do?', subject: `I forgot my password ${time}` }
  const start = performance.now()
  const asked = await fetch(base, { method: 'POST', headers, body: JSON.stringify({ ticket, fresh: true }) })
  const { id } = /** @type {{id: string}} */ (await asked.json())
  const stream = await fetch(`${base}/${id}/events`, { headers })
  let said = ''
  let first = 0
  for await (const chunk of stream.body ?? []) {
    said += Buffer.from(/** @type {Uint8Array} */ (chunk)).toString()
    if (!first && /"(append|text)": ?"[^"]/.test(said.replace(/"ticket":.*/, ''))) first = performance.now() - start
    if (said.includes('event: end')) break
  }
  return first
}

/** @param {Frame} widget @returns {Promise<number>} */
async function firstPaintedWord(widget) {
  const first = await widget.evaluate(
    () =>
      new Promise((/** @type {(value: number) => void} */ done) => {
        const old = new Set(document.querySelectorAll('.sa-text'))
        const button = /** @type {HTMLElement | null} */ (document.querySelector('.sa-ask button[type=submit]'))
        const start = performance.now()
        button?.click()
        const look = () => {
          const isThere = [...document.querySelectorAll('.sa-text')].some((element) => !old.has(element) && element.textContent)
          if (isThere) requestAnimationFrame(() => done(performance.now() - start))
          else requestAnimationFrame(look)
        }
        look()
      }),
  )
  await widget.waitForFunction(() => document.querySelectorAll('[data-state=done]').length === 3)
  return first
}

const median = (/** @type {number[]} */ values) => [...values].sort((first, second) => first - second)[Math.floor(values.length / 2)] ?? 0
const say = (/** @type {number[]} */ values) => `${Math.round(median(values))} ms (${Math.round(Math.min(...values))}–${Math.round(Math.max(...values))})`
