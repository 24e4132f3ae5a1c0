/**
 * Desk as its SDK shows it, in the shapes that are documented and in those that are seen. Its proxy
 * really calls the address it is given.
 */

/** @typedef {'plain' | 'connection' | 'connection-text' | 'object' | 'rejects'} Wrapping */

/** @type {Record<Exclude<Wrapping, 'rejects'>, (status: number, body: string) => unknown>} */
export const WRAPPINGS = {
  plain: (statusCode, response) => JSON.stringify({ statusCode, response }),
  connection: (statusCode, body) =>
    JSON.stringify({ statusCode: 200, response: JSON.stringify({ status: String(statusCode < 400), statusMessage: parsed(body) }) }),
  'connection-text': (statusCode, body) =>
    JSON.stringify({ statusCode: 200, response: JSON.stringify({ status: String(statusCode < 400), statusMessage: body }) }),
  object: (statusCode, body) => ({ data: { status: String(statusCode < 400), statusMessage: parsed(body) } }),
}

export class FakeDesk {
  /** @type {Record<string, any> | null} */
  ticket = { id: '4001', number: '101', subject: 'Blank app', description: '<div>I cannot log in.<br>Help!</div>', contactName: 'Henrik' }
  user = { user: { id: '7', fullName: 'Olha', email: 'olha@desk.example' }, status: 'success' }
  /** @type {unknown} */
  config = []
  /** Whether `get('ticket')` gives the whole ticket, or only single fields are to be had. */
  whole = true
  editorOpen = true
  /** How often an editor that was just opened still refuses. */
  notReady = 0
  /** How INSERT answers without an open editor. @type {'rejects' | 'says failure'} */
  closed = 'rejects'
  /** Milliseconds until INSERT answers, whatever the answer is. */
  slow = 0
  /** @type {any[]} What Desk's REST lists as the conversation; `plainText` only thread by thread. */
  conversation = []
  /** @type {string[]} What Desk's REST was asked for. */
  read = []
  /** @type {string[]} What was put into the reply editor. */
  inserted = []
  /** @type {{title: string, content: string, icon: string}[]} */
  notes = []
  /** @type {any[]} */
  requests = []
  /** @type {Wrapping} */
  wrapping = 'plain'
  /** Runs at each look at the ticket's id. @type {() => void} */
  beforeTicketId = () => {}
  /** @type {Map<string, ((event: unknown) => void)[]>} */
  #heard = new Map()

  /** @param {string} name @param {unknown} event */
  emit(name, event) {
    for (const heard of this.#heard.get(name) ?? []) heard(event)
  }

  /** The agent clicks Reply. @param {object} [event] */
  openEditor(event = { mode: 'reply', threadId: '1', ticketId: this.ticket?.['id'] }) {
    this.editorOpen = true
    this.emit('ticket_replyEditor.opened', event)
  }

  /** The SDK as the widget finds it. */
  get sdk() {
    const instance = {
      on: (/** @type {string} */ name, /** @type {(event: unknown) => void} */ heard) => {
        this.#heard.set(name, [...(this.#heard.get(name) ?? []), heard])
      },
    }
    return {
      extension: { onload: async () => ({ instance, extensionID: 'x', locale: 'uk_UA', location: 'desk.ticket.detail.rightpanel', meta: { dcType: 'EU' } }) },
      get: (/** @type {string} */ name) => this.#get(name),
      invoke: (/** @type {string} */ verb, /** @type {string} */ what, /** @type {any} */ how) => this.#invoke(verb, what, how),
      notify: (/** @type {any} */ note) => this.notes.push(note),
      request: (/** @type {any} */ request) => this.#request(request),
    }
  }

  /** @param {string} name @returns {Promise<unknown>} */
  async #get(name) {
    if (name === 'user') return this.user
    if (name === 'extension.config') return { 'extension.config': this.config, status: 'success' }
    if (name === 'portal.id') return { 'portal.id': '2002', status: 'success' }
    if (name === 'ticket.id') this.beforeTicketId()
    if (!this.ticket) throw { status: 'failure', errorMessage: 'No ticket' }
    if (name === 'ticket') {
      if (!this.whole) throw { status: 'failure', errorMessage: 'Unknown key' }
      return { ticket: { ...this.ticket }, status: 'success' }
    }
    return { status: 'success', [name]: this.ticket[name.replace('ticket.', '')] }
  }

  /** @param {string} verb @param {string} what @param {{value: string}} how */
  async #invoke(verb, what, { value }) {
    if (verb !== 'INSERT' || what !== 'ticket.replyEditor') throw { status: 'failure', errorMessage: `${verb} ${what}` }
    const isTaken = this.editorOpen && this.notReady-- <= 0
    if (isTaken) this.inserted.push(value)
    if (this.slow) await new Promise((done) => setTimeout(done, this.slow))
    if (isTaken) return { status: 'success' }
    if (this.closed === 'rejects') throw { status: 'failure', errorMessage: 'No editor' }
    return { status: 'failure' }
  }

  /** Desk's own REST, asked through a connection that may read tickets. @param {URL} url @param {any} request */
  #rest({ host, pathname }, { headers, data, connectionLinkName }) {
    this.read.push(`${host}${pathname} ${JSON.stringify(data)}`)
    const answer = (/** @type {number} */ status, /** @type {any} */ body) => WRAPPINGS.connection(status, JSON.stringify(body))
    if (connectionLinkName !== 'readtickets' || headers.orgId !== '2002') return answer(403, { errorCode: 'SCOPE_MISMATCH', message: 'Invalid scope' })
    const [, ticket, thread] = /^\/api\/v1\/tickets\/(\d+)\/(?:conversations|threads\/(\d+))$/.exec(pathname) ?? []
    const found = this.conversation.find(({ id }) => id === thread)
    if (found) return answer(200, found)
    if (ticket !== this.ticket?.['id']) return answer(404, { errorCode: 'URL_NOT_FOUND', message: 'The URL given is invalid' })
    if (this.conversation.length === 0) return JSON.stringify({ statusCode: 200, response: JSON.stringify({ status: 'true', statusMessage: '' }) })
    return answer(200, { data: this.conversation.map(({ plainText: _, ...listed }) => listed) })
  }

  /** @param {{url: string, type: string, headers: Record<string, string>, data: Record<string, string>, postBody: unknown}} request */
  async #request(request) {
    this.requests.push(request)
    const url = new URL(request.url)
    if (url.hostname.startsWith('desk.zoho')) return this.#rest(url, request)
    if (url.search) throw { errorMessage: 'Query parameters belong into data' }
    for (const [name, value] of Object.entries(request.data)) url.searchParams.set(name, value)
    const sends = request.type !== 'GET'
    const response = await fetch(url, {
      method: request.type,
      headers: request.headers,
      ...(sends && { body: JSON.stringify(request.postBody) }),
    })
    const body = await response.text()
    if (this.wrapping !== 'rejects') return WRAPPINGS[this.wrapping](response.status, body)
    if (response.ok) return WRAPPINGS.plain(response.status, body)
    throw { statusCode: response.status, response: body }
  }
}

/** @param {string} body */
function parsed(body) {
  return JSON.parse(body)
}
