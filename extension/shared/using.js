/** Using a reply: putting it where the agent wants it, or copying it. Says what happened. */

import { copyText } from './clipboard.js'
import { NotInserted } from './host.js'
import { clean } from './reply_text.js'

/** @import { Candidate } from './contract.js' */
/** @import { Host, Place } from './host.js' */
/** @import { Outcomes } from './outcomes.js' */
/** @import { Session } from './session.js' */
/** @import { Words } from './words.js' */

export class Using {
  #host
  #words
  #outcomes

  /** @param {{host: Host, words: Words, outcomes: Outcomes}} parts */
  constructor({ host, words, outcomes }) {
    this.#host = host
    this.#words = words
    this.#outcomes = outcomes
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
      this.#host.notify(this.#words.say(key, { label }), 'warning')
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
      session.report(candidate.id, done)
      this.#outcomes.used(candidate, { ticketId: session.ticketId, suggestionId })
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
   * @param {Candidate} candidate  With its text as it is to be used.
   * @param {Session} session
   * @param {string} gaps  Those that are open, in words.
   * @returns {Promise<boolean>}
   */
  async copy(candidate, session, gaps) {
    const { id, label, text } = candidate
    const suggestionId = session.store.suggestion?.id ?? ''
    try {
      await copyText(clean(text))
    } catch {
      this.#host.notify(this.#words.say('copy.failed'), 'warning')
      return false
    }
    session.report(id, 'copied')
    this.#outcomes.used(candidate, { ticketId: session.ticketId, suggestionId })
    if (gaps) this.#host.notify(this.#words.say('copy.gaps', { label, gaps }), 'warning')
    else this.#host.notify(this.#words.say('copy.done', { label }))
    return true
  }
}
