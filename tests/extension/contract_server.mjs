/**
 * A small server that keeps the contract of /api/v1 with scripted candidates, and serves the demo
 * page: for node tests, and for states that the real product reaches only when something breaks.
 */

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname } from 'node:path'
import { newCandidate, REPLIES, RUBRIC, rubricIn, SOURCES, TICKETS } from './contract_content.mjs'

/** @import { IncomingMessage, ServerResponse } from 'node:http' */
/** @import { Candidate, Suggestion } from '../../extension/shared/api_types.js' */

/**
 * @typedef {object} Script  What one candidate does.
 * @property {string} [text]
 * @property {number} [pace]  Milliseconds between words.
 * @property {{type: string, title: string, detail: string}} [problem]  How it fails, after its text.
 * @property {boolean} [hold]  Stays in the queue.
 * @property {string[]} [placeholders]  Gaps in its text.
 *
 * @typedef {{status: number, type: string, detail: string}} Refusal
 * @typedef {Suggestion & {raters: Map<string, Set<string>>}} Kept
 */

const ROOT = new URL('../../', import.meta.url)
const MIME = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.svg': 'image/svg+xml' }
const MODELS = ['demo-tuned', 'demo-base', 'nearest']

export class ContractServer {
  /** @type {(ticket: any) => Script[]} */
  script = () => REPLIES.map((text) => ({ text }))
  /** @type {Refusal | null} Set to refuse the next submissions. */
  refusal = null
  /** False: event streams break at once, as behind a proxy that cannot stream. */
  streams = true
  queue = { ahead: 0, seconds: /** @type {number | null} */ (null) }
  /** @type {{method: string, path: string, body: any, headers: import('node:http').IncomingHttpHeaders}[]} */
  requests = []
  /** @type {Map<string, Kept>} */
  suggestions = new Map()
  /** @type {('cut' | 'answer lost' | Refusal)[]} What goes wrong with the next outcomes, one each. */
  outcomeTroubles = []
  /** @type {Map<string, any>} What became of candidates, each id once. */
  outcomes = new Map()
  tickets = TICKETS
  /** @type {Candidate['sources']} */
  sources = SOURCES
  #server = createServer((request, response) => void this.#answer(request, response))
  /** @type {Set<() => void>} */
  #watchers = new Set()

