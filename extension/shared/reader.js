/** Reads a ticket with what was written in it. Begins when the pointer comes near, before the click. */

import { withMessages } from './conversation.js'

/** @import { Host, HostTicket, Message } from './host.js' */

/** A click waits no longer than this for messages; without them the ticket's own text has to do. */
const PATIENCE = 2500

export class Reader {
  #host
  #patience
  /** @type {Map<string, Promise<readonly Message[]>>} By ticket. What failed is not kept. */
  #messages = new Map()

  /**
   * @param {Pick<Host, 'readMessages'>} host
   * @param {number} [patience]  In milliseconds.
   */
  constructor(host, patience = PATIENCE) {
    this.#host = host
    this.#patience = patience
  }

  /**
   * Read what was written in a ticket, unless that is known.
   *
   * @param {string} ticketId
   */
  prepare(ticketId) {
    const known = this.#messages.get(ticketId)
    if (known) return known
    /** @type {Promise<readonly Message[]>} */
    const messages = this.#host.readMessages(ticketId).catch(() => {
      if (this.#messages.get(ticketId) === messages) this.forget(ticketId) // the next click tries again
      return []
    })
    this.#messages.set(ticketId, messages)
    return messages
  }

  /** Something more was written. @param {string} ticketId */
  forget(ticketId) {
    this.#messages.delete(ticketId)
  }

  /**
   * The ticket with the customer's later messages, if the product gives them in time.
   *
   * @param {HostTicket} ticket
   * @returns {Promise<HostTicket>}
   */
  async whole(ticket) {
    const none = new Promise((/** @type {(none: readonly Message[]) => void} */ done) => setTimeout(() => done([]), this.#patience))
    return withMessages(ticket, await Promise.race([this.prepare(ticket.id), none]))
  }
}
