/**
 * What became of replies that were used: read from the ticket and reported, without a click. Only
 * what clearly came from a reply counts; where a product does not tell, nothing is reported.
 */

import { holdsUnchanged, likeness, markOf } from './similar.js'

/** @import { Api } from './api.js' */
/** @import { Candidate, Suggestion } from './contract.js' */
/** @import { Host, Message } from './host.js' */
/** @import { Use, Uses } from './uses.js' */

/** A reply may take a while to go out after the agent sent it. */
const LOOKS = [0, 5_000, 30_000, 120_000]
/** Clocks of browser and product may differ. */
const SLACK = 120_000

export class Outcomes {
  #api
  #host
  #uses
  #pause
  /** @type {Map<string, object>} The round of looks that is under way, by ticket. */
  #rounds = new Map()

  /**
   * @param {object} parts
   * @param {Api} parts.api
   * @param {Pick<Host, 'readMessages'>} parts.host
   * @param {Uses} parts.uses
   * @param {(milliseconds: number) => Promise<void>} [parts.pause]
   */
  constructor({ api, host, uses, pause = sleep }) {
    this.#api = api
    this.#host = host
    this.#uses = uses
    this.#pause = pause
  }

  /**
   * A reply was inserted or copied.
   *
   * @param {Candidate} candidate  With the text as it was used.
   * @param {{ticketId: string, suggestionId: string}} where
   */
  used({ id, text }, { ticketId, suggestionId }) {
    const agent = this.#api.rater
    this.#uses.add({ ticketId, suggestionId, candidateId: id, agent, mark: markOf(text), at: Date.now() })
  }

  /** It is known what became of it. @param {string} suggestionId */
  settle(suggestionId) {
    this.#uses.settle(suggestionId)
  }

  /**
   * Look now and some times later what was written in a ticket, as long as something is open.
   *
   * @param {string} ticketId
   */
  async look(ticketId) {
    const round = {}
    this.#rounds.set(ticketId, round)
    await this.#uses.recall(ticketId).catch(() => {}) // then only what is known here is looked for
    for (const milliseconds of LOOKS) {
      if (this.#uses.of(ticketId, this.#api.rater).length === 0) return
      await this.#pause(milliseconds)
      if (this.#rounds.get(ticketId) !== round) return
      await this.#lookOnce(ticketId).catch(() => {}) // the next look finds it
    }
  }

  /** @param {string} ticketId */
  async #lookOnce(ticketId) {
    const uses = this.#uses.of(ticketId, this.#api.rater)
    const since = Math.min(...uses.map(({ at }) => at)) - SLACK
    const messages = (await this.#host.readMessages(ticketId)).filter(({ from, at }) => from === 'agent' && (at === 0 || at >= since))
    if (messages.length === 0) return
    for (const suggestionId of new Set(uses.map((use) => use.suggestionId))) {
      const suggestion = await this.#api.suggestion(suggestionId)
      const found = closest(suggestion, messages)
      if (found) await this.#report(found, { suggestionId, uses })
    }
  }

  /**
   * @param {{candidate: Candidate, message: Message}} found
   * @param {{suggestionId: string, uses: Use[]}} where
   */
  async #report({ candidate, message: { text, isSent } }, { suggestionId, uses }) {
    const { id } = candidate
    const use = uses.find(({ candidateId }) => candidateId === id)
    if (!use && !isSent) return
    const isChanged = !holdsUnchanged(use?.mark || markOf(candidate.text), text)
    if (isSent) {
      await this.#api.outcome(id, { kind: 'sent', final_text: text })
      this.#uses.settle(suggestionId)
    }
    if (isChanged) await this.#api.outcome(id, { kind: 'edited', final_text: text })
    if (use && isChanged && !isSent) this.#uses.add({ ...use, mark: markOf(text) })
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
  return pairs.sort((one, other) => rank(other) - rank(one))[0]
}

/** @param {number} milliseconds */
function sleep(milliseconds) {
  return new Promise((/** @type {(value: void) => void} */ done) => setTimeout(done, milliseconds))
}