  /** @returns {Promise<string>} The base address. */
  async start() {
    await new Promise((/** @type {(value: void) => void} */ done) => this.#server.listen(0, '127.0.0.1', done))
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    return `http://127.0.0.1:${address.port}`
  }

  async stop() {
    this.#server.closeAllConnections()
    await new Promise((done) => this.#server.close(done))
  }

  /** What was posted to a path that ends so. @param {string} end */
  posted(end) {
    return this.requests.filter(({ method, path }) => method === 'POST' && path.endsWith(end)).map(({ body }) => body)
  }

  /**
   * @param {IncomingMessage} request
   * @param {ServerResponse} response
   */
  async #answer(request, response) {
    const url = new URL(request.url ?? '/', 'http://x')
    const method = request.method ?? 'GET'
    let text = ''
    for await (const chunk of request) text += chunk
    const body = text ? JSON.parse(text) : null
    this.requests.push({ method, path: url.pathname, body, headers: request.headers })
    const [, noun = '', id = '', verb = ''] = /^\/api\/v1\/(\w+)(?:\/([\w-]+))?(?:\/(\w+))?$/.exec(url.pathname) ?? []
    const rater = String(request.headers['x-rater'] ?? '')
    const suggestion = this.suggestions.get(id)
    if (!noun) await this.#file(url.pathname, response)
    else if (noun === 'demo') json(response, 200, this.tickets)
    else if (noun === 'rubric') json(response, 200, rubricIn(url.searchParams.get('language')))
    else if (noun === 'reports') json(response, 200, { columns: [], rows: [] })
    else if (noun === 'suggestions' && method === 'POST') this.#submit(body, rater, response)
    else if (noun === 'candidates') this.#candidate({ id, verb, body, rater }, response)
    else if (!suggestion) problem(response, { status: 404, type: 'unknown-suggestion', detail: 'Ask for a new one.' })
    else if (method === 'DELETE') json(response, 200, shown(this.#cancel(suggestion), rater))
    else if (verb === 'events') await this.#events(suggestion, rater, response)
    else await this.#wait(suggestion, { since: url.searchParams.get('since'), rater }, response)
  }

  /** @param {any} body @param {string} rater @param {ServerResponse} response */
  #submit(body, rater, response) {
    if (this.refusal) return problem(response, this.refusal)
    if (!/\w/.test(`${body.ticket.subject ?? ''}${body.ticket.text}`)) return problem(response, { status: 400, type: 'empty-ticket', detail: 'The ticket is empty.' })
    const scripts = this.script(body.ticket)
    /** @type {Kept} */
    const suggestion = {
      id: randomUUID(),
      state: 'queued',
      revision: 1,
      created: new Date().toISOString(),
      steering: body.steering ?? '',
      prefer: 'now',
      rubric: 'quality',
      queue: { ...this.queue },
      candidates: scripts.map((_, index) => newCandidate('ABC'[index] ?? '?', MODELS[index] ?? '?')),
      raters: new Map(),
    }
    this.suggestions.set(suggestion.id, suggestion)
    suggestion.candidates.forEach((candidate, index) => void this.#write(suggestion, candidate, scripts[index] ?? {}))
    return json(response, 202, shown(suggestion, rater))
  }

  /** @param {Kept} suggestion @param {Candidate} candidate @param {Script} script */
  async #write(suggestion, candidate, { text = '', pace = 2, problem: failure, hold, placeholders = [] }) {
    if (hold) return
    await pause(pace)
    this.#change(suggestion, candidate, { state: 'writing', sources: this.sources })
    for (const word of text.match(/\s*\S+/g) ?? []) {
      await pause(pace)
      if (candidate.state !== 'writing') return
      this.#change(suggestion, candidate, { text: candidate.text + word })
    }
    if (candidate.state !== 'writing') return
    if (failure) this.#change(suggestion, candidate, { state: 'failed', problem: failure })
    else this.#change(suggestion, candidate, { state: 'done', finish: 'stop', placeholders, seconds: { first_text: 0.1, total: 1 } })
  }

  /** @param {Kept} suggestion @param {Candidate} candidate @param {Partial<Candidate>} change */
  #change(suggestion, candidate, change) {
    suggestion.revision += 1
    Object.assign(candidate, change, { revision: suggestion.revision })
    const states = suggestion.candidates.map(({ state }) => state)
    const open = states.some((state) => state === 'queued' || state === 'writing')
    if (open) suggestion.state = states.every((state) => state === 'queued') ? 'queued' : 'writing'
    else suggestion.state = states.includes('done') ? 'done' : states.includes('cancelled') ? 'cancelled' : 'failed'
    for (const tell of [...this.#watchers]) tell()
  }

  /** @param {Kept} suggestion */
  #cancel(suggestion) {
    for (const candidate of suggestion.candidates) {
      if (candidate.state === 'queued' || candidate.state === 'writing') this.#change(suggestion, candidate, { state: 'cancelled' })
    }
    return suggestion
  }

  /** @param {{id: string, verb: string, body: any, rater: string}} ask @param {ServerResponse} response */
  #candidate({ id, verb, body, rater }, response) {
    const suggestion = [...this.suggestions.values()].find(({ candidates }) => candidates.some((candidate) => candidate.id === id))
    if (!suggestion) return problem(response, { status: 404, type: 'unknown-candidate', detail: 'No such candidate.' })
    if (verb === 'outcomes') return this.#outcome(id, body, response)
    const rated = suggestion.raters.get(rater) ?? new Set()
    suggestion.raters.set(rater, rated.add(id))
    const weighted = RUBRIC.criteria.reduce((sum, { key, weight }) => sum + weight * body.scores[key], 0)
    const now = shown(suggestion, rater)
    const revealed = now.candidates.some(({ model }) => model !== null)
    return json(response, 201, { id: randomUUID(), overall: weighted / RUBRIC.weight_total, scores: body.scores, revealed, suggestion: now })
  }

  /** @param {string} candidateId @param {any} body @param {ServerResponse} response */
  #outcome(candidateId, body, response) {
    const trouble = this.outcomeTroubles.shift()
    if (trouble === 'cut') return void response.destroy()
    if (typeof trouble === 'object') return problem(response, trouble)
    this.outcomes.set(body.id, { candidateId, ...body })
    if (trouble === 'answer lost') return void response.destroy()
    return json(response, 201, { id: body.id })
  }

