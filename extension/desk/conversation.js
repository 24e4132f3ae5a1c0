/**
 * What was written in a Desk ticket, read from Desk's own REST through a connection of Zoho's. The
 * SDK gives a ticket's description only.
 */

import { plainText } from '../shared/plain_text.js'
import { withoutQuotes } from '../shared/quotes.js'
import { asObject, asText, unwrap } from '../shared/sdk_calls.js'

/** @import { Message } from '../shared/host.js' */
/** @import { DeskRequest } from './desk_sdk.js' */

/** @type {Record<string, string>} Where each data centre's Desk is. */
export const DESKS = {
  US: 'desk.zoho.com',
  EU: 'desk.zoho.eu',
  IN: 'desk.zoho.in',
  AU: 'desk.zoho.com.au',
  JP: 'desk.zoho.jp',
  CN: 'desk.zoho.com.cn',
  CA: 'desk.zohocloud.ca',
  SA: 'desk.zoho.sa',
  UK: 'desk.zoho.uk',
}

const LISTED = 50
/** Threads that are read in full: the customer's newest ones, and our newest. Each is a call. */
const MOST_READ = 4

/**
 * @typedef {object} Where
 * @property {string} connection  That may read tickets; empty: nothing is read.
 * @property {string} center  Such as `EU`.
 * @property {string} organisation
 */

export class Conversation {
  #request
  #where
  /** @type {Map<string, Promise<string>>} Threads never change. */
  #texts = new Map()

  /**
   * @param {(request: DeskRequest) => Promise<unknown>} request
   * @param {Where} where
   */
  constructor(request, where) {
    this.#request = request
    this.#where = where
  }

  /**
   * What the customer wrote since the last answer, and that answer, oldest first. Rejects if Desk
   * does not tell.
   *
   * @param {string} ticketId
   * @returns {Promise<Message[]>}
   */
  async messages(ticketId) {
    if (!this.#where.connection) return []
    const path = `/tickets/${encodeURIComponent(ticketId)}`
    const { data } = await this.#get(`${path}/conversations`, { from: '0', limit: String(LISTED) })
    const entries = (Array.isArray(data) ? data : []).map(asObject).filter(isPublic).sort(byTime)
    const last = entries.map(isOurs).lastIndexOf(true)
    const wanted = entries.slice(Math.max(0, last)).filter((entry) => entry['isDescriptionThread'] !== true)
    const read = [...wanted.slice(0, last < 0 ? 0 : 1), ...wanted.slice(last < 0 ? 0 : 1).slice(-MOST_READ)]
    return Promise.all(read.map((entry) => this.#message(path, entry)))
  }

  /**
   * @param {string} path
   * @param {Record<string, any>} entry
   * @returns {Promise<Message>}
   */
  async #message(path, entry) {
    const whole = entry['type'] === 'thread' ? await this.#thread(path, asText(entry['id'])) : plainText(entry['content'])
    return { from: isOurs(entry) ? 'agent' : 'customer', text: withoutQuotes(whole), at: timeOf(entry), isSent: true }
  }

  /** @param {string} path @param {string} id */
  #thread(path, id) {
    const known = this.#texts.get(id)
    if (known) return known
    const text = this.#get(`${path}/threads/${encodeURIComponent(id)}`, { include: 'plainText' }).then(
      ({ plainText: plain, content, summary }) => asText(plain) || plainText(content) || asText(summary),
    )
    this.#texts.set(id, text)
    text.catch(() => this.#texts.delete(id))
    return text
  }

  /**
   * @param {string} path
   * @param {Record<string, string>} parameters
   */
  async #get(path, parameters) {
    const { connection, center, organisation } = this.#where
    const { status, body } = unwrap(
      await this.#request({
        url: `https://${DESKS[center] ?? DESKS['US']}/api/v1${path}`,
        type: 'GET',
        headers: { orgId: organisation },
        data: parameters,
        postBody: {},
        connectionLinkName: connection,
      }),
    )
    const answer = asObject(body)
    if (status >= 400 || 'errorCode' in answer) throw new Error(asText(answer['message']) || `Desk answered ${status}.`)
    return answer
  }
}

/** @param {Record<string, any>} entry */
function isOurs({ type, direction, commenter }) {
  return type === 'thread' ? direction === 'out' : asObject(commenter)['type'] !== 'END_USER'
}

/** Drafts, forwarded mails and internal notes were not said to the customer. @param {Record<string, any>} entry */
function isPublic({ type, status, visibility, isForward, isPublic: shown }) {
  if (type === 'comment') return shown === true
  return type === 'thread' && (status ?? 'SUCCESS') === 'SUCCESS' && (visibility ?? 'public') === 'public' && isForward !== true
}

/** @param {Record<string, any>} entry */
const timeOf = ({ createdTime, commentedTime }) => Date.parse(asText(createdTime) || asText(commentedTime)) || 0

/** @param {Record<string, any>} first @param {Record<string, any>} second */
const byTime = (first, second) => timeOf(first) - timeOf(second)
