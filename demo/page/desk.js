/** The demo help desk itself: its tickets, which one is open, drafts and replies. Knows no DOM. */

/**
 * @typedef {object} DeskTicket
 * @property {string} id
 * @property {string} subject
 * @property {string} question
 * @property {{name: string, email: string}} contact
 * @property {string} created
 * @property {string} language
 */

/** Dispatches `open` when another ticket is opened and `change` when something in one changes. */
export class Desk extends EventTarget {
  /** @type {DeskTicket[]} */
  tickets = []
  /** @type {DeskTicket | null} */
  current = null
  /** @type {Map<string, string>} Replies begun, by ticket. */
  drafts = new Map()
  /** @type {Map<string, string[]>} Replies sent, by ticket. */
  replies = new Map()

  /** Fetch the open tickets. Throws an Error with a sentence if that fails. */
  async load() {
    const response = await fetch('/api/v1/demo/tickets')
    if (!response.ok) throw new Error(`The tickets could not be loaded (${response.status}). Reload the page.`)
    const answer = await response.json()
    this.tickets = Array.isArray(answer) ? answer : answer.tickets
    this.dispatchEvent(new Event('change'))
  }

  /** @param {string} id  An unknown one opens nothing. */
  open(id) {
    const found = this.tickets.find((ticket) => ticket.id === id) ?? null
    if (found === this.current) return
    this.current = found
    this.dispatchEvent(new Event('open'))
  }

  /** @param {string} text */
  keepDraft(text) {
    if (this.current) this.drafts.set(this.current.id, text)
  }

  /** @param {string} text */
  send(text) {
    if (!this.current) return
    const { id } = this.current
    this.replies.set(id, [...(this.replies.get(id) ?? []), text])
    this.drafts.delete(id)
    this.dispatchEvent(new Event('change'))
  }
}
