/** The demo help desk as a host of the panel. */

/** @import { Host, HostTicket } from '/extension/shared/host.js' */
/** @import { Desk } from './desk.js' */

const TOAST_FOR = 5000

/** @implements {Host} */
export class HostPage {
  #desk
  #editor
  #toast
  #inserted = ''
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #hiding

  /**
   * @param {Desk} desk
   * @param {{editor: HTMLTextAreaElement, toast: HTMLElement}} parts
   */
  constructor(desk, { editor, toast }) {
    this.#desk = desk
    this.#editor = editor
    this.#toast = toast
  }

  /** @returns {Promise<HostTicket | null>} */
  async readTicket() {
    const ticket = this.#desk.current
    if (!ticket) return null
    const { id, question, subject, language, contact } = ticket
    return { id, text: question, subject, language, contact: contact.name }
  }

  async currentUser() {
    return { id: 'demo-agent', name: 'Demo agent' }
  }

  /**
   * Put the reply into the editor. An untouched earlier reply is replaced; what the agent wrote
   * stays, and the reply goes where the cursor is.
   *
   * @param {string} text
   */
  async insert(text) {
    const editor = this.#editor
    const written = editor.value.trim()
    if (!written || written === this.#inserted) editor.value = text
    else editor.setRangeText(text, editor.selectionStart, editor.selectionEnd, 'end')
    this.#inserted = text.trim()
    this.#desk.keepDraft(editor.value)
    editor.focus()
    editor.setSelectionRange(0, 0)
    editor.scrollTop = 0
  }

  /** @param {string} message */
  notify(message) {
    clearTimeout(this.#hiding)
    this.#toast.textContent = message
    this.#hiding = setTimeout(() => (this.#toast.textContent = ''), TOAST_FOR)
  }

  /** @param {() => void} changed */
  onTicketChange(changed) {
    this.#desk.addEventListener('open', changed)
    return () => this.#desk.removeEventListener('open', changed)
  }
}
