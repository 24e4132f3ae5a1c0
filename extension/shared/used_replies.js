/**
 * Replies that were used and of which it is not known yet what became of them. Kept in the browser,
 * so that a reload forgets none; no text is kept, only ids and a mark of the words. Many browsers
 * deny storage to a frame of another site: then the server is asked, once for each ticket.
 */

/**
 * @typedef {object} UsedReply
 * @property {string} ticketId
 * @property {string} suggestionId
 * @property {string} candidateId
 * @property {string} agent
 * @property {string} mark  Of the text as it was inserted or copied; empty if that is not known.
 * @property {number} at  When, in milliseconds.
 */

const KEY = 'suggest-answer.uses'
const MOST = 60
const LONGEST = 30 * 24 * 3600 * 1000

export class UsedReplies {
  #storage
  #ask
  /** @type {UsedReply[]} Where the browser keeps nothing. */
  #kept = []
  /** @type {Map<string, Promise<void>>} What the server was asked, by ticket. */
  #asked = new Map()

  /**
   * @param {Pick<Storage, 'getItem' | 'setItem'> | null} storage
   * @param {(ticketId: string) => Promise<UsedReply[]>} ask  The server, where there is no storage.
   */
  constructor(storage, ask) {
    this.#storage = storage
    this.#ask = ask
  }

  /** Remember what a reload forgot. @param {string} ticketId */
  async recall(ticketId) {
    if (this.#storage) return
    const asked = this.#asked.get(ticketId) ?? this.#recall(ticketId)
    this.#asked.set(ticketId, asked)
    await asked
  }

  /** @param {string} ticketId */
  async #recall(ticketId) {
    const found = await this.#ask(ticketId)
    const known = this.#kept.map(({ candidateId }) => candidateId)
    this.#kept = [...this.#kept, ...found.filter(({ candidateId }) => !known.includes(candidateId))]
  }

  /** @param {UsedReply} use */
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

  /** How a candidate was used. @param {string} candidateId */
  find(candidateId) {
    return this.#all().find((use) => use.candidateId === candidateId)
  }

  /** What became of a suggestion's replies is known. @param {string} suggestionId */
  settle(suggestionId) {
    this.#keep(this.#all().filter((use) => use.suggestionId !== suggestionId))
  }

  /** @returns {UsedReply[]} */
  #all() {
    const found = this.#read() ?? this.#kept
    return found.filter((use) => typeof use?.candidateId === 'string' && Date.now() - use.at < LONGEST)
  }

  /** @returns {UsedReply[] | null} */
  #read() {
    try {
      const found = JSON.parse(this.#storage?.getItem(KEY) ?? 'null')
      return Array.isArray(found) ? found : null
    } catch {
      return null
    }
  }

  /** @param {UsedReply[]} uses */
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
    globalThis.localStorage.setItem(`${KEY}.try`, '')
    globalThis.localStorage.removeItem(`${KEY}.try`)
    return globalThis.localStorage
  } catch {
    return null
  }
}
