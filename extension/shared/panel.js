/** The panel: joins a host page, the API and the view. `mountPanel` is all a host needs. */

import { copyText } from './clipboard.js'
import { NotInserted } from './host.js'
import { isRevealed } from './rating.js'
import { clean } from './reply_text.js'
import { Session } from './session.js'
import { View } from './view.js'
import { loadWords } from './words.js'

/** @import { Api } from './api.js' */
/** @import { Candidate } from './contract.js' */
/** @import { Host, HostTicket, Place } from './host.js' */
/** @import { Entries, Words } from './words.js' */

/**
 * @typedef {object} Ways  How the panel behaves.
 * @property {string} [language]
 * @property {boolean} [autostart]  Ask as soon as a ticket is opened.
 * @property {readonly string[]} [linkhosts]  Where links in replies may lead, besides the sources.
 */

/**
 * Put the panel into an element of the host's page.
 *
 * @param {HTMLElement} root
 * @param {Ways & {host: Host, api: Api, strings?: Record<string, Entries>}} parts
 * @returns {Promise<Panel>}
 */
export async function mountPanel(root, { host, api, language = navigator.language, strings, ...ways }) {
  const [words, user] = await Promise.all([loadWords(language, strings), host.currentUser()])
  api.rater = user.id
  const panel = new Panel(root, { host, api, words, ...ways })
  await panel.open()
  return panel
}

export class Panel {
  #host
  #api
  #words
  #view
  /** @type {Map<string, Session>} What was asked in each ticket since the page was loaded. */
  #sessions = new Map()
  /** @type {Session | null} */
  #session = null
  #drawn = false
  #autostart
  #opening = 0
  #leaveHost

  /**
   * @param {HTMLElement} root
   * @param {Ways & {host: Host, api: Api, words: Words}} parts
   */
  constructor(root, { host, api, words, autostart = false, linkhosts = [] }) {
    this.#host = host
    this.#api = api
    this.#words = words
    this.#autostart = autostart
    this.#view = new View(root, {
      words,
      places: host.places,
      linkhosts,
      actions: {
        ask: () => void this.#ask(),
        stop: () => void this.#session?.stop(),
        insert: (candidate, session, how) => this.#insert(candidate, session, how),
        copy: (candidate, session) => this.#copy(candidate, session),
        rated: (candidate, overall) => this.#rated(candidate, overall),
      },
    })
    this.#leaveHost = host.onTicketChange(() => {
      this.open().catch((error) => this.#session?.unread(error))
    })
  }

  /** Show the session of the ticket that is open in the host now. */
  async open() {
    const opening = (this.#opening += 1)
    const ticket = await this.#host.readTicket()
    if (opening !== this.#opening) return
    if (this.#session && this.#session.ticketId === ticket?.id) return
    if (this.#session) this.#session.steering = this.#view.steering.value
    this.#session?.pause()
    this.#session = ticket ? this.#sessionOf(ticket) : null
    this.#view.show(this.#session)
    const isNew = this.#session?.store.state.kind === 'idle'
    if (ticket && isNew && this.#autostart) await this.#session?.suggest(ticket)
    else await this.#session?.resume()
  }

  /**
   * The host sent a reply in the open ticket.
   *
   * @param {string} finalText
   */
  replySent(finalText) {
    this.#session?.sent(finalText)
  }

  /** Let go of the host and of the connection. */
  close() {
    this.#leaveHost()
    this.#session?.pause()
  }

  /** @param {HostTicket} ticket */
  #sessionOf({ id }) {
    const known = this.#sessions.get(id)
    if (known) return known
    const session = new Session(id, this.#api)
    session.store.addEventListener('change', () => {
      if (this.#session === session) this.#draw()
    })
    this.#sessions.set(id, session)
    return session
  }

  /** Draw once a frame at most, however fast words arrive; at once where no frames are drawn. */
  #draw() {
    if (this.#drawn) return
    this.#drawn = true
    const draw = () => {
      this.#drawn = false
      this.#view.render()
    }
    if (document.hidden) setTimeout(draw)
    else requestAnimationFrame(draw)
  }

  async #ask() {
    const session = this.#session
    const ticket = await this.#host.readTicket().catch((error) => session?.unread(error))
    if (!session || session !== this.#session || ticket?.id !== session.ticketId) return
    session.steering = this.#view.steering.value
    if (session.store.state.kind === 'ready') await session.regenerate(ticket)
    else await session.suggest(ticket)
  }

  /**
   * Put a candidate where the agent wants it, unless another ticket was opened meanwhile.
   *
   * @param {Candidate} candidate
   * @param {Session} session
   * @param {{place: Place, hosts: readonly string[], waiting: () => void}} how
   */
  async #insert({ id, label, text }, session, { place, hosts, waiting }) {
    const wait = () => {
      this.#host.notify(this.#words.say('insert.waiting', { label }), 'warning')
      waiting()
    }
    const insertion = { place, ticketId: session.ticketId, waiting: wait }
    try {
      const done = await this.#host.insert({ text: clean(text), hosts }, insertion)
      session.report(id, done)
      this.#host.notify(this.#words.say(`insert.${done === 'copied' ? 'copied' : place}`, { label }), 'done')
      return true
    } catch (error) {
      this.#notInserted(error)
      return false
    }
  }

  /** @param {unknown} error */
  #notInserted(error) {
    const kind = error instanceof NotInserted ? error.kind : 'failed'
    if (kind === 'superseded') return
    const reason = (error instanceof Error ? error.message : String(error)).replace(/\.$/, '')
    const said = kind === 'changed' ? this.#words.say('insert.changed') : this.#words.say('insert.failed', { reason })
    this.#host.notify(said, 'warning')
  }

  /**
   * @param {Candidate} candidate
   * @param {Session} session
   */
  async #copy({ id, label, text }, session) {
    try {
      await copyText(clean(text))
    } catch {
      this.#host.notify(this.#words.say('copy.failed'), 'warning')
      return false
    }
    session.report(id, 'copied')
    this.#host.notify(this.#words.say('copy.done', { label }))
    return true
  }

  /**
   * @param {Candidate} candidate
   * @param {number | null} overall
   */
  #rated({ label }, overall) {
    const suggestion = this.#session?.store.suggestion
    if (!suggestion) return
    this.#view.render()
    if (isRevealed(suggestion)) {
      const names = suggestion.candidates
        .filter(({ model }) => model)
        .map((one) => this.#words.say('rating.revealed.one', { label: one.label, model: one.model ?? '' }))
      this.#view.announce(this.#words.say('rating.revealed', { names: names.join(' ') }))
    } else {
      const value = overall === null ? '–' : this.#words.decimal(overall)
      this.#view.announce(this.#words.say('rating.saved', { label, overall: value }))
    }
    this.#view.rateNext(suggestion)
  }
}
