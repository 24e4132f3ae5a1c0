/** Follow a suggestion to its end: by events where they get through, else by waiting polls. */

import { Problem } from './problem.js'
import { isFinished, withChange, withoutLoss } from './suggestion.js'

/** @import { Api } from './api.js' */
/** @import { StreamEvent } from './api.js' */
/** @import { Suggestion } from './api_types.js' */

/**
 * @typedef {object} Following
 * @property {(suggestion: Suggestion) => void} onChange
 * @property {(lost: boolean) => void} onConnection  True when the connection broke, false when back.
 * @property {AbortSignal} signal
 * @property {(milliseconds: number) => Promise<void>} [pause]
 */

const FAILED_STREAMS_BEFORE_POLLING = 2
const PATIENCE = 4000
/** Between two polls while words arrive, more and more: each costs some of the product's calls. */
const BETWEEN_POLLS = 300
const BETWEEN_POLLS_AT_LAST = 2000
const GROWTH = 1.15

/**
 * Report each change until the suggestion is finished. A lost connection is tried again for as long
 * as the signal lets it; other problems (the suggestion is gone, signed out) are thrown.
 *
 * @param {Api} api
 * @param {Suggestion} start
 * @param {Following} following
 */
export async function follow(api, start, { onChange, onConnection, signal, pause = sleep }) {
  let suggestion = start
  let failures = 0
  let polls = 0
  let barren = api.streams ? 0 : FAILED_STREAMS_BEFORE_POLLING
  /** @param {Suggestion} told */
  const seen = (told) => {
    const next = withoutLoss(suggestion, told)
    suggestion = next
    if (failures > 0) onConnection(false)
    failures = 0
    if (!signal.aborted) onChange(next)
  }
  while (!isFinished(suggestion) && !signal.aborted) {
    const revision = suggestion.revision
    try {
      if (barren >= FAILED_STREAMS_BEFORE_POLLING) {
        seen(await api.suggestion(suggestion.id, { since: revision, signal }))
        const isPreparing = !hasWords(suggestion) && suggestion.revision !== revision
        if (isFinished(suggestion) || isPreparing) continue
        await pause(Math.min(BETWEEN_POLLS * GROWTH ** polls, BETWEEN_POLLS_AT_LAST))
        polls += 1
      } else {
        await followStream(api, suggestion, { seen, signal })
        barren = suggestion.revision === revision ? barren + 1 : 0
      }
    } catch (error) {
      if (signal.aborted) return
      if (!isPassing(error)) throw error
      failures += 1
      barren = suggestion.revision === revision ? barren + 1 : 0
      if (failures > 1) onConnection(true)
      await pause(Math.min(250 * 2 ** failures, 5000))
    }
  }
}

/**
 * One stream, until every candidate is finished; then the suggestion is read once more, since
 * figures may come with the end. A stream that stays silent (a proxy that buffers) is given up.
 *
 * @param {Api} api
 * @param {Suggestion} start
 * @param {{seen: (next: Suggestion) => void, signal: AbortSignal}} watch
 */
async function followStream(api, start, { seen, signal }) {
  const stream = new AbortController()
  const stop = () => stream.abort()
  signal.addEventListener('abort', stop)
  const patience = setTimeout(stop, PATIENCE)
  let suggestion = start
  try {
    for await (const event of api.events(start.id, { signal: stream.signal })) {
      clearTimeout(patience)
      const next = event.name === 'end' ? null : after(suggestion, event)
      if (!next || isFinished(next)) {
        seen(await api.suggestion(start.id, { signal }))
        return
      }
      suggestion = next
      seen(suggestion)
    }
  } catch (error) {
    throw stream.signal.aborted ? new Problem('unreachable') : error
  } finally {
    clearTimeout(patience)
    signal.removeEventListener('abort', stop)
    stop()
  }
}

/**
 * @param {Suggestion} suggestion
 * @param {StreamEvent} event
 * @returns {Suggestion | null} Null if steps were missed.
 */
function after(suggestion, event) {
  const body = JSON.parse(event.body)
  const next = event.name === 'suggestion' ? body : withChange(suggestion, body)
  return next && event.id ? { ...next, revision: Number(event.id) } : next
}

/** Before the first word there is nothing to gather. @param {Suggestion} suggestion */
const hasWords = ({ candidates }) => candidates.some(({ text }) => text !== '')

/** @param {unknown} error */
function isPassing(error) {
  return error instanceof Problem && ['unreachable', 'busy', 'proxy'].includes(error.kind)
}

/** @param {number} milliseconds */
function sleep(milliseconds) {
  return new Promise((/** @type {(value: void) => void} */ done) => setTimeout(done, milliseconds))
}
