/** A reply's text with its gaps marked, and under it an input for each of them. */

import { grow, make, setText } from './dom.js'
import { filledIn, gapsOf, openGaps, piecesOf } from './gaps.js'

/** @import { Gap, Piece } from './gaps.js' */
/** @import { Translations } from './translations.js' */

const LONGEST = 300

export class GapsView {
  #translations
  #fillings
  #changed
  #id
  #writing = document.createTextNode('')
  /** @type {Piece[]} */
  #pieces = []
  /** @type {Gap[]} */
  #gaps = []
  #shown = ''
  #fields = ''
  text = make('div', { class: 'sa-text', dir: 'auto' }, this.#writing)
  form = make('div', { class: 'sa-gaps', role: 'group', hidden: true })
  missing = make('p', { class: 'sa-note', hidden: true })

  /**
   * @param {object} parts
   * @param {string} parts.id  Of the candidate.
   * @param {Translations} parts.translations
   * @param {Map<string, string>} parts.fillings  Kept while the panel shows other tickets.
   * @param {() => void} parts.changed  A gap was filled or emptied.
   */
  constructor({ id, translations, fillings, changed }) {
    this.#id = id
    this.#translations = translations
    this.#fillings = fillings
    this.#changed = changed
    this.missing.id = `sa-missing-${id}`
    this.form.ariaLabel = translations.say('gaps.title')
  }

  /** The text with what was filled in. */
  get filled() {
    return filledIn(this.#pieces, this.#fillings)
  }

  /** What is still open, in words; empty if nothing is. */
  get open() {
    return openGaps(this.#gaps, this.#fillings).map((gap) => this.#name(gap)).join(', ')
  }

  /**
   * Show the text as it is now.
   *
   * @param {string} text
   * @param {readonly string[]} placeholders  None while it is being written.
   */
  update(text, placeholders) {
    this.#pieces = piecesOf(text, placeholders)
    this.#gaps = gapsOf(this.#pieces)
    this.#draw()
  }

  /** Go to the first gap that is open. */
  focus() {
    const gap = openGaps(this.#gaps, this.#fillings)[0]
    const inputs = [...this.form.querySelectorAll('input')]
    inputs.find(({ dataset }) => dataset['gap'] === gap?.key)?.focus()
  }

  #draw() {
    this.#paint()
    const fields = JSON.stringify(this.#gaps)
    if (fields !== this.#fields) {
      this.#fields = fields
      const title = make('p', { class: 'sa-gaps-title' }, this.#translations.say('gaps.title'))
      this.form.replaceChildren(title, ...this.#gaps.map((gap, index) => this.#field(gap, index)), this.missing)
    }
    this.form.hidden = this.#gaps.length === 0
    this.missing.hidden = this.open === ''
    if (this.open) setText(this.missing, this.#translations.say('gaps.missing', { gaps: this.open }))
  }

  /** While no gap is known the text only grows, so that a selection stays. */
  #paint() {
    if (this.#gaps.length === 0) {
      if (this.text.firstChild !== this.#writing) this.text.replaceChildren(this.#writing)
      grow(this.#writing, this.#pieces[0]?.words ?? '')
      this.#shown = ''
      return
    }
    const shown = JSON.stringify([this.#pieces, [...this.#fillings]])
    if (shown === this.#shown) return
    this.#shown = shown
    this.text.replaceChildren(...this.#pieces.map((piece) => (piece.key ? this.#mark(piece) : document.createTextNode(piece.words))))
  }

  #mark(/** @type {Piece} */ { words, key }) {
    const filling = this.#fillings.get(key)?.trim()
    return make('mark', { class: filling ? 'sa-gap sa-gap-filled' : 'sa-gap', dir: 'auto' }, filling || words)
  }

  #field(/** @type {Gap} */ gap, /** @type {number} */ index) {
    const input = (/** @type {Event} */ { currentTarget }) => {
      this.#fillings.set(gap.key, /** @type {HTMLInputElement} */ (currentTarget).value)
      this.#draw()
      this.#changed()
    }
    const id = `sa-gap-${this.#id}-${index}`
    const around = gap.of > 1 ? [make('span', { class: 'sa-around', id, dir: 'auto' }, `…${gap.before}${gap.placeholder}${gap.after}…`)] : []
    const box = make('input', {
      type: 'text',
      value: this.#fillings.get(gap.key) ?? '',
      maxlength: LONGEST,
      dir: 'auto',
      autocomplete: 'off',
      'data-gap': gap.key,
      'aria-describedby': around.length > 0 && id,
      input,
    })
    return make('label', { class: 'sa-field' }, this.#name(gap), box, ...around)
  }

  #name(/** @type {Gap} */ { label, placeholder, place, of }) {
    const name = this.#translations.has(`gap.${label}`) ? this.#translations.say(`gap.${label}`) : placeholder
    return of > 1 ? this.#translations.say('gaps.one', { name, place, of }) : name
  }
}
