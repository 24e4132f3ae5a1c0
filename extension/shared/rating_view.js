/**
 * The rating form of one candidate: criteria as radio groups, made for the keyboard. Keys 1 to 5
 * score the focused criterion and move on; Tab moves between criteria; arrows move within one.
 */

import { make, setText } from './dom.js'
import { asProblem } from './problem.js'
import { missing, SCALE, withScore } from './rating.js'

/** @import { Candidate, Criterion, Rubric } from './api_types.js' */
/** @import { Draft } from './rating.js' */
/** @import { Session } from './session.js' */
/** @import { Translations } from './translations.js' */

export class RatingView {
  #root
  #translations
  #session
  #candidate
  #saved
  /** @type {Rubric | null} */
  #rubric = null
  /** @type {Map<string, HTMLFieldSetElement>} */
  #fields = new Map()

  /**
   * @param {HTMLElement} root
   * @param {{translations: Translations, session: Session, candidate: Candidate,
   *   saved: (overall: number | null) => void}} parts
   */
  constructor(root, { translations, session, candidate, saved }) {
    this.#root = root
    this.#translations = translations
    this.#session = session
    this.#candidate = candidate
    this.#saved = saved
    this.message = make('p', { class: 'sa-rating-message', role: 'status' })
    this.save = make('button', { type: 'submit', class: 'sa-button sa-primary' }, translations.say('rating.save'))
  }

  /** Draw the form (once) and focus the first criterion without a score. */
  async open() {
    try {
      const rubric = this.#rubric ?? (await this.#session.rubric())
      if (!this.#rubric) this.#build(rubric)
      this.#rubric = rubric
      this.#focus(missing(this.#draft, rubric)[0] ?? rubric.criteria[0]?.key)
    } catch (error) {
      this.#root.replaceChildren(this.message)
      this.#tell(error)
    }
  }

  get #draft() {
    return this.#session.draft(this.#candidate.id)
  }

  #keep(/** @type {Draft} */ draft) {
    this.#session.drafts.set(this.#candidate.id, draft)
  }

  #build(/** @type {Rubric} */ rubric) {
    const { label } = this.#candidate
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault()
      void this.#submit(rubric)
    }
    const keys = make('p', { class: 'sa-keys' }, this.#translations.say('rating.keys'))
    const form = make(
      'form',
      { 'aria-label': this.#translations.say('rating.title', { label }), novalidate: true, submit },
      keys,
      ...rubric.criteria.map((criterion) => this.#criterion(criterion)),
      this.#critical(),
      this.#more(),
      make('div', { class: 'sa-actions' }, this.save),
      this.message,
    )
    this.#root.replaceChildren(form)
  }

  #criterion(/** @type {Criterion} */ criterion) {
    const id = `sa-${this.#candidate.id}-${criterion.key}`
    const anchor = make('p', { class: 'sa-anchor', 'aria-hidden': 'true' }, criterion.question)
    const show = (/** @type {number | undefined} */ score) =>
      setText(anchor, (score && criterion.anchors[score - 1]) || criterion.question)
    const chosen = () => show(this.#draft.scores[criterion.key])
    const scale = make('div', { class: 'sa-scale', pointerleave: chosen })
    for (const score of SCALE) {
      const choose = () => {
        this.#keep(withScore(this.#draft, criterion.key, score))
        chosen()
      }
      const checked = this.#draft.scores[criterion.key] === score
      const input = { type: 'radio', name: id, value: score, checked, change: choose }
      const meaning = make('span', { class: 'sa-hidden' }, ` – ${criterion.anchors[score - 1] ?? ''}`)
      scale.append(
        make('label', { pointerenter: () => show(score) }, make('input', input), make('span', {}, String(score)), meaning),
      )
    }
    chosen()
    const keydown = (/** @type {Event} */ event) => this.#key(/** @type {KeyboardEvent} */ (event), criterion.key)
    const question = make('span', { class: 'sa-hidden' }, `: ${criterion.question}`)
    const legend = make('legend', {}, criterion.label, question)
    const field = make('fieldset', { class: 'sa-criterion', 'data-criterion': criterion.key, keydown }, legend, scale, anchor)
    this.#fields.set(criterion.key, field)
    return field
  }

  /**
   * A digit scores this criterion and moves to the next one, after the last to Save.
   *
   * @param {KeyboardEvent} event
   * @param {string} criterion
   */
  #key(event, criterion) {
    if (event.ctrlKey || event.metaKey || event.altKey || !/^[1-5]$/.test(event.key)) return
    event.preventDefault()
    const input = this.#fields.get(criterion)?.querySelector(`input[value="${event.key}"]`)
    if (input instanceof HTMLInputElement) input.click()
    const order = [...this.#fields.keys()]
    const next = order[order.indexOf(criterion) + 1]
    if (next) this.#focus(next)
    else this.save.focus()
  }

  #focus(/** @type {string | undefined} */ criterion) {
    const field = this.#fields.get(criterion ?? '')
    const input = field?.querySelector('input:checked') ?? field?.querySelector('input')
    if (!(input instanceof HTMLInputElement)) return
    input.focus({ focusVisible: true, preventScroll: true })
    field?.scrollIntoView({ block: 'nearest' })
  }

  #critical() {
    const change = (/** @type {Event} */ { currentTarget }) =>
      this.#keep({ ...this.#draft, critical: /** @type {HTMLInputElement} */ (currentTarget).checked })
    const box = make('input', { type: 'checkbox', checked: this.#draft.critical, change })
    return make('label', { class: 'sa-check' }, box, this.#translations.say('rating.critical'))
  }

  #more() {
    const area = (/** @type {'comment' | 'idealAnswer'} */ name, /** @type {string} */ key, /** @type {number} */ rows) => {
      const input = (/** @type {Event} */ { currentTarget }) =>
        this.#keep({ ...this.#draft, [name]: /** @type {HTMLTextAreaElement} */ (currentTarget).value })
      const box = make('textarea', { rows, maxlength: 20_000, dir: 'auto', input }, this.#draft[name])
      return make('label', { class: 'sa-field' }, this.#translations.say(key), box)
    }
    const summary = make('summary', {}, this.#translations.say('rating.more'))
    return make('details', {}, summary, area('comment', 'rating.comment', 2), area('idealAnswer', 'rating.ideal', 5))
  }

  async #submit(/** @type {Rubric} */ rubric) {
    if (this.save.getAttribute('aria-disabled') === 'true') return
    const open = missing(this.#draft, rubric)
    if (open.length > 0) {
      const labels = rubric.criteria.filter(({ key }) => open.includes(key)).map(({ label }) => label)
      setText(this.message, this.#translations.say('rating.missing', { criteria: labels.join(', ') }))
      this.#focus(open[0])
      return
    }
    this.#saving(true)
    try {
      this.#saved(await this.#session.rate(this.#candidate.id))
      setText(this.message, '')
    } catch (error) {
      this.#tell(error)
    } finally {
      this.#saving(false)
    }
  }

  #saving(/** @type {boolean} */ busy) {
    this.save.setAttribute('aria-disabled', String(busy))
    setText(this.save, this.#translations.say(busy ? 'rating.saving' : 'rating.save'))
  }

  #tell(/** @type {unknown} */ error) {
    const { kind, detail } = asProblem(error)
    const words = [this.#translations.say(`problem.${kind}.title`), this.#translations.say(`problem.${kind}.next`)]
    setText(this.message, `${words.join('. ')} ${kind === 'bad-input' ? detail : ''}`.trim())
  }
}