  /** @param {Kept} suggestion @param {{since: string | null, rater: string}} ask @param {ServerResponse} response */
  async #wait(suggestion, { since, rater }, response) {
    if (since !== null && suggestion.revision <= Number(since) && this.#isOpen(suggestion)) await this.#changed()
    json(response, 200, shown(suggestion, rater))
  }

  /** @param {Kept} suggestion @param {string} rater @param {ServerResponse} response */
  async #events(suggestion, rater, response) {
    if (!this.streams) {
      response.destroy()
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const send = (/** @type {string} */ name, /** @type {unknown} */ value) =>
      response.write(`id: ${suggestion.revision}\nevent: ${name}\ndata: ${JSON.stringify(value)}\n\n`)
    send('suggestion', shown(suggestion, rater))
    let sent = suggestion.candidates.map((candidate) => ({ ...candidate }))
    while (this.#isOpen(suggestion) && !response.destroyed) {
      await this.#changed()
      suggestion.candidates.forEach((candidate, index) => {
        const before = sent[index]
        if (!before || before.revision === candidate.revision) return
        const { id, label, state, revision, finish, problem: failure, sources, placeholders, text } = candidate
        const offset = before.text.length
        send('candidate', { id, label, state, revision, finish, problem: failure, sources, placeholders, offset, append: text.slice(before.text.length) })
      })
      sent = suggestion.candidates.map((candidate) => ({ ...candidate }))
    }
    send('end', { state: suggestion.state })
    response.end()
  }

  /** @param {Kept} suggestion */
  #isOpen = ({ state }) => state === 'queued' || state === 'writing'

  /** Something was written, or a moment passed (the caller may be gone). */
  #changed() {
    return new Promise((/** @type {(value: void) => void} */ done) => {
      const tell = () => {
        this.#watchers.delete(tell)
        done()
      }
      this.#watchers.add(tell)
      setTimeout(tell, 200)
    })
  }

  /** @param {string} path @param {ServerResponse} response */
  async #file(path, response) {
    const file = path === '/' ? 'demo/page/index.html' : path.replace(/^\/demo\//, 'demo/page/').replace(/^\//, '')
    try {
      const content = await readFile(new URL(file, ROOT))
      const type = MIME[/** @type {keyof typeof MIME} */ (extname(file))] ?? 'application/octet-stream'
      response.writeHead(200, { 'content-type': type, 'content-security-policy': "default-src 'self'" }).end(content)
    } catch {
      response.writeHead(404).end()
    }
  }
}

/** What a rater may see: models only once all finished candidates are rated. @param {Kept} kept @param {string} rater */
function shown({ raters, ...suggestion }, rater) {
  const rated = raters.get(rater) ?? new Set()
  const done = suggestion.candidates.filter(({ state }) => state === 'done')
  const reveal = suggestion.state === 'done' && done.every(({ id }) => rated.has(id))
  const candidates = suggestion.candidates.map((candidate) => ({
    ...candidate,
    rated: rated.has(candidate.id),
    model: reveal ? candidate.model : null,
    seconds: reveal ? candidate.seconds : null,
  }))
  return { ...suggestion, candidates }
}

/** @param {ServerResponse} response @param {number} status @param {unknown} value */
function json(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

/** @param {ServerResponse} response @param {Refusal} refusal */
function problem(response, { status, type, detail }) {
  const body = { type: `/problems/${type}`, title: type, status, detail }
  response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(body))
}

const pause = (/** @type {number} */ milliseconds) => new Promise((done) => setTimeout(done, milliseconds))
