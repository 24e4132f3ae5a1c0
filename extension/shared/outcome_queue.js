/**
 * Outcomes on their way to the backend: each is tried again, with backoff, until it arrived or was
 * refused. Models are trained on them, so none may get lost without a word. What holds no text is kept in
 * the browser, too; a text is not, so a sent reply that a reload forgets has to be found in its ticket again.
 */

import { markOf } from './likeness.js'
import { asProblem } from './problem.js'

/** @import { Api } from './api.js' */
/** @import { OutcomeKind } from './api_types.js' */
/** @import { ProblemKind } from './problem.js' */

/**
 * @typedef {object} QueuedOutcome
 * @property {string} id  The backend counts each id once, so a retry does no harm.
 * @property {string} candidateId
 * @property {OutcomeKind} kind
 * @property {string} agent
 * @property {string} [finalText]
 */

const KEY = 'suggest-answer.outcomes'
const MOST = 200
const FIRST_DELAY = 2000
const LONGEST_DELAY = 300_000
/** Half an hour of an error that is the server's own; the outcomes behind it should not wait longer. */
const MOST_FAILURES = 12
/** @type {ReadonlySet<ProblemKind>} What no further try would change. */
const REFUSALS = new Set(/** @type {const} */ (['gone', 'bad-input', 'too-large', 'unfinished']))

export class OutcomeQueue {
  #api
  #storage
  #firstDelay
  #warn
  /** @type {QueuedOutcome[]} Oldest first. */
  #waiting = []
  /** @type {Map<string, () => void>} Whom to tell that an outcome is over, by its id. */
  #watchers = new Map()
  /** @type {Promise<void>} */
  #sending = Promise.resolve()
  #failures = 0
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer

  /**
   * @param {object} parts
   * @param {Pick<Api, 'outcome' | 'rater'>} parts.api
   * @param {Pick<Storage, 'getItem' | 'setItem'> | null} parts.storage
   * @param {number} [parts.firstDelay]  Milliseconds until the first retry; each further one waits twice as long.
   * @param {(message: string) => void} [parts.warn]  Told of each outcome that is lost.
   */
  constructor({ api, storage, firstDelay = FIRST_DELAY, warn = (message) => console.warn(message) }) {
    this.#api = api
    this.#storage = storage
    this.#firstDelay = firstDelay
    this.#warn = warn
  }

  /**
   * Report what became of a candidate. Resolves once the backend has it, or will never have it.
   *
   * @param {string} candidateId
   * @param {OutcomeKind} kind
   * @param {string} [finalText]
   * @returns {Promise<void>}
   */
  add(candidateId, kind, finalText) {
    const moment = finalText === undefined ? Date.now().toString(36) : markOf(finalText)
    const id = [candidateId, kind, moment].join('.')
    const outcome = { id, candidateId, kind, agent: this.#api.rater, ...(finalText !== undefined && { finalText }) }
    const over = new Promise((/** @type {(value: void) => void} */ done) => this.#watchers.set(id, done))
    this.#waiting = [...this.#waiting.filter((other) => other.id !== id), outcome]
    if (finalText === undefined) this.#store([...this.#stored(), outcome])
    for (const oldest of this.#waiting.slice(0, -MOST)) this.#lose(oldest, `More than ${MOST} are waiting.`)
    void this.flush()
    return over
  }

  /** Send all that waits, also what an earlier page left; the first failure puts the rest off. */
  flush() {
    this.#sending = this.#sending.then(() => this.#sendAll())
    return this.#sending
  }

  /** The page is going: ask the browser to send what waits, without waiting for answers. */
  sendBeforeLeaving() {
    for (const outcome of this.#waiting) this.#post(outcome, { keepalive: true }).catch(() => {}) // kept, where it may be
  }

  async #sendAll() {
    this.#takeOver()
    try {
      while (this.#waiting[0]) await this.#send(this.#waiting[0])
    } catch {
      this.#retryLater()
    }
  }

  /** @param {QueuedOutcome} outcome */
  async #send(outcome) {
    try {
      await this.#post(outcome)
      this.#forget(outcome)
    } catch (error) {
      const { kind, message } = asProblem(error)
      const isHopeless = REFUSALS.has(kind) || (kind === 'server' && this.#failures >= MOST_FAILURES)
      if (!isHopeless) throw error
      this.#lose(outcome, message)
    }
    this.#failures = 0
  }

  /**
   * @param {QueuedOutcome} outcome
   * @param {{keepalive?: boolean}} [how]
   */
  #post({ id, candidateId, kind, agent, finalText }, how) {
    const outcome = { id, kind, agent, ...(finalText !== undefined && { final_text: finalText }) }
    return this.#api.outcome(candidateId, outcome, how)
  }

  #retryLater() {
    clearTimeout(this.#timer)
    const timer = setTimeout(() => void this.flush(), Math.min(this.#firstDelay * 2 ** this.#failures, LONGEST_DELAY))
    if (typeof timer === 'object') timer.unref?.() // node need not stay for it
    this.#timer = timer
    this.#failures += 1
  }

  /**
   * @param {QueuedOutcome} outcome
   * @param {string} why
   */
  #lose(outcome, why) {
    this.#forget(outcome)
    this.#warn(`That a reply was ${outcome.kind} could not be reported and is lost: ${why}`)
  }

  /** @param {QueuedOutcome} outcome */
  #forget({ id }) {
    this.#waiting = this.#waiting.filter((other) => other.id !== id)
    this.#store(this.#stored().filter((other) => other.id !== id))
    this.#watchers.get(id)?.()
    this.#watchers.delete(id)
  }

  /** What this agent's earlier pages could not report comes first. */
  #takeOver() {
    const known = new Set(this.#waiting.map(({ id }) => id))
    const left = this.#stored().filter(({ id, agent }) => agent === this.#api.rater && !known.has(id))
    this.#waiting = [...left, ...this.#waiting]
  }

  /** @returns {QueuedOutcome[]} */
  #stored() {
    try {
      const found = JSON.parse(this.#storage?.getItem(KEY) ?? '[]')
      return Array.isArray(found) ? found.filter((outcome) => typeof outcome?.id === 'string' && typeof outcome.candidateId === 'string') : []
    } catch {
      return []
    }
  }

  /** @param {QueuedOutcome[]} outcomes */
  #store(outcomes) {
    try {
      this.#storage?.setItem(KEY, JSON.stringify(outcomes.slice(-MOST)))
    } catch {
      // A frame may be denied storage: then a reload forgets.
    }
  }
}
