/** Using a reply: putting it where the agent wants it, or copying it. Says what happened. */

import { copyText } from './clipboard.js'
import { NotInserted } from './host.js'
import { clean } from './reply_text.js'

/** @import { Candidate } from './api_types.js' */
/** @import { Host, Place } from './host.js' */
/** @import { Session } from './session.js' */
/** @import { Translations } from './translations.js' */

export class ReplyInserter {
  #host
  #translations

  /** @param {{host: Host, translations: Translations}} parts */
  constructor({ host, translations }) {
    this.#host = host
    this.#translations = translations
  }

  /**
   * Put a candidate where the agent wants it, unless another ticket was opened meanwhile.
   *
   * @param {Candidate} candidate  With its text as it is to be used.
   * @param {Session} session
   * @param {{place: Place, hosts: readonly string[], waiting: () => void, unsure: () => void}} how
   * @returns {Promise<boolean>} True once it is there.
   */
  async insert(candidate, session, { place, hosts, waiting, unsure }) {
    const { label } = candidate
    const tell = (/** @type {string} */ key, /** @type {() => void} */ then) => () => {
      this.#host.notify(this.#translations.say(key, { label }), 'warning')
      then()
    }
    const insertion = {
      place,
      ticketId: session.ticketId,
      waiting: tell('insert.waiting', waiting),
      unsure: tell('insert.unsure', unsure),
    }
    const suggestionId = session.store.suggestion?.id ?? ''
    try {
      const done = await this.#host.insert({ text: clean(candidate.text), hosts }, insertion)
      session.used(candidate, done, suggestionId)
      this.#host.notify(this.#translations.say(`insert.${done === 'copied' ? 'copied' : place}`, { label }), 'done')
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
    const said = kind === 'changed' ? this.#translations.say('insert.changed') : this.#translations.say('insert.failed', { reason })
    this.#host.notify(said, 'warning')
  }

  /**
   * @param {Candidate} candidate  With its text as it is to be used.
   * @param {Session} session
   * @param {string} gaps  Those that are open, in words.
   * @returns {Promise<boolean>}
   */
  async copy(candidate, session, gaps) {
    const { label, text } = candidate
    const suggestionId = session.store.suggestion?.id ?? ''
    try {
      await copyText(clean(text))
    } catch {
      this.#host.notify(this.#translations.say('copy.failed'), 'warning')
      return false
    }
    session.used(candidate, 'copied', suggestionId)
    if (gaps) this.#host.notify(this.#translations.say('copy.gaps', { label, gaps }), 'warning')
    else this.#host.notify(this.#translations.say('copy.done', { label }))
    return true
  }
}
