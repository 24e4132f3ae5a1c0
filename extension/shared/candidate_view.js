/** One candidate as a card: text that grows, sources, what can be done with it, its rating. */

import { make, setText, webAddress } from './dom.js'
import { GapsView } from './gaps_view.js'
import { unknownLinks } from './links.js'
import { kindOf } from './problem.js'
import { clean } from './reply_text.js'
import { SourcesView } from './sources_view.js'

/** @import { Candidate, CandidateProblem } from './api_types.js' */
/** @import { Place } from './host.js' */
/** @import { RatingView } from './rating_view.js' */
/** @import { Session } from './session.js' */
/** @import { Translations } from './translations.js' */

/**
 * @typedef {object} CandidateActions  Each is told the session, for the panel may have moved on.
 * @property {(candidate: Candidate, session: Session, how: {place: Place, hosts: string[],
 *   waiting: () => void, unsure: () => void}) => Promise<boolean>} insert  True once done.
 * @property {(candidate: Candidate, session: Session, gaps: string) => Promise<boolean>} copy
 *   `gaps`: those that are open, in words.
 * @property {(candidate: Candidate, overall: number | null) => void} rated
 */

const TOLD_FOR = 1600

export class CandidateView {
  state = make('span', { class: 'sa-state' })
  author = make('p', { class: 'sa-author', hidden: true })
  note = make('p', { class: 'sa-note', hidden: true })
  warning = make('p', { class: 'sa-note', dir: 'auto', hidden: true })
  problem = make('div', { class: 'sa-problem', hidden: true })
  form = make('div', { class: 'sa-rating', hidden: true })
  #translations
  #session
  #actions
  #candidate
  #linkhosts
  /** @type {RatingView | null} */
  #rating = null

  /**
   * @param {Candidate} candidate
   * @param {{translations: Translations, session: Session, actions: CandidateActions, places: readonly Place[],
   *   linkhosts: readonly string[]}} parts
   */
  constructor(candidate, { translations, session, actions, places, linkhosts }) {
    this.#translations = translations
    this.#linkhosts = linkhosts
    this.#session = session
    this.#actions = actions
    this.#candidate = candidate
    const fillings = session.fillings.get(candidate.id) ?? new Map()
    session.fillings.set(candidate.id, fillings)
    this.gaps = new GapsView({ id: candidate.id, translations, fillings, changed: () => this.#block() })
    this.sources = new SourcesView(translations, 'sources.title')
    this.inserts = places.map((place, index) => this.#inserter(place, index === 0 ? 'sa-primary' : ''))
    this.copy = this.#button('copy', '', () => this.#copy())
    this.rate = this.#button('rate', 'sa-quiet', () => this.toggleRating())
    this.rate.setAttribute('aria-expanded', 'false')
    this.actions = make('div', { class: 'sa-actions', hidden: true }, ...this.inserts, this.copy, this.rate)
    this.element = this.#frame(candidate)
  }

  #frame(/** @type {Candidate} */ { id, label }) {
    const name = make('h3', { id: `sa-name-${id}` }, this.#translations.say('candidate.name', { label }))
    const badge = make('span', { class: 'sa-label', 'aria-hidden': 'true' }, label)
    return make(
      'article',
      { class: 'sa-candidate', 'aria-labelledby': name.id, 'data-candidate': label },
      make('header', {}, badge, name, this.state),
      this.author,
      this.gaps.text,
      this.note,
      this.warning,
      this.problem,
      this.sources.element,
      this.gaps.form,
      this.actions,
      this.form,
    )
  }

  /**
   * @param {string} key
   * @param {string} look
   * @param {() => void} act
   */
  #button(key, look, act) {
    const button = make('button', { type: 'button', class: `sa-button ${look}`, click: act })
    this.#name(button, key)
    return button
  }

  /**
   * A button that inserts once a press: not again while the product has not answered, unless it
   * waits for the agent, or the agent was told to look and presses it again.
   *
   * @param {Place} place
   * @param {string} look
   */
  #inserter(place, look) {
    /** @type {object | null} */
    let running = null
    const button = this.#button(place, look, async () => {
      if (this.gaps.open) this.gaps.focus()
      if (this.gaps.open || running) return
      const press = {}
      running = press
      const free = (/** @type {string} */ name) => () => {
        if (running === press) running = null
        this.#name(button, name)
      }
      const how = { place, hosts: this.#hosts(), waiting: free('waiting'), unsure: free('again') }
      const done = await this.#actions.insert(this.#used, this.#session, how)
      if (running === press) running = null
      if (done) this.#tell(button, 'inserted', place)
      else this.#name(button, place)
    })
    return button
  }

  /** The candidate as it will be used: gaps filled. */
  get #used() {
    return { ...this.#candidate, text: this.gaps.filled }
  }

