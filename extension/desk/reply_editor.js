/**
 * Putting a reply into Desk's reply editor. It takes text only while it is open and cannot be opened
 * from here, so a choice made before that is remembered.
 */

import { asObject, asText } from '../shared/answers.js'
import { NotInserted } from '../shared/host.js'

const PATIENCE = 3000

/** @typedef {{html: string, ticketId: string, done: () => void, fail: (why: NotInserted) => void}} Choice */

export class ReplyEditor {
  #put
  #ticketId
  /** @type {Choice | null} */
  #choice = null

  /**
   * @param {object} ways
   * @param {(html: string) => Promise<unknown>} ways.put  Insert at the cursor of an open editor.
   * @param {() => Promise<string>} ways.ticketId  The ticket that is open now.
   */
  constructor({ put, ticketId }) {
    this.#put = put
    this.#ticketId = ticketId
  }

  /**
   * Insert now, or as soon as the editor is opened in this ticket.
   *
   * @param {string} html
   * @param {{ticketId: string, waiting: () => void}} when
   * @returns {Promise<void>}
   */
  async insert(html, { ticketId, waiting }) {
    this.forget(new NotInserted('superseded'))
    if (await this.#insertNow(html, ticketId)) return
    const inserted = new Promise((/** @type {(value: void) => void} */ done, fail) => {
      this.#choice = { html, ticketId, done, fail }
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
    if (!choice) return
    const { ticketId, data } = asObject(event)
    const opened = asText(ticketId) || asText(asObject(data)['ticketId'])
    this.#choice = null
    try {
      if (opened && opened !== choice.ticketId) throw new NotInserted('changed')
      if (await this.#insertNow(choice.html, choice.ticketId)) choice.done()
      else if (this.#choice) choice.fail(new NotInserted('superseded'))
      else this.#choice = choice
    } catch (error) {
      choice.fail(error instanceof NotInserted ? error : new NotInserted('failed', String(error)))
    }
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
   * @param {string} html
   * @param {string} ticketId
   */
  async #insertNow(html, ticketId) {
    if ((await this.#ticketId()) !== ticketId) throw new NotInserted('changed')
    try {
      const { status, result } = asObject(await within(PATIENCE, this.#put(html)))
      return !(result === false || status === false || /^(fail|error|false)/i.test(asText(status)))
    } catch {
      return false
    }
  }
}

/**
 * @template Value
 * @param {number} milliseconds
 * @param {Promise<Value>} promise
 * @returns {Promise<Value>}
 */
function within(milliseconds, promise) {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error('No answer came.')), milliseconds)
    promise.then(done, fail).finally(() => clearTimeout(timer))
  })
}
