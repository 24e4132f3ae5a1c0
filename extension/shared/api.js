/** The client of /api/v1: one method a call, every failure a Problem. */

import { Problem, problemOf } from './problem.js'

/** @import { OutcomeKind, RatingSaved, Rubric, Suggestion, TicketText } from './api_types.js' */

/** @typedef {(url: string, init: RequestInit) => Promise<Response>} Call */

/**
 * @typedef {object} StreamEvent
 * @property {string} name
 * @property {string} body
 * @property {string} id
 */

/** Seconds that the server may hold back an answer; a product's proxy gives calls up early. */
const LONGEST_WAIT = 20
const LONGEST_WAIT_PROXIED = 8

export class Api {
  #base
  #key
  #call

  /** Who rates and uses replies; sent with each call, so that blindness is kept for each rater. */
  rater = ''
  /** Of the panel; what the server says in words comes in it. */
  language = 'en'

  /**
   * @param {object} options
   * @param {string} [options.base]  Where the API is, without a slash at the end.
   * @param {string} [options.key]  Sent as a bearer key, if there is one.
   * @param {Call} [options.call]  fetch, or a host's proxy that answers like it.
   * @param {boolean} [options.streams]  False where `call` cannot stream: then only waiting is used.
   */
  constructor({ base = '/api/v1', key = '', call = (url, init) => fetch(url, init), streams = true } = {}) {
    this.#base = base
    this.#key = key
    this.#call = call
    this.streams = streams
  }

  /**
   * Ask for replies. The same ticket and steering give the same suggestion, unless `fresh`.
   *
   * @param {{ticket: TicketText, steering?: string, fresh?: boolean, prefer?: 'now' | 'background'}} wish
   * @returns {Promise<Suggestion>}
   */
  suggest(wish) {
    return this.#json('POST', '/suggestions', wish)
  }

  /**
   * The suggestion; with `since`, held back until it is newer than that revision, for some seconds.
   *
   * @param {string} id
   * @param {{since?: number, signal?: AbortSignal}} [options]
   * @returns {Promise<Suggestion>}
   */
  suggestion(id, { since, signal } = {}) {
    const longest = this.streams ? LONGEST_WAIT : LONGEST_WAIT_PROXIED
    const wait = since === undefined ? '' : `?wait=${longest}&since=${since}`
    return this.#json('GET', `/suggestions/${encodeURIComponent(id)}${wait}`, undefined, { ...(signal && { signal }) })
  }

  /**
   * The suggestion as it grows.
   *
   * @param {string} id
   * @param {{after?: string, signal?: AbortSignal}} [options]  `after`: the last event id seen.
   * @returns {AsyncGenerator<StreamEvent, void, void>}
   */
  async *events(id, { after = '', signal } = {}) {
    /** @type {Record<string, string>} */
    const headers = { Accept: 'text/event-stream' }
    if (after) headers['Last-Event-ID'] = after
    const response = await this.#answer('GET', `/suggestions/${encodeURIComponent(id)}/events`, {
      headers,
      ...(signal && { signal }),
    })
    if (!response.body) throw new Problem('unreachable')
    try {
      yield* events(response.body)
    } catch (error) {
      throw signal?.aborted ? error : new Problem('unreachable')
    }
  }

  /**
   * Stop what still runs; the models stop writing.
   *
   * @param {string} id
   * @returns {Promise<Suggestion>}
   */
  cancel(id) {
    return this.#json('DELETE', `/suggestions/${encodeURIComponent(id)}`)
  }

  /**
   * @param {string} candidateId
   * @param {{scores: Record<string, number>, critical?: boolean, comment?: string,
   *   ideal_answer?: string, rubric?: string, rubric_version?: number}} rating
   * @returns {Promise<RatingSaved>}
   */
  rate(candidateId, rating) {
    return this.#json('POST', `/candidates/${encodeURIComponent(candidateId)}/ratings`, rating)
  }

  /**
   * Tell what became of a candidate; the same `id` again is counted once.
   *
   * @param {string} candidateId
   * @param {{id: string, kind: OutcomeKind, agent: string, final_text?: string}} outcome
   * @param {{keepalive?: boolean}} [how]  `keepalive`: also if the page goes meanwhile.
   * @returns {Promise<{id: string}>}
   */
  outcome(candidateId, outcome, how = {}) {
    return this.#json('POST', `/candidates/${encodeURIComponent(candidateId)}/outcomes`, outcome, how)
  }

  /**
   * The replies that this rater used in a ticket and that are not known as sent.
   *
   * @param {string} ticketId
   * @returns {Promise<{suggestion_id: string, candidate_id: string, moment: string}[]>}
   */
  async used(ticketId) {
    return (await this.#json('GET', `/suggestions?ticket=${encodeURIComponent(ticketId)}`)).used
  }

  /**
   * @param {string} name
   * @returns {Promise<Rubric>}
   */
  rubric(name) {
    return this.#json('GET', `/rubric?name=${encodeURIComponent(name)}&language=${encodeURIComponent(this.language)}`)
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @param {{signal?: AbortSignal, keepalive?: boolean}} [how]
   * @returns {Promise<any>}
   */
  async #json(method, path, body, how) {
    const response = await this.#answer(method, path, {
      headers: { Accept: 'application/json', ...(body !== undefined && { 'Content-Type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...how,
    })
    return response.json()
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {RequestInit & {headers: Record<string, string>}} init
   * @returns {Promise<Response>}
   */
  async #answer(method, path, init) {
    const headers = { ...init.headers }
    if (this.#key) headers['Authorization'] = `Bearer ${this.#key}`
    if (this.rater) headers['X-Rater'] = encodeURI(this.rater)
    let response
    try {
      response = await this.#call(this.#base + path, { ...init, method, headers, cache: 'no-store' })
    } catch (error) {
      throw init.signal?.aborted ? error : new Problem('unreachable')
    }
    if (!response.ok) throw await problemOf(response)
    return response
  }
}

/**
 * The server-sent events of a body, read with fetch since EventSource cannot send headers: each as soon as its blank line
 * arrives. Comments are skipped.
 *
 * @param {ReadableStream<Uint8Array>} stream
 * @returns {AsyncGenerator<StreamEvent, void, void>}
 */
export async function* events(stream) {
  const decoder = new TextDecoder()
  const reader = stream.getReader()
  let rest = ''
  let id = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const blocks = (rest + decoder.decode(value, { stream: true })).replaceAll('\r', '').split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) {
        const event = parsed(block, id)
        id = event.id
        if (event.body) yield event
      }
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}

/**
 * @param {string} block
 * @param {string} id  The last id seen; it stays until another comes.
 * @returns {StreamEvent}
 */
function parsed(block, id) {
  const event = { name: 'message', body: '', id }
  /** @type {string[]} */
  const lines = []
  for (const line of block.split('\n')) {
    const [, field = '', value = ''] = /^(\w+): ?(.*)$/.exec(line) ?? []
    if (field === 'data') lines.push(value)
    else if (field === 'event') event.name = value
    else if (field === 'id') event.id = value
  }
  event.body = lines.join('\n')
  return event
}
