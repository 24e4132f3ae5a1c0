/** What an agent does with one ticket: ask, stop, use and rate. Knows no DOM. */

import { asProblem, Problem } from './problem.js'
import { EMPTY, payload } from './rating.js'
import { isBusy, stateOf, Store } from './state.js'
import { follow } from './streaming.js'

/** @import { Api } from './api.js' */
/** @import { Candidate, Rubric, Suggestion } from './api_types.js' */
/** @import { HostTicket } from './host.js' */
/** @import { Outcomes } from './outcomes.js' */
/** @import { Draft } from './rating.js' */

const PLACE_EVERY = 3000

export class Session {
  #api
  #outcomes
  /** @type {AbortController | null} */
  #following = null
  #attempt = { stopped: false }
  #away = false
  /** The candidate put into the reply editor last. */
  #inserted = ''
  /** @type {Promise<Rubric> | null} */
  #rubric = null

  store = new Store()
  steering = ''
  /** @type {Map<string, Draft>} Unsaved ratings by candidate. */
  drafts = new Map()
  /** @type {Map<string, Map<string, string>>} What was filled into gaps, by candidate and gap. */
  fillings = new Map()
  /** @type {Map<string, number | null>} Weighted means of the saved ratings by candidate. */
  overalls = new Map()

  /**
   * @param {string} ticketId
   * @param {{api: Api, outcomes: Pick<Outcomes, 'used' | 'discarded' | 'sent' | 'settle'>}} parts
   */
  constructor(ticketId, { api, outcomes }) {
    this.ticketId = ticketId
    this.#api = api
    this.#outcomes = outcomes
  }

  /**
   * Ask for replies to the ticket and show them as they grow, or say why not.
   *
   * @param {HostTicket | Promise<HostTicket>} ticket
   */
  suggest(ticket) {
    return this.#ask(ticket, {})
  }

  /**
   * Ask for other replies than those on show, which count as discarded unless one was used.
   *
   * @param {HostTicket | Promise<HostTicket>} ticket
   */
  async regenerate(ticket) {
    this.#discardUnused()
    await this.#ask(ticket, { fresh: true })
  }

  /** Stop what is being written. What is there already stays. */
  async stop() {
    const { suggestion } = this.store
    this.#attempt.stopped = true
    this.#following?.abort()
    if (!suggestion) {
      this.store.become({ kind: 'cancelled' })
      return
    }
    try {
      this.#show(await this.#api.cancel(suggestion.id))
    } catch (error) {
      this.#fail(error)
    }
  }

  /**
   * The host did not give the ticket, so nothing could be asked.
   *
   * @param {unknown} error
   */
  unread(error) {
    const reason = Object(error)
    this.#fail(new Problem('host', String(reason.message ?? reason.errMsg ?? '')))
  }

  /** The agent looks at another ticket: give the connection to that one. */
  pause() {
    this.#away = true
    this.#following?.abort()
    this.#following = null
  }

