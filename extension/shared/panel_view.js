/** Draws what the store holds: one message or the candidates, under the line to ask with. */

import { CandidateView } from './candidate_view.js'
import { make, setText } from './dom.js'
import { gapsOf, piecesOf } from './gaps.js'
import { kindOf } from './problem.js'
import { isRevealed, unrated } from './rating.js'
import { SourcesView } from './sources_view.js'
import { isBusy } from './state.js'
import { messageFor, plain, progressOf } from './state_messages.js'
import { sourcesOf } from './suggestion.js'

/** @import { Suggestion } from './api_types.js' */
/** @import { CandidateActions } from './candidate_view.js' */
/** @import { Place } from './host.js' */
/** @import { Session } from './session.js' */
/** @import { PanelState } from './state.js' */
/** @import { StateMessage } from './state_messages.js' */
/** @import { Translations } from './translations.js' */

/** @typedef {CandidateActions & {ask: () => void, stop: () => void}} PanelActions */
/**
 * @typedef {object} PanelParts
 * @property {Translations} translations
 * @property {PanelActions} actions
 * @property {readonly Place[]} places
 * @property {readonly string[]} linkhosts
 */

export class PanelView {
  progress = make('p', { class: 'sa-progress', hidden: true })
  body = make('div', { class: 'sa-body' })
  live = make('p', { class: 'sa-hidden', role: 'status' })
  main = make('button', { type: 'submit', class: 'sa-button sa-primary' })
  #parts
  #translations
  #actions
  /** @type {Session | null} */
  #session = null
  /** @type {Map<string, CandidateView>} */
  #cards = new Map()
  /** @type {Map<string, string>} The state of each candidate that was announced last. */
  #announced = new Map()

  /**
   * @param {HTMLElement} root
   * @param {PanelParts} parts
   */
  constructor(root, parts) {
    const { translations, actions } = parts
    this.#parts = parts
    this.#translations = translations
    this.#actions = actions
    this.steering = make('input', {
      type: 'text',
      maxlength: 500,
      dir: 'auto',
      autocomplete: 'off',
      placeholder: translations.say('steer.placeholder'),
    })
    this.stop = make(
      'button',
      { type: 'button', class: 'sa-button sa-stop', hidden: true, click: () => actions.stop() },
      translations.say('ask.stop'),
    )
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault()
      actions.ask()
    }
    const steering = make('label', { class: 'sa-field' }, translations.say('steer.label'), this.steering)
    const buttons = make('div', { class: 'sa-actions' }, this.main, this.stop)
    this.form = make('form', { class: 'sa-ask', submit }, steering, buttons)
    this.sources = new SourcesView(translations, 'sources.found')
    this.found = make('div', { class: 'sa-found', hidden: true }, make('p', {}, translations.say('sources.found')), this.sources.element)
    root.replaceChildren(this.#frame())
    root.lang = translations.language
    root.dir = translations.direction
  }

  #frame() {
    return make(
      'section',
      { class: 'sa-panel', 'aria-labelledby': 'sa-title' },
      make('h2', { id: 'sa-title' }, this.#translations.say('panel.title')),
      this.form,
      this.progress,
      this.found,
      this.body,
      this.live,
    )
  }

  /**
   * Show a session from scratch, or that no ticket is open.
   *
   * @param {Session | null} session
   */
  show(session) {
    this.#session = session
    this.#cards.clear()
    this.#announced.clear()
    this.steering.value = session?.steering ?? ''
    this.form.hidden = !session
    this.render()
  }

