/** A Zoho Desk ticket as a host of the panel. */

import { copyText } from '../shared/clipboard.js'
import { NotInserted } from '../shared/host.js'
import { plainText } from '../shared/plain_text.js'
import { richText } from '../shared/rich_text.js'
import { asObject, asText, proxied, requestParts } from '../shared/sdk_calls.js'
import { settingsFrom } from '../shared/settings.js'
import { Conversation } from './conversation.js'
import { ReplyEditor } from './reply_editor.js'

/** @import { Host, HostTicket, Insertion, Message, Reply } from '../shared/host.js' */
/** @import { WidgetSettings } from '../shared/settings.js' */
/** @import { DeskApp, DeskSdk } from './desk_sdk.js' */

const LOOK_EVERY = 2000
const PATIENCE = 3000
const TITLE = 'Suggest answer'

/** @implements {Host} */
export class DeskHost {
  /** @type {Host['places']} */
  places = ['editor']
  #sdk
  #page
  #say
  #copy
  #lookEvery
  #editor
  #connection = ''
  /** @type {DeskApp | null} */
  #app = null
  /** @type {Conversation | null} */
  #conversation = null

  /**
   * @param {DeskSdk | undefined} sdk
   * @param {object} parts
   * @param {EventTarget} parts.page  Tells when the agent comes back to the widget.
   * @param {(message: string) => void} parts.say  Where Desk cannot tell something itself.
   * @param {(text: string) => Promise<void>} [parts.copy]
   * @param {number} [parts.patience]  Milliseconds after which an answer is long in coming.
   * @param {number} [parts.lookEvery]  Milliseconds between two looks at what is open.
   */
  constructor(sdk, { page, say, copy = copyText, patience = PATIENCE, lookEvery = LOOK_EVERY }) {
    if (!sdk) throw new Error("Desk's own script did not load. Check that the browser does not block js.zohostatic.com.")
    this.#sdk = sdk
    this.#page = page
    this.#say = say
    this.#copy = copy
    this.#lookEvery = lookEvery
    this.#editor = new ReplyEditor({
      put: async (html) => sdk.invoke?.('INSERT', 'ticket.replyEditor', { value: html }),
      ticketId: () => this.#ticketId(),
      patience,
    })
  }

  /** @param {WidgetSettings} packed */
  async init(packed) {
    const app = await this.#sdk.extension.onload()
    this.#app = app
    app.instance.on('ticket_replyEditor.opened', (event) => void this.#editor.opened(event))
    const given = asObject(await this.#sdk.get('extension.config').catch(() => null))['extension.config']
    /** @type {Record<string, unknown>} */
    const set = {}
    for (const { name, value, defaultValue } of Array.isArray(given) ? given.map(asObject) : []) {
      set[asText(name).toLowerCase()] = value ?? defaultValue
    }
    const settings = settingsFrom(packed, set)
    this.#connection = settings.connection
    const organisation = asText(asObject(await this.#sdk.get('portal.id').catch(() => null))['portal.id'])
    const center = app.meta?.dcType ?? ''
    this.#conversation = new Conversation((request) => this.#sdk.request(request), { connection: settings.reading, center, organisation })
    return { ...settings, language: settings.language || (app.locale ?? '') }
  }

  /** @returns {Promise<HostTicket | null>} */
  async readTicket() {
    const ticket = await this.#ticket()
    const id = asText(ticket['id'])
    if (!id) return null
    const contact = asText(ticket['contactName']) || asText(asObject(ticket['contact'])['name'])
    return {
      id,
      subject: plainText(ticket['subject']),
      text: plainText(ticket['description']),
      ...(contact && { contact }),
    }
  }

  /** @param {string} ticketId @returns {Promise<readonly Message[]>} */
  async readMessages(ticketId) {
    return this.#conversation?.messages(ticketId) ?? []
  }

  async currentUser() {
    const answer = asObject(await this.#sdk.get('user'))
    const user = asObject(answer['user'])
    const id = asText(user['id'])
    if (!id) throw new Error('Desk did not tell who you are. Sign in to Desk again.')
    return { id, name: asText(user['fullName']) || asText(user['email']) }
  }

  /**
   * @param {string} url
   * @param {RequestInit} init
   */
  call(url, init) {
    const { method, headers, body } = requestParts(init)
    const address = new URL(url)
    const data = Object.fromEntries(address.searchParams)
    address.search = ''
    const connection = this.#connection && { connectionLinkName: this.#connection }
    const request = { url: address.href, type: method, headers, data, postBody: body, ...connection }
    return proxied(this.#sdk.request(request), init.signal)
  }

  /**
   * @param {Reply} reply
   * @param {Insertion} insertion
   * @returns {Promise<'inserted' | 'copied'>}
   */
  async insert({ text, hosts }, { ticketId, waiting, unsure }) {
    if (typeof this.#sdk.invoke !== 'function') {
      if ((await this.#ticketId()) !== ticketId) throw new NotInserted('changed')
      await this.#copy(text)
      return 'copied'
    }
    await this.#editor.insert(richText(text, hosts), { ticketId, waiting, unsure })
    return 'inserted'
  }

  /**
   * @param {string} message
   * @param {'done' | 'warning'} [tone]
   */
  notify(message, tone = 'done') {
    const icon = tone === 'done' ? 'success' : 'failure'
    try {
      if (!this.#sdk.notify) throw new Error('no notify')
      const told = this.#sdk.notify({ title: TITLE, content: message, icon })
      Promise.resolve(told).catch(() => this.#say(message))
    } catch {
      this.#say(message)
    }
  }

  /**
   * Desk may tell of another ticket by an event; whether it does is not documented, so it is also
   * looked for when the agent comes back, and now and then.
   *
   * @param {() => void} changed
   */
  onTicketChange(changed) {
    let seen = ''
    let isOver = false
    const look = async () => {
      const id = await this.#ticketId().catch(() => seen)
      const isOther = seen !== '' && id !== seen
      seen = id
      if (isOver || !isOther) return
      this.#editor.moved(id)
      changed()
    }
    const listener = () => void look()
    const timer = setInterval(listener, this.#lookEvery)
    this.#app?.instance.on('ticket_Shift', listener)
    this.#page.addEventListener('focus', listener)
    listener()
    return () => {
      isOver = true
      clearInterval(timer)
      this.#page.removeEventListener('focus', listener)
    }
  }

  /**
   * Desk tells when an editor opens and a comment is added; that a reply went out shows in the
   * count of threads, which is looked at with the ticket's id.
   *
   * @param {() => void} written
   */
  onWritten(written) {
    for (const event of ['ticket_replyEditor.opened', 'ticket_comment.add']) this.#app?.instance.on(event, written)
    let seen = ''
    const look = async () => {
      const [id, count] = await Promise.all(['id', 'threadCount'].map(async (name) => asText(field(await this.#sdk.get(`ticket.${name}`), name))))
      const now = `${id}:${count}`
      if (seen.split(':')[0] === id && now !== seen) written()
      seen = now
    }
    const again = () => void look().catch(() => {})
    const timer = setInterval(again, this.#lookEvery)
    again()
    return () => clearInterval(timer)
  }

  async #ticketId() {
    return asText(field(await this.#sdk.get('ticket.id'), 'id'))
  }

  /** The ticket's fields, all of one ticket. */
  async #ticket() {
    const whole = asObject(asObject(await this.#sdk.get('ticket').catch(() => null))['ticket'])
    if (asText(whole['id']) && 'description' in whole) return whole
    const id = await this.#ticketId()
    const names = ['subject', 'description', 'contactName']
    const answers = await Promise.all(names.map((name) => this.#sdk.get(`ticket.${name}`).catch(() => null)))
    /** @type {Record<string, unknown>} */
    const ticket = { id }
    names.forEach((name, index) => (ticket[name] = field(answers[index], name)))
    return (await this.#ticketId()) === id ? ticket : {}
  }
}

/**
 * @param {unknown} answer
 * @param {string} name
 */
function field(answer, name) {
  const layer = asObject(answer)
  return layer[`ticket.${name}`] ?? asObject(layer['ticket'])[name] ?? asObject(layer['data'])[`ticket.${name}`]
}