  /** The agent is back: show what was written meanwhile and go on following. */
  async resume() {
    this.#away = false
    const { suggestion } = this.store
    if (!suggestion || this.#following) return
    try {
      const now = await this.#api.suggestion(suggestion.id)
      if (this.#away || this.#following || this.store.suggestion?.id !== now.id) return
      this.#show(now)
      await this.#follow(now)
    } catch (error) {
      this.#fail(error)
    }
  }

  /**
   * A reply was inserted or copied.
   *
   * @param {Candidate} candidate  With its text as it was used.
   * @param {'inserted' | 'copied'} kind
   * @param {string} suggestionId  Of the candidate; other replies may be on show by now.
   */
  used(candidate, kind, suggestionId) {
    if (kind === 'inserted') this.#inserted = candidate.id
    this.#outcomes.used(candidate, kind, { ticketId: this.ticketId, suggestionId })
  }

  /**
   * A reply went out in this ticket: what was inserted, as it was sent, else none of ours.
   *
   * @param {string} finalText
   */
  sent(finalText) {
    if (this.#inserted) this.#outcomes.sent(this.#inserted, finalText)
    else {
      this.#discardUnused()
      this.#outcomes.settle(this.store.suggestion?.id ?? '')
    }
    this.#inserted = ''
  }

  /** @param {string} candidateId */
  draft(candidateId) {
    return this.drafts.get(candidateId) ?? EMPTY
  }

  /** The criteria, from the server; read once, and again after a failure. */
  rubric() {
    this.#rubric ??= this.#api.rubric(this.store.suggestion?.rubric ?? 'quality').catch((error) => {
      this.#rubric = null
      throw error
    })
    return this.#rubric
  }

  /**
   * Save a rating. Throws a Problem, with the draft kept.
   *
   * @param {string} candidateId
   * @returns {Promise<number | null>} The weighted mean.
   */
  async rate(candidateId) {
    const rating = payload(this.draft(candidateId), await this.rubric())
    const saved = await this.#api.rate(candidateId, rating)
    this.overalls.set(candidateId, saved.overall)
    if (this.store.suggestion?.id === saved.suggestion.id) this.#show(saved.suggestion)
    return saved.overall
  }

  /**
   * @param {HostTicket | Promise<HostTicket>} read  A ticket, or one that is still being read.
   * @param {{fresh?: boolean}} how
   */
  async #ask(read, how) {
    if (isBusy(this.store.state)) return
    this.pause()
    const attempt = { stopped: false }
    this.#attempt = attempt
    this.#away = false
    this.store.become({ kind: 'asking' })
    try {
      const { id, ...text } = await read
      if (attempt.stopped) return
      if (!/[\p{L}\p{N}]/u.test(`${text.subject ?? ''}${text.text}`)) {
        this.store.become({ kind: 'empty' })
        return
      }
      const wish = { ticket: { ...text, external_id: id }, steering: this.steering.trim(), ...how }
      const suggestion = await this.#api.suggest(wish)
      if (attempt.stopped) {
        if (this.#attempt === attempt) await this.#api.cancel(suggestion.id)
        return
      }
      this.#show(suggestion)
      if (!this.#away) await this.#follow(suggestion)
    } catch (error) {
      if (!attempt.stopped) this.#fail(error)
    }
  }

  /** @param {Suggestion} suggestion */
  async #follow(suggestion) {
    const following = new AbortController()
    this.#following = following
    let lost = false
    const place = setInterval(() => void this.#refreshPlace(), PLACE_EVERY)
    await follow(this.#api, suggestion, {
      signal: following.signal,
      onChange: (next) => this.#show(next, lost),
      onConnection: (isLost) => {
        lost = isLost
        if (this.store.suggestion) this.#show(this.store.suggestion, lost)
      },
    }).finally(() => clearInterval(place))
    if (this.#following === following) this.#following = null
  }

  /** Events tell of words only, so the place in the queue is asked for while there are none. */
  async #refreshPlace() {
    const { state } = this.store
    if (state.kind !== 'waiting') return
    const now = await this.#api.suggestion(state.suggestion.id).catch(() => null)
    if (now && this.store.state === state) this.store.become({ ...state, suggestion: { ...state.suggestion, queue: now.queue } })
  }

  /**
   * @param {Suggestion} suggestion
   * @param {boolean} [lost]
   */
  #show(suggestion, lost = false) {
    const candidates = suggestion.candidates.map((candidate) => ({
      ...candidate,
      rated: candidate.rated || this.overalls.has(candidate.id),
    }))
    this.store.become(stateOf({ ...suggestion, candidates }, lost))
  }

  /** @param {unknown} error */
  #fail(error) {
    this.pause()
    const problem = asProblem(error)
    if (problem.kind === 'empty-ticket') this.store.become({ kind: 'empty' })
    else if (problem.kind === 'unreachable') this.store.become({ kind: 'offline' })
    else this.store.become({ kind: 'failed', problem })
  }

  #discardUnused() {
    const { suggestion } = this.store
    if (suggestion && !this.#inserted) this.#outcomes.discarded(suggestion)
  }
}
