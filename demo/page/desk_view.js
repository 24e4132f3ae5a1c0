/** Draws the list of tickets and the open ticket's thread. */

import { make, setText } from '/extension/shared/dom.js'

/** @import { Desk, DeskTicket } from './desk.js' */

const WHEN = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' })
const LANGUAGES = new Intl.DisplayNames('en', { type: 'language' })

export class DeskView {
  #desk
  #parts

  /**
   * @param {Desk} desk
   * @param {{list: HTMLElement, count: HTMLElement, thread: HTMLElement, reply: HTMLFormElement,
   *   editor: HTMLTextAreaElement}} parts
   */
  constructor(desk, parts) {
    this.#desk = desk
    this.#parts = parts
    desk.addEventListener('change', () => {
      this.#list()
      this.#thread()
    })
    desk.addEventListener('open', () => {
      this.#list()
      this.#thread()
    })
    parts.editor.addEventListener('input', () => desk.keepDraft(parts.editor.value))
  }

  /** @param {unknown} error */
  failed(error) {
    const sentence = error instanceof Error ? error.message : String(error)
    this.#parts.thread.replaceChildren(make('p', { class: 'nothing' }, sentence))
  }

  #list() {
    const { tickets, replies } = this.#desk
    const open = tickets.filter(({ id }) => !replies.has(id)).length
    setText(this.#parts.count, String(open))
    const focused = document.activeElement?.getAttribute('href')
    this.#parts.list.replaceChildren(...tickets.map((ticket) => make('li', {}, this.#entry(ticket))))
    const again = [...this.#parts.list.querySelectorAll('a')].find((link) => link.getAttribute('href') === focused)
    again?.focus({ preventScroll: true })
  }

  /** @param {DeskTicket} ticket */
  #entry({ id, subject, contact, created }) {
    const isSent = this.#desk.replies.has(id)
    return make(
      'a',
      { href: `#ticket=${id}`, class: 'entry', 'aria-current': this.#desk.current?.id === id && 'true' },
      make('span', { class: 'entry-top' }, make('span', {}, contact.name), make('time', { datetime: created }, when(created))),
      make('span', { class: 'entry-subject', dir: 'auto' }, subject),
      ...(isSent ? [make('span', { class: 'sent' }, 'Sent')] : []),
    )
  }

  #thread() {
    const { thread, reply, editor } = this.#parts
    const ticket = this.#desk.current
    reply.hidden = !ticket
    if (!ticket) {
      thread.replaceChildren(make('p', { class: 'nothing' }, 'Pick a ticket from the list.'))
      return
    }
    editor.value = this.#desk.drafts.get(ticket.id) ?? ''
    const meta = `${ticket.id} · ${when(ticket.created)} · ${LANGUAGES.of(ticket.language) ?? ticket.language}`
    const replies = this.#desk.replies.get(ticket.id) ?? []
    thread.replaceChildren(
      make('h1', { id: 'subject', dir: 'auto' }, ticket.subject),
      make('p', { class: 'meta' }, meta),
      message(ticket.contact.name, ticket.contact.email, ticket.question),
      ...replies.map((text) => message('You', 'Larkpost Support', text)),
    )
  }
}

/**
 * @param {string} author
 * @param {string} address
 * @param {string} text
 */
function message(author, address, text) {
  const initials = author.split(/\s+/).map((word) => Array.from(word)[0] ?? '').slice(0, 2).join('')
  return make(
    'article',
    { class: author === 'You' ? 'message ours' : 'message' },
    make('span', { class: 'avatar', 'aria-hidden': 'true' }, initials),
    make('header', {}, make('strong', { dir: 'auto' }, author), make('span', {}, address)),
    make('div', { class: 'words', dir: 'auto' }, text),
  )
}

/** @param {string} date */
function when(date) {
  const day = new Date(date)
  return Number.isNaN(day.getTime()) ? date : WHEN.format(day)
}