  /** Say on the buttons that insert what is missing first. */
  #block() {
    const { open, missing } = this.gaps
    for (const button of this.inserts) {
      button.ariaDisabled = String(open !== '')
      button.title = open && (missing.textContent ?? '')
      if (open) button.setAttribute('aria-describedby', missing.id)
      else button.removeAttribute('aria-describedby')
    }
  }

  /** Go to the first thing that can be done with the candidate. */
  focus() {
    const button = this.inserts[0] ?? this.copy
    button.focus()
  }

  #name(/** @type {HTMLButtonElement} */ button, /** @type {string} */ key) {
    const action = this.#translations.say(`candidate.${key}`)
    button.textContent = action
    const which = this.#translations.say('candidate.which', { action, label: this.#candidate.label })
    button.ariaLabel = key === 'waiting' ? action : which
  }

  /**
   * Show the candidate as it is now.
   *
   * @param {Candidate} candidate
   * @param {boolean} revealed  All are rated, so the model may be named.
   */
  update(candidate, revealed) {
    this.#candidate = candidate
    const { state, finish } = candidate
    const text = clean(candidate.text)
    const usable = text !== '' && (state === 'done' || state === 'cancelled')
    this.element.dataset['state'] = state
    setText(this.state, this.#translations.say(`candidate.${state}`))
    this.gaps.update(text, usable ? (candidate.placeholders ?? []) : [])
    this.gaps.text.hidden = text === '' && state !== 'writing'
    this.#block()
    const note = finish === 'length' ? 'length' : state === 'done' && !text ? 'nothing' : ''
    this.note.hidden = !note
    if (note) setText(this.note, this.#translations.say(`candidate.${note}`))
    this.actions.hidden = !usable && state !== 'done'
    for (const button of [...this.inserts, this.copy]) button.hidden = !usable
    this.rate.hidden = state !== 'done' || candidate.rated
    this.#showProblem(candidate)
    this.#warn(usable ? unknownLinks(text, this.#hosts()) : [])
    this.sources.show(revealed && state !== 'failed' ? candidate.sources : [])
    this.#showAuthor(candidate, revealed)
    if (candidate.rated) this.#closeRating()
  }

  /** Open the rating form, or close it. */
  toggleRating() {
    if (!this.form.hidden) this.#closeRating()
    else void this.openRating()
  }

  /** Open the rating form and go to its first open criterion. */
  async openRating() {
    this.form.hidden = false
    this.rate.setAttribute('aria-expanded', 'true')
    const { RatingView } = await import('./rating_view.js') // few agents rate, so it is loaded late
    this.#rating ??= new RatingView(this.form, {
      translations: this.#translations,
      session: this.#session,
      candidate: this.#candidate,
      saved: (overall) => this.#actions.rated(this.#candidate, overall),
    })
    await this.#rating.open()
  }

  #closeRating() {
    this.form.hidden = true
    this.rate.setAttribute('aria-expanded', 'false')
  }

  /** Where links may lead: hosts that the admin named, and those of the sources. */
  #hosts() {
    const addresses = this.#candidate.sources.map(({ url }) => webAddress(url))
    return [...this.#linkhosts, ...addresses.flatMap((address) => (address ? [new URL(address).host] : []))]
  }

  /** @param {string[]} links  What to check before sending. */
  #warn(links) {
    this.warning.hidden = links.length === 0
    if (links.length) setText(this.warning, this.#translations.say('candidate.links', { n: links.length, links: links.join(', ') }))
  }

  async #copy() {
    if (await this.#actions.copy(this.#used, this.#session, this.gaps.open)) this.#tell(this.copy, 'copied', 'copy')
  }

  /**
   * Let a button tell for a moment that it worked.
   *
   * @param {HTMLButtonElement} button
   * @param {string} done
   * @param {string} key
   */
  #tell(button, done, key) {
    this.#name(button, done)
    setTimeout(() => this.#name(button, key), TOLD_FOR)
  }

  #showProblem(/** @type {Candidate} */ { problem, state }) {
    const isShown = problem !== null && state === 'failed'
    this.problem.hidden = !isShown
    if (isShown && !this.problem.childElementCount) this.problem.append(...problemWords(problem, this.#translations))
  }

  #showAuthor(/** @type {Candidate} */ candidate, /** @type {boolean} */ revealed) {
    const overall = this.#session.overalls.get(candidate.id)
    const parts = []
    if (revealed && candidate.model) parts.push(this.#translations.say('candidate.by', { model: candidate.model }))
    if (typeof overall === 'number') {
      parts.push(this.#translations.say('candidate.overall', { overall: this.#translations.decimal(overall) }))
    }
    this.author.hidden = parts.length === 0
    setText(this.author, parts.join(' · '))
  }
}

/**
 * Why a candidate failed, in words.
 *
 * @param {CandidateProblem} problem
 * @param {Translations} translations
 */
function problemWords({ type, detail }, translations) {
  const kind = kindOf(type)
  const said = [make('strong', {}, translations.say(`problem.${kind}.title`)), make('p', {}, translations.say(`problem.${kind}.next`))]
  if (!detail) return said
  const summary = make('summary', {}, translations.say('candidate.said'))
  return [...said, make('details', {}, summary, make('p', { dir: 'auto' }, detail))]
}
