/** A ticket with what the customer wrote later: the text that replies are asked for. */

/** @import { HostTicket, Message } from './host.js' */

/** Characters that are sent of a ticket; the newest messages first. */
export const LONGEST_TICKET = 24_000
export const LONGEST_LATER = 12_000
/** Fewer characters stand in a longer text by chance: `no` is in `another`. */
const TELLING = 30

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
