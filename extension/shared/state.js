/** The one thing the panel shows at a time, and the store that tells when it changes. */

import { isFinished } from './suggestion.js'

/** @import { Suggestion } from './api_types.js' */
/** @import { Problem } from './problem.js' */

/**
 * @typedef {{kind: 'idle'}
 *   | {kind: 'empty'}
 *   | {kind: 'asking'}
 *   | {kind: 'waiting', suggestion: Suggestion, lost: boolean}
 *   | {kind: 'ready', suggestion: Suggestion, writing: boolean, lost: boolean}
 *   | {kind: 'cancelled'}
 *   | {kind: 'offline'}
 *   | {kind: 'failed', problem: Problem}} PanelState
 *
 * idle: nothing asked. empty: the ticket has no text. asking: sent, no answer yet. waiting: in the
 * queue. ready: candidates to see, growing while `writing`. cancelled: stopped before a word.
 * offline: the backend was not reached. failed: it said no.
 */

/**
 * What to show of a suggestion.
 *
 * @param {Suggestion} suggestion
 * @param {boolean} [lost]  The connection is broken and tried again.
 * @returns {PanelState}
 */
export function stateOf(suggestion, lost = false) {
  if (suggestion.state === 'queued') return { kind: 'waiting', suggestion, lost }
  const wordless = suggestion.candidates.every((candidate) => !candidate.text && !candidate.problem)
  if (suggestion.state === 'cancelled' && wordless) return { kind: 'cancelled' }
  return { kind: 'ready', suggestion, writing: !isFinished(suggestion), lost }
}

/**
 * Whether something is under way that can be stopped.
 *
 * @param {PanelState} state
 */
export function isBusy(state) {
  return state.kind === 'asking' || state.kind === 'waiting' || (state.kind === 'ready' && state.writing)
}

/** Holds a PanelState; dispatches `change` when it becomes another. */
export class Store extends EventTarget {
  /** @type {PanelState} */
  #state = { kind: 'idle' }

  get state() {
    return this.#state
  }

  /** @param {PanelState} state */
  become(state) {
    this.#state = state
    this.dispatchEvent(new Event('change'))
  }

  /** The suggestion on show, if there is one. */
  get suggestion() {
    return 'suggestion' in this.#state ? this.#state.suggestion : null
  }
}
