/**
 * What becomes of replies: told as agents use them, and read from the ticket later without a click. Only
 * what clearly came from a reply counts; where a product does not tell, nothing is reported.
 */

import { holdsUnchanged, likeness, markOf } from './likeness.js'

/** @import { Api } from './api.js' */
/** @import { Candidate, Suggestion } from './api_types.js' */
/** @import { Host, Message } from './host.js' */
/** @import { OutcomeQueue } from './outcome_queue.js' */
/** @import { UsedReplies, UsedReply } from './used_replies.js' */

/** A reply may take a while to go out after the agent sent it. */
const LOOKS = [0, 5_000, 30_000, 120_000]
/** Clocks of browser and product may differ. */
const SLACK = 120_000

export class Outcomes {
  #api
  #host
  #queue
  #usedReplies
  #pause
  /** @type {Map<string, object>} The round of looks that is under way, by ticket. */
  #rounds = new Map()
  /** @type {Set<string>} Suggestions of which a sent reply is being reported. */
  #settling = new Set()

  /**
   * @param {object} parts
   * @param {Pick<Api, 'suggestion' | 'rater'>} parts.api
   * @param {Pick<Host, 'readMessages'>} parts.host
   * @param {OutcomeQueue} parts.queue
   * @param {UsedReplies} parts.usedReplies
   * @param {(milliseconds: number) => Promise<void>} [parts.pause]
   */
  constructor({ api, host, queue, usedReplies, pause = sleep }) {
    this.#api = api
    this.#host = host
    this.#queue = queue
    this.#usedReplies = usedReplies
    this.#pause = pause
  }

  /**
   * A reply was inserted or copied.
   *
   * @param {Candidate} candidate  With the text as it was used.
   * @param {'inserted' | 'copied'} kind
   * @param {{ticketId: string, suggestionId: string}} where
   */
  used({ id, text }, kind, { ticketId, suggestionId }) {
    void this.#queue.add(id, kind)
    this.#usedReplies.add({ ticketId, suggestionId, candidateId: id, agent: this.#api.rater, mark: markOf(text), at: Date.now() })
  }

  /** Nobody wanted a suggestion's replies. @param {Suggestion} suggestion */
  discarded({ candidates }) {
    for (const { id, state } of candidates) if (state === 'done') void this.#queue.add(id, 'discarded')
  }

  /**
   * The host page sent the reply that began as this candidate.
   *
   * @param {string} candidateId
   * @param {string} finalText
   */
  sent(candidateId, finalText) {
    const use = this.#usedReplies.find(candidateId)
    this.#reportSent({ candidateId, suggestionId: use?.suggestionId ?? '', mark: use?.mark ?? '' }, finalText)
  }

  /** Nothing more is to be found out about a suggestion's replies. @param {string} suggestionId */
  settle(suggestionId) {
    this.#usedReplies.settle(suggestionId)
  }

  /**
   * Look now and some times later what was written in a ticket, as long as something is open.
   *
   * @param {string} ticketId
   */
  async look(ticketId) {
    const round = {}
    this.#rounds.set(ticketId, round)
    await this.#usedReplies.recall(ticketId).catch(() => {}) // then only what is known here is looked for
    for (const milliseconds of LOOKS) {
      if (this.#open(ticketId).length === 0) return
      await this.#pause(milliseconds)
      if (this.#rounds.get(ticketId) !== round) return
      await this.#lookOnce(ticketId).catch(() => {}) // the next look finds it
    }
  }

  /** @param {string} ticketId */
  async #lookOnce(ticketId) {
    const uses = this.#open(ticketId)
    if (uses.length === 0) return
    const since = Math.min(...uses.map(({ at }) => at)) - SLACK
    const messages = (await this.#host.readMessages(ticketId)).filter(({ from, at }) => from === 'agent' && (at === 0 || at >= since))
    if (messages.length === 0) return
    for (const suggestionId of new Set(uses.map((use) => use.suggestionId))) {
      const found = closest(await this.#api.suggestion(suggestionId), messages)
      if (found) this.#reportFound(found, { suggestionId, use: uses.find(({ candidateId }) => candidateId === found.candidate.id) })
    }
  }

  /** What this agent used in a ticket and nothing is known of. @param {string} ticketId */
  #open(ticketId) {
    return this.#usedReplies.of(ticketId, this.#api.rater).filter(({ suggestionId }) => !this.#settling.has(suggestionId))
  }

  /**
   * @param {{candidate: Candidate, message: Message}} found
   * @param {{suggestionId: string, use: UsedReply | undefined}} where
   */
  #reportFound({ candidate, message: { text, isSent } }, { suggestionId, use }) {
    const mark = use?.mark || markOf(candidate.text)
    if (isSent) this.#reportSent({ candidateId: candidate.id, suggestionId, mark }, text)
    else if (use && !holdsUnchanged(mark, text)) {
      void this.#queue.add(candidate.id, 'edited', text)
      this.#usedReplies.add({ ...use, mark: markOf(text) })
    }
  }

  /**
   * The use stays open until the backend has it, so that a reload finds it in the ticket again.
   *
   * @param {{candidateId: string, suggestionId: string, mark: string}} reply  `mark`: empty if not known.
   * @param {string} finalText
   */
  #reportSent({ candidateId, suggestionId, mark }, finalText) {
    this.#settling.add(suggestionId)
    const reports = [this.#queue.add(candidateId, 'sent', finalText)]
    if (mark && !holdsUnchanged(mark, finalText)) reports.push(this.#queue.add(candidateId, 'edited', finalText))
    void Promise.all(reports).then(() => {
      this.#usedReplies.settle(suggestionId)
      this.#settling.delete(suggestionId)
    })
  }
}

/**
 * The reply and the message that are most alike, if any clearly are; sent messages first.
 *
 * @param {Suggestion} suggestion
 * @param {readonly Message[]} messages
 */
function closest({ candidates }, messages) {
  const pairs = candidates
    .filter(({ state }) => state === 'done')
    .flatMap((candidate) => messages.map((message) => ({ candidate, message, alike: likeness(candidate.text, message.text) })))
    .filter(({ alike }) => alike > 0)
  const rank = (/** @type {typeof pairs[number]} */ { alike, message }) => alike + (message.isSent ? 2 : 0)
  return pairs.sort((first, second) => rank(second) - rank(first))[0]
}

/** @param {number} milliseconds */
function sleep(milliseconds) {
  return new Promise((/** @type {(value: void) => void} */ done) => setTimeout(done, milliseconds))
}
