/** One candidate as a card: text that grows, sources, what can be done with it, its rating. */

import { grow, icon, make, setText, webAddress } from './dom.js'
import { unknownLinks } from './links.js'
import { kindOf } from './problem.js'
import { RatingView } from './rating_view.js'
import { clean } from './reply_text.js'

/** @import { Candidate, Source } from './contract.js' */
/** @import { Place } from './host.js' */
/** @import { Session } from './session.js' */
/** @import { Words } from './words.js' */

/**
 * @typedef {object} CandidateActions  Each is told the session, for the panel may have moved on.
 * @property {(candidate: Candidate, session: Session, how: {place: Place, hosts: string[],
 *   waiting: () => void}) => Promise<boolean>} insert  True once done.
 * @property {(candidate: Candidate, session: Session) => Promise<boolean>} copy
 * @property {(candidate: Candidate, overall: number | null) => void} rated
 */

const ICONS = {
  article: 'M4 1.8h5.2L12.5 5v9.2H4zM9 2v3.2h3.3M6 8h4.5M6 10.8h4.5',
  solved: 'M2 3h12v8.5H7.5L4.5 14v-2.5H2zM5.4 7.2l1.9 1.9 3.6-3.7',
}
const TOLD_FOR = 1600

export class CandidateView {
  state = make('span', { class: 'sa-state' })
  author = make('p', { class: 'sa-author', hidden: true })
  writing = document.createTextNode('')
  text = make('div', { class: 'sa-text', dir: 'auto' }, this.writing)
  note = make('p', { class: 'sa-note', hidden: true })
  warning = make('p', { class: 'sa-note', dir: 'auto', hidden: true })
  problem = make('div', { class: 'sa-problem', hidden: true })
  sources = make('ul', { class: 'sa-sources', hidden: true })
  form = make('div', { class: 'sa-rating', hidden: true })
  #words
  #session
  #actions
  #candidate
  #linkhosts
  #sources = ''
  /** @type {RatingView | null} */
  #rating = null

  /**
   * @param {Candidate} candidate
   * @param {{words: Words, session: Session, actions: CandidateActions, places: readonly Place[],
   *   linkhosts: readonly string[]}} parts
   */
  constructor(candidate, { words, session, actions, places, linkhosts }) {
    this.#words = words
    this.#linkhosts = linkhosts
    this.#session = session
    this.#actions = actions
    this.#candidate = candidate
    this.inserts = places.map((place, index) => this.#inserter(place, index === 0 ? 'sa-primary' : ''))
    this.copy = this.#button('copy', '', () => this.#copy())
    this.rate = this.#button('rate', 'sa-quiet', () => this.toggleRating())
    this.rate.setAttribute('aria-expanded', 'false')
    this.actions = make('div', { class: 'sa-actions', hidden: true }, ...this.inserts, this.copy, this.rate)
    this.sources.setAttribute('aria-label', words.say('sources.title'))
    this.element = this.#frame(candidate)
  }

  #frame(/** @type {Candidate} */ { id, label }) {
    const name = make('h3', { id: `sa-name-${id}` }, this.#words.say('candidate.name', { label }))
    const badge = make('span', { class: 'sa-label', 'aria-hidden': 'true' }, label)
    return make(
      'article',
      { class: 'sa-candidate', 'aria-labelledby': name.id, 'data-candidate': label },
      make('header', {}, badge, name, this.state),
      this.author,
      this.text,
      this.note,
      this.warning,
      this.problem,
      this.sources,
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

  /** @param {Place} place @param {string} look */
  #inserter(place, look) {
    const button = this.#button(place, look, async () => {
      const waiting = () => this.#name(button, 'waiting')
      const how = { place, hosts: this.#hosts(), waiting }
      if (await this.#actions.insert(this.#candidate, this.#session, how)) this.#tell(button, 'inserted', place)
      else this.#name(button, place)
    })
    return button
  }

  /** Go to the first thing that can be done with the candidate. */
  focus() {
    const button = this.inserts[0] ?? this.copy
    button.focus()
  }

  #name(/** @type {HTMLButtonElement} */ button, /** @type {string} */ key) {
    const action = this.#words.say(`candidate.${key}`)
    button.textContent = action
    const which = this.#words.say('candidate.which', { action, label: this.#candidate.label })
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
    setText(this.state, this.#words.say(`candidate.${state}`))
    grow(this.writing, text)
    this.text.hidden = text === '' && state !== 'writing'
    const note = finish === 'length' ? 'length' : state === 'done' && !text ? 'nothing' : ''
    this.note.hidden = !note
    if (note) setText(this.note, this.#words.say(`candidate.${note}`))
    this.actions.hidden = !usable && state !== 'done'
    for (const button of [...this.inserts, this.copy]) button.hidden = !usable
    this.rate.hidden = state !== 'done' || candidate.rated
    this.#showProblem(candidate)
    this.#warn(usable ? unknownLinks(text, this.#hosts()) : [])
    this.#showSources(state === 'failed' ? [] : candidate.sources)
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
    this.#rating ??= new RatingView(this.form, {
      words: this.#words,
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
    if (links.length) setText(this.warning, this.#words.say('candidate.links', { n: links.length, links: links.join(', ') }))
  }

  async #copy() {
    if (await this.#actions.copy(this.#candidate, this.#session)) this.#tell(this.copy, 'copied', 'copy')
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
    this.problem.hidden = !problem || state !== 'failed'
    if (!problem || state !== 'failed' || this.problem.childElementCount) return
    const kind = kindOf(problem.type)
    this.problem.append(
      make('strong', {}, this.#words.say(`problem.${kind}.title`)),
      make('p', {}, this.#words.say(`problem.${kind}.next`)),
    )
    if (!problem.detail) return
    const said = make('summary', {}, this.#words.say('candidate.said'))
    this.problem.append(make('details', {}, said, make('p', { dir: 'auto' }, problem.detail)))
  }

  #showSources(/** @type {Source[]} */ sources) {
    const version = JSON.stringify(sources)
    if (version === this.#sources) return
    this.#sources = version
    this.sources.hidden = sources.length === 0
    this.sources.replaceChildren(...sources.map((source) => make('li', {}, this.#chip(source))))
  }

  #chip(/** @type {Source} */ { title, kind, url }) {
    const address = webAddress(url)
    const name = make('span', { class: 'sa-chip-title', dir: 'auto' }, title)
    const label = make('span', { class: 'sa-hidden' }, `${this.#words.say(`sources.${kind}`)}: `)
    const attributes = { class: 'sa-chip', title: `${this.#words.say(`sources.${kind}`)}: ${title}` }
    if (!address) return make('span', attributes, icon(ICONS[kind]), label, name)
    const link = { ...attributes, href: address, target: '_blank', rel: 'noopener noreferrer' }
    return make('a', link, icon(ICONS[kind]), label, name)
  }

  #showAuthor(/** @type {Candidate} */ candidate, /** @type {boolean} */ revealed) {
    const overall = this.#session.overalls.get(candidate.id)
    const parts = []
    if (revealed && candidate.model) parts.push(this.#words.say('candidate.by', { model: candidate.model }))
    if (typeof overall === 'number') {
      parts.push(this.#words.say('candidate.overall', { overall: this.#words.decimal(overall) }))
    }
    this.author.hidden = parts.length === 0
    setText(this.author, parts.join(' · '))
  }
}