  /** Draw the session's state as it is now. */
  render() {
    const state = this.#session?.store.state
    if (!state) {
      this.progress.hidden = true
      this.found.hidden = true
      this.#message(plain('noticket', this.#translations))
      return
    }
    this.#buttons(state)
    this.#sources(state)
    if (state.kind === 'ready') {
      this.#candidates(state.suggestion)
    } else {
      this.#cards.clear()
      this.#message(messageFor(state, this.#translations))
    }
    const progress = progressOf(state, this.#translations)
    this.progress.hidden = !progress
    this.progress.classList.toggle('sa-lost', 'lost' in state && state.lost)
    setText(this.progress, progress)
  }

  /**
   * Say something to screen readers, once.
   *
   * @param {string} text
   */
  announce(text) {
    this.live.textContent = text
  }

  /**
   * Go on to rate the next candidate that waits for it; with none left, back to the panel's title.
   *
   * @param {Suggestion} suggestion
   */
  rateNext(suggestion) {
    const next = unrated(suggestion)[0]
    if (next) void this.#cards.get(next.id)?.openRating()
    else this.#cards.get(suggestion.candidates.find(({ rated }) => rated)?.id ?? '')?.focus()
  }

  #buttons(/** @type {PanelState} */ state) {
    const busy = isBusy(state)
    const stopHadFocus = document.activeElement === this.stop
    const name = busy ? 'busy' : state.kind === 'ready' ? 'regenerate' : 'suggest'
    setText(this.main, this.#translations.say(`ask.${name}`))
    this.main.setAttribute('aria-disabled', String(busy))
    this.main.classList.toggle('sa-primary', state.kind !== 'ready' || state.writing)
    this.stop.hidden = !busy
    if (stopHadFocus && !busy) this.main.focus()
  }

  /** Who read what would tell who wrote what: until all is rated, sources stand above the replies. */
  #sources(/** @type {PanelState} */ state) {
    const sources = state.kind === 'ready' && !isRevealed(state.suggestion) ? sourcesOf(state.suggestion) : []
    this.found.hidden = sources.length === 0
    this.sources.show(sources)
  }

  #candidates(/** @type {Suggestion} */ suggestion) {
    const session = this.#session
    if (!session) return
    const known = suggestion.candidates.every(({ id }) => this.#cards.has(id))
    if (!known || this.#cards.size !== suggestion.candidates.length) {
      this.#cards.clear()
      for (const candidate of suggestion.candidates) {
        this.#cards.set(candidate.id, new CandidateView(candidate, { ...this.#parts, session }))
      }
      this.body.replaceChildren(...[...this.#cards.values()].map(({ element }) => element))
      this.announce(this.#translations.say('announce.begun'))
    }
    const revealed = isRevealed(suggestion)
    for (const candidate of suggestion.candidates) {
      this.#cards.get(candidate.id)?.update(candidate, revealed)
      if (this.#announced.get(candidate.id) === candidate.state) continue
      this.#announced.set(candidate.id, candidate.state)
      const { label } = candidate
      const n = gapsOf(piecesOf(candidate.text, candidate.placeholders ?? [])).length
      if (candidate.state === 'done') this.announce(this.#translations.say(n ? 'announce.gaps' : 'announce.ready', { label, n }))
      if (candidate.state === 'failed') {
        const title = this.#translations.say(`problem.${kindOf(candidate.problem?.type ?? '')}.title`)
        this.announce(this.#translations.say('announce.failed', { label, title }))
      }
    }
  }

  #message(/** @type {StateMessage} */ { title, text, detail, again }) {
    const kind = this.#session?.store.state.kind ?? 'noticket'
    const version = JSON.stringify([kind, title, text, detail])
    if (this.body.firstElementChild?.getAttribute('data-version') === version) return
    const message = make('div', { class: 'sa-message', 'data-kind': kind, 'data-version': version })
    message.append(make('strong', {}, title), make('p', {}, text))
    if (detail) message.append(make('p', { class: 'sa-detail', dir: 'auto' }, detail))
    if (again) {
      const retry = { type: 'button', class: 'sa-button', click: () => this.#actions.ask() }
      message.append(make('button', retry, this.#translations.say('ask.again')))
    }
    this.body.replaceChildren(message)
    if (kind !== 'idle' && kind !== 'noticket') this.announce(`${title}. ${text}`)
  }
}
