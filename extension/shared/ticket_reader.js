/** Reads a ticket with what its customer wrote later: the text that replies are asked for. */

/** @import { Host, HostTicket, Message } from './host.js' */

/** A click waits no longer than this for messages; without them the ticket's own text has to do. */
const PATIENCE = 2500
/** Characters that are sent of a ticket; the newest messages first. */
export const LONGEST_TICKET = 24_000
export const LONGEST_LATER = 12_000
/** Fewer characters stand in a longer text by chance: `no` is in `another`. */
const TELLING = 30

export class TicketReader {
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

/**
 * The ticket with the customer's messages since the last answer. What is in its text already is not
 * said twice, and of what is too long the oldest is left out.
 *
 * @param {HostTicket} ticket
 * @param {readonly Message[]} messages  Oldest first.
 * @returns {HostTicket}
 */
export function withMessages(ticket, messages) {
  const last = messages.map(({ from, isSent }) => from === 'agent' && isSent).lastIndexOf(true)
  const later = messages.slice(last + 1).filter(({ from }) => from === 'customer')
  const known = plain(ticket.text)
  /** @type {string[]} */
  const kept = []
  let room = LONGEST_LATER
  for (const { text } of [...later].reverse()) {
    const words = text.trim()
    if (!words || isIn(plain(words), known)) continue
    if (room <= 0) break
    kept.unshift(cut(words, room))
    room -= words.length
  }
  const before = cut(ticket.text, LONGEST_TICKET - LONGEST_LATER + Math.max(0, room))
  return { ...ticket, text: [before, ...kept].filter(Boolean).join('\n\n') }
}

/** @param {string} words @param {string} known */
const isIn = (words, known) => words === known || (words.length >= TELLING && known.includes(words))

/** @param {string} text */
const plain = (text) => text.replace(/\s+/g, ' ').trim()

/** The start and the end: questions stand at either. @param {string} text @param {number} longest */
function cut(text, longest) {
  if (text.length <= longest) return text
  const half = Math.floor(longest / 2)
  return `${text.slice(0, half).replace(/[\uD800-\uDBFF]$/, '')}\n…\n${text.slice(-half).replace(/^[\uDC00-\uDFFF]/, '')}`
}
