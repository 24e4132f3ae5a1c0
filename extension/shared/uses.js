/**
 * Replies that were used and of which it is not known yet what became of them. Kept in the browser,
 * so that a reload forgets none; no text is kept, only ids and a mark of the words.
 */

/**
 * @typedef {object} Use
 * @property {string} ticketId
 * @property {string} suggestionId
 * @property {string} candidateId
 * @property {string} agent
 * @property {string} mark  Of the text as it was inserted or copied.
 * @property {number} at  When, in milliseconds.
 */

const KEY = 'suggest-answer.uses'
const MOST = 60
const LONGEST = 30 * 24 * 3600 * 1000

export class Uses {
  #storage
  /** @type {Use[]} Where the browser keeps nothing. */
  #kept = []

  /** @param {Pick<Storage, 'getItem' | 'setItem'> | null} storage */
  constructor(storage) {
    this.#storage = storage
  }

  /** @param {Use} use */
  add(use) {
    const others = this.#all().filter(({ candidateId }) => candidateId !== use.candidateId)
    this.#keep([...others, use].slice(-MOST))
  }

  /**
   * What this agent used in a ticket.
   *
   * @param {string} ticketId
   * @param {string} agent
   */
  of(ticketId, agent) {
    return this.#all().filter((use) => use.ticketId === ticketId && use.agent === agent)
  }

  /** What became of a suggestion's replies is known. @param {string} suggestionId */
  settle(suggestionId) {
    this.#keep(this.#all().filter((use) => use.suggestionId !== suggestionId))
  }

  /** @returns {Use[]} */
  #all() {
    const found = this.#read() ?? this.#kept
    return found.filter((use) => typeof use?.candidateId === 'string' && Date.now() - use.at < LONGEST)
  }

  /** @returns {Use[] | null} */
  #read() {
    try {
      const found = JSON.parse(this.#storage?.getItem(KEY) ?? 'null')
      return Array.isArray(found) ? found : null
    } catch {
      return null
    }
  }

  /** @param {Use[]} uses */
  #keep(uses) {
    this.#kept = uses
    try {
      this.#storage?.setItem(KEY, JSON.stringify(uses))
    } catch {
      // A frame may be denied storage: then a reload forgets.
    }
  }
}

/** The browser's storage, or null where a frame is denied it. */
export function browserStorage() {
  try {
    return globalThis.localStorage ?? null
  } catch {
    return null
  }
}
