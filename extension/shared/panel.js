/** The panel: joins a host page, the API and the view. `mountPanel` is all a host needs. */

import { ReplyInserter } from './insertion.js'
import { OutcomeQueue } from './outcome_queue.js'
import { Outcomes } from './outcomes.js'
import { PanelView } from './panel_view.js'
import { isRevealed } from './rating.js'
import { Session } from './session.js'
import { TicketReader } from './ticket_reader.js'
import { loadTranslations } from './translations.js'
import { browserStorage, UsedReplies } from './used_replies.js'

/** @import { Api } from './api.js' */
/** @import { Candidate } from './api_types.js' */
/** @import { Host, HostTicket } from './host.js' */
/** @import { Entries, Translations } from './translations.js' */

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
  const [translations, user] = await Promise.all([loadTranslations(language, strings), host.currentUser()])
  api.rater = user.id
  api.language = translations.language
  const panel = new Panel(root, { host, api, translations, ...ways })
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
  #translations
  #view
  #outcomes
  #queue
  #reader
  /** @type {Map<string, Session>} What was asked in each ticket since the page was loaded. */
  #sessions = new Map()
  /** @type {Session | null} */
  #session = null
  #drawn = false
  #autostart
  #opening = 0

  /**
   * @param {HTMLElement} root
   * @param {Ways & {host: Host, api: Api, translations: Translations}} parts
   */
  constructor(root, { host, api, translations, autostart = false, linkhosts = [] }) {
    this.#host = host
    this.#api = api
    this.#translations = translations
    this.#autostart = autostart
    this.#reader = new TicketReader(host)
    const storage = browserStorage()
    const usedReplies = new UsedReplies(storage, (ticketId) => usedBefore(api, ticketId))
    this.#queue = new OutcomeQueue({ api, storage })
    this.#outcomes = new Outcomes({ api, host, queue: this.#queue, usedReplies })
    const inserter = new ReplyInserter({ host, translations })
    this.#view = new PanelView(root, {
      translations,
      places: host.places,
      linkhosts,
      actions: {
        ask: () => void this.#ask(),
        stop: () => void this.#session?.stop(),
        insert: (candidate, session, how) => inserter.insert(candidate, session, how),
        copy: (candidate, session, gaps) => inserter.copy(candidate, session, gaps),
        rated: (candidate, overall) => this.#rated(candidate, overall),
      },
    })
    host.onTicketChange(() => {
      this.open().catch((error) => this.#session?.unread(error))
    })
    host.onWritten(() => {
      const { ticketId = '' } = this.#session ?? {}
      this.#reader.forget(ticketId)
      void this.#outcomes.look(ticketId)
    })
    addEventListener('online', () => void this.#queue.flush())
    addEventListener('pagehide', () => this.#queue.sendBeforeLeaving())
    const prepare = () => this.#session?.store.state.kind === 'idle' && this.#reader.prepare(this.#session.ticketId)
    for (const nearing of ['pointerenter', 'focusin']) root.addEventListener(nearing, prepare)
  }

  /** Show the session of the ticket that is open in the host now. */
  async open() {
    void this.#queue.flush()
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
  }

  /** @param {HostTicket} ticket */
  #sessionOf({ id }) {
    const known = this.#sessions.get(id)
    if (known) return known
    const session = new Session(id, { api: this.#api, outcomes: this.#outcomes })
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
        .map(({ label: of, model }) => this.#translations.say('rating.revealed.one', { label: of, model: model ?? '' }))
      this.#view.announce(this.#translations.say('rating.revealed', { names: names.join(' ') }))
    } else {
      const value = overall === null ? '–' : this.#translations.decimal(overall)
      this.#view.announce(this.#translations.say('rating.saved', { label, overall: value }))
    }
    this.#view.rateNext(suggestion)
  }
}
