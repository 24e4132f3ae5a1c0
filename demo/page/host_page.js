/** The demo help desk as a host of the panel. */

import { NotInserted } from '/extension/shared/host.js'

/** @import { Host, HostTicket, Insertion, Reply } from '/extension/shared/host.js' */
/** @import { WidgetSettings } from '/extension/shared/settings.js' */
/** @import { Desk } from './desk.js' */

const TOAST_FOR = 5000

/** @implements {Host} */
export class HostPage {
  /** @type {Host['places']} */
  places = ['editor']
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

  /** @param {WidgetSettings} packed */
  async init(packed) {
    return packed
  }

  /**
   * @param {string} url
   * @param {RequestInit} init
   */
  call(url, init) {
    return fetch(url, init)
  }

  /** @returns {Promise<HostTicket | null>} */
  async readTicket() {
    const ticket = this.#desk.current
    if (!ticket) return null
    const { id, question, subject, language, contact } = ticket
    return { id, text: question, subject, language, contact: contact.name }
  }

  /** Its tickets have one message each, and what is sent the page tells itself. */
  async readMessages() {
    return []
  }

  onWritten() {
    return () => {}
  }

  async currentUser() {
    return { id: 'demo-agent', name: 'Demo agent' }
  }

  /**
   * Put the reply into the editor. An untouched earlier reply is replaced; what the agent wrote
   * stays, and the reply goes where the cursor is.
   *
   * @param {Reply} reply
   * @param {Insertion} insertion
   * @returns {Promise<'inserted'>}
   */
  async insert({ text }, { ticketId }) {
    if (this.#desk.current?.id !== ticketId) throw new NotInserted('changed')
    const editor = this.#editor
    const written = editor.value.trim()
    if (!written || written === this.#inserted) editor.value = text
    else editor.setRangeText(text, editor.selectionStart, editor.selectionEnd, 'end')
    this.#inserted = text.trim()
    this.#desk.keepDraft(editor.value)
    editor.focus()
    editor.setSelectionRange(0, 0)
    editor.scrollTop = 0
    return 'inserted'
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
