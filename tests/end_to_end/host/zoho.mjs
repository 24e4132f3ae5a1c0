/**
 * Zoho on this machine: its pages, its widget hosting, its SDK scripts and its servers that call on
 * a widget's behalf. One HTTPS site answers to all names; the browser is told that each name is here.
 */

import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { selfSigned } from './certificate.mjs'
import { bodyOf, callOnce, folderSite, frontOf, startSite } from './sites.mjs'

/** @import { Answer } from './sites.mjs' */
/** @import { Packed } from './packed.mjs' */

export const BACKEND = 'https://suggest.example.org'
export const HOSTS = { desk: 'https://desk.zoho.eu', crm: 'https://crm.zoho.eu' }
const WIDGETS = { desk: 'https://0a1b2c.zappsusercontent.com', crm: 'https://3d4e5f.zappsusercontent.com' }
/** As the toolkit's own server answers for Desk, where `'self'` is not among the addresses. */
const DESK_POLICY = 'connect-src https://*.zohostatic.com https://*.sigmausercontent.com '
const PROXY_PATIENCE = 10_000
const HERE = fileURLToPath(new URL('.', import.meta.url))

/** @typedef {'desk' | 'crm'} Product */

export class Zoho {
  /** @type {Map<string, Answer>} */
  #sites = new Map()
  /** @type {{origin: string, stop: () => Promise<unknown>} | null} */
  #site = null
  #allowed
  /** Where the backend really is. */
  backend = ''
  /** What Zoho's servers add to calls through a connection. */
  secret = ''
  /** @type {string[]} Addresses of hosts that no widget has any business with. */
  strays = []
  /** @type {{url: string, method: string, connection: string | undefined, body: string}[]} */
  proxied = []
  /** @type {Record<Product, Record<string, unknown>>} What the pages are told. */
  settings = { desk: {}, crm: {} }

  /** @param {Record<Product, Packed>} packed */
  constructor(packed) {
    this.#allowed = packed.desk.allowed
    const policy = DESK_POLICY + packed.desk.connectSources.join(' ')
    this.#put(WIDGETS.desk, folderSite(packed.desk.folder, { 'Content-Security-Policy': policy }))
    this.#put(WIDGETS.crm, folderSite(packed.crm.folder))
    this.#put(BACKEND, frontOf(() => this.backend))
    this.#put(HOSTS.desk, this.#page('desk', WIDGETS.desk + packed.desk.page))
    this.#put(HOSTS.crm, this.#page('crm', WIDGETS.crm + packed.crm.page))
    this.#put('https://js.zohostatic.com', script('desk', 'ZohoDeskClientSDK.min.js'))
    this.#put('https://live.zwidgets.com', script('crm', 'ZohoEmbededAppSDK.min.js'))
  }

  /** @returns {Promise<string[]>} Flags for the browser. */
  async start() {
    this.#site = await startSite(selfSigned(), (request, response) => {
      const answer = this.#sites.get(request.headers.host ?? '')
      if (answer) return answer(request, response)
      this.strays.push(`https://${request.headers.host}${request.url}`)
      response.writeHead(404).end()
    })
    return [`--host-resolver-rules=MAP * ${new URL(this.#site.origin).host}`]
  }

  stop() {
    return this.#site?.stop()
  }

  /**
   * @param {string} origin
   * @param {Answer} answer
   */
  #put(origin, answer) {
    this.#sites.set(new URL(origin).host, answer)
  }

  /**
   * @param {Product} product
   * @param {string} widget
   * @returns {Answer}
   */
  #page(product, widget) {
    const files = folderSite(`${HERE}pages`)
    return async (request, response) => {
      const path = new URL(request.url ?? '/', 'https://x').pathname
      const json = path === '/settings.json' ? { widget, ...this.settings[product] } : path === '/proxy' ? await this.#call(await bodyOf(request)) : null
      if (json) response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(json))
      else await files(request, response)
    }
  }

  /**
   * Zoho's servers call an allowed host, within their own patience. Status 0: they could not.
   *
   * @param {{url: string, method: string, headers: Record<string, string>, body?: string, connection?: string}} wish
   */
  async #call({ url, method, headers, body, connection }) {
    this.proxied.push({ url, method, connection, body: body ?? '' })
    const { origin, pathname, search } = new URL(url)
    if (!this.#allowed.includes(origin) || origin !== BACKEND) return { status: 0, body: '' }
    const all = { ...headers, ...(connection && { Authorization: `Bearer ${this.secret}` }) }
    try {
      const call = { method, headers: all, body: body ?? '', patience: PROXY_PATIENCE }
      return await callOnce(this.backend + pathname + search, call)
    } catch {
      return { status: 0, body: '' }
    }
  }
}

/**
 * @param {Product} product
 * @param {string} name
 * @returns {Answer}
 */
function script(product, name) {
  return async (request, response) => {
    if (!request.url?.endsWith(name)) {
      response.writeHead(404).end()
      return
    }
    const parts = await Promise.all(['line', product].map((part) => readFile(`${HERE}sdk/${part}.js`, 'utf8')))
    response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(parts.join('\n'))
  }
}
