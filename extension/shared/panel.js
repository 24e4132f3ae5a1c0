/** The panel: joins a host page, the API and the view. `mountPanel` is all a host needs. */

import { Outcomes } from './outcomes.js'
import { isRevealed } from './rating.js'
import { Reader } from './reader.js'
import { Session } from './session.js'
import { browserStorage, Uses } from './uses.js'
import { Using } from './using.js'
import { View } from './view.js'
import { loadWords } from './words.js'

/** @import { Api } from './api.js' */
/** @import { Candidate } from './contract.js' */
/** @import { Host, HostTicket } from './host.js' */
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
  api.language = words.language
  const panel = new Panel(root, { host, api, words, ...ways })
  await panel.open()
  return panel
}

/**
 * What was used before this page was loaded, as the server knows it.
 *
 * @param {Api} api
 * @param {string} ticketId
 */
async function usedBefore(api, ticketId) {
  const used = await api.used(ticketId)
  return used.map(({ suggestion_id, candidate_id, moment }) => ({
    ...{ ticketId, suggestionId: suggestion_id, candidateId: candidate_id },
    ...{ agent: api.rater, mark: '', at: Date.parse(moment) },
  }))
}

export class Panel {
  #host
  #api
  #words
  #view
  #outcomes
  #reader
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
    this.#reader = new Reader(host)
    this.#outcomes = new Outcomes({ api, host, uses: new Uses(browserStorage(), (ticketId) => usedBefore(api, ticketId)) })
    const using = new Using({ host, words, outcomes: this.#outcomes })
    this.#view = new View(root, {
      words,
      places: host.places,
      linkhosts,
      actions: {
        ask: () => void this.#ask(),
        stop: () => void this.#session?.stop(),
        insert: (candidate, session, how) => using.insert(candidate, session, how),
        copy: (candidate, session, gaps) => using.copy(candidate, session, gaps),
        rated: (candidate, overall) => this.#rated(candidate, overall),
      },
    })
    const stopWatching = host.onTicketChange(() => {
      this.open().catch((error) => this.#session?.unread(error))
    })
    const stopReading = host.onWritten(() => {
      const { ticketId = '' } = this.#session ?? {}
      this.#reader.forget(ticketId)
      void this.#outcomes.look(ticketId)
    })
    this.#leaveHost = () => {
      stopWatching()
      stopReading()
    }
    const prepare = () => this.#session?.store.state.kind === 'idle' && this.#reader.prepare(this.#session.ticketId)
    for (const nearing of ['pointerenter', 'focusin']) root.addEventListener(nearing, prepare)
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
    if (ticket) void this.#outcomes.look(ticket.id)
    const isNew = this.#session?.store.state.kind === 'idle'
    if (ticket && isNew && this.#autostart) await this.#session?.suggest(this.#reader.whole(ticket))
    else await this.#session?.resume()
  }

  /**
   * The host sent a reply in the open ticket.
   *
   * @param {string} finalText
   */
  replySent(finalText) {
    this.#session?.sent(finalText)
    this.#outcomes.settle(this.#session?.store.suggestion?.id ?? '')
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
    const whole = this.#reader.whole(ticket)
    if (session.store.state.kind === 'ready') await session.regenerate(whole)
    else await session.suggest(whole)
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
