/**
 * Putting a reply into Desk's reply editor. It takes text only while it is open and cannot be opened
 * from here, so a choice made before that is remembered.
 */

import { answered, NotInserted } from '../shared/host.js'
import { asObject, asText } from '../shared/sdk_calls.js'

/** Pauses before each try once the editor was opened: the event may come before it takes text. */
const TRIES = [0, 250, 1000]

/**
 * @typedef {object} Choice
 * @property {string} html
 * @property {string} ticketId
 * @property {() => void} done
 * @property {(why: NotInserted) => void} fail
 * @property {() => void} unsure
 * @property {boolean} isTried
 */

export class ReplyEditor {
  #put
  #ticketId
  #patience
  /** @type {Choice | null} */
  #choice = null
  #presses = 0

  /**
   * @param {object} ways
   * @param {(html: string) => Promise<unknown>} ways.put  Insert at the cursor of an open editor.
   * @param {() => Promise<string>} ways.ticketId  The ticket that is open now.
   * @param {number} ways.patience  Milliseconds after which an answer is long in coming.
   */
  constructor({ put, ticketId, patience }) {
    this.#put = put
    this.#ticketId = ticketId
    this.#patience = patience
  }

  /**
   * Insert now, or as soon as the editor is opened in this ticket. While Desk has not answered,
   * nothing is tried again: the reply may be in the editor already.
   *
   * @param {string} html
   * @param {{ticketId: string, waiting: () => void, unsure: () => void}} when
   * @returns {Promise<void>}
   */
  async insert(html, { ticketId, waiting, unsure }) {
    const press = (this.#presses += 1)
    this.forget(new NotInserted('superseded'))
    if (await this.#insertNow({ html, ticketId, unsure })) return
    if (press !== this.#presses) throw new NotInserted('superseded')
    const inserted = new Promise((/** @type {(value: void) => void} */ done, fail) => {
      this.#choice = { html, ticketId, done, fail, unsure, isTried: false }
    })
    waiting()
    await inserted
  }

  /**
   * The editor was opened.
   *
   * @param {unknown} event
   */
  async opened(event) {
    const choice = this.#choice
    if (!choice || choice.isTried) return
    const { ticketId, data } = asObject(event)
    const opened = asText(ticketId) || asText(asObject(data)['ticketId'])
    choice.isTried = true
    try {
      if (opened && opened !== choice.ticketId) throw new NotInserted('changed')
      if (await this.#tryOut(choice)) this.#end(choice, choice.done)
    } catch (error) {
      const why = error instanceof NotInserted ? error : new NotInserted('failed', String(error))
      this.#end(choice, () => choice.fail(why))
    }
    choice.isTried = false
  }

  /** @param {Choice} choice */
  async #tryOut(choice) {
    for (const milliseconds of TRIES) {
      await pause(milliseconds)
      if (this.#choice !== choice) return false
      if (await this.#insertNow(choice)) return true
    }
    return false
  }

  /**
   * @param {Choice} choice
   * @param {() => void} tell
   */
  #end(choice, tell) {
    if (this.#choice === choice) this.#choice = null
    tell()
  }

  /**
   * The agent may have moved on: a choice for a ticket that was left is not kept.
   *
   * @param {string} ticketId
   */
  moved(ticketId) {
    if (this.#choice && this.#choice.ticketId !== ticketId) this.forget(new NotInserted('changed'))
  }

  /** @param {NotInserted} why */
  forget(why) {
    this.#choice?.fail(why)
    this.#choice = null
  }

  /**
   * True if the editor took it. The ticket is looked at last of all, so that no reply lands in
   * another customer's ticket.
   *
   * @param {{html: string, ticketId: string, unsure: () => void}} wish
   */
  async #insertNow({ html, ticketId, unsure }) {
    if ((await this.#ticketId()) !== ticketId) throw new NotInserted('changed')
    try {
      const { status, result } = asObject(await answered(this.#put(html), { patience: this.#patience, unsure }))
      return !(result === false || status === false || /^(fail|error|false)/i.test(asText(status)))
    } catch {
      return false
    }
  }
}

/** @param {number} milliseconds */
function pause(milliseconds) {
  return new Promise((/** @type {(value: void) => void} */ done) => setTimeout(done, milliseconds))
}
