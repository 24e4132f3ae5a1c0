/** A Zoho CRM Case as a host of the panel. */

import { answered, NotInserted } from '../shared/host.js'
import { plainText } from '../shared/plain_text.js'
import { asObject, asText, proxied, requestParts } from '../shared/sdk_calls.js'
import { settingsFrom } from '../shared/settings.js'
import { comments, VARIABLE, variable, written } from './case_fields.js'

/** @import { Host, HostTicket, Insertion, Reply } from '../shared/host.js' */
/** @import { WidgetSettings } from '../shared/settings.js' */
/** @import { CrmSdk } from './crm_sdk.js' */

const MODULE = 'Cases'
const BODY = 2
const PARAMETERS = 1
const PATIENCE = 10_000
const POPUP = { height: '720', width: '520' }

/** @implements {Host} */
export class CrmHost {
  /** @type {Host['places']} */
  places = ['solution', 'note']
  #sdk
  #say
  #patience
  #caseId = ''
  #connection = ''
  /** @type {Map<string, {above: string, whole: string}>} What was put into the Solution of each Case. */
  #solutions = new Map()
  /** @type {Set<() => void>} */
  #watchers = new Set()

  /**
   * @param {CrmSdk | undefined} sdk
   * @param {{say: (message: string) => void, patience?: number}} parts  `patience`: milliseconds after
   *   which an answer is long in coming.
   */
  constructor(sdk, { say, patience = PATIENCE }) {
    if (!sdk) throw new Error("CRM's own script did not load. Check that the browser does not block live.zwidgets.com.")
    this.#sdk = sdk
    this.#say = say
    this.#patience = patience
  }

  /** @param {WidgetSettings} packed */
  async init(packed) {
    const { embeddedApp, CRM } = this.#sdk
    const loaded = new Promise((/** @type {(value: void) => void} */ done) => {
      embeddedApp.on('PageLoad', (page) => {
        this.#turnTo(page)
        done()
      })
    })
    await embeddedApp.init()
    await loaded
    const settings = settingsFrom(packed, variable(await CRM.API.getOrgVariable(VARIABLE).catch(() => null)))
    this.#connection = settings.connection
    if (settings.language) return settings
    const user = await this.#user()
    return { ...settings, language: asText(user['locale']) || asText(user['language']) }
  }

  /** @returns {Promise<HostTicket | null>} */
  async readTicket() {
    const id = this.#caseId
    if (!id) return null
    const record = await this.#record(id)
    const contact = asText(asObject(record['Related_To'])['name']) || asText(record['Reported_By'])
    const parts = [plainText(record['Description']), ...comments(record['Comments'])]
    return {
      id,
      subject: plainText(record['Subject']),
      text: parts.filter(Boolean).join('\n\n'),
      ...(contact && { contact }),
    }
  }

  /**
   * What agents wrote into the Solution and into notes; whether a customer got it CRM does not tell.
   *
   * @param {string} id
   */
  async readMessages(id) {
    const notes = { Entity: MODULE, RecordID: id, RelatedList: 'Notes', page: 1, per_page: 50 }
    const [record, found] = await Promise.all([
      this.#record(id),
      this.#sdk.CRM.API.getRelatedRecords?.(notes).catch(() => null),
    ])
    return written(record['Solution'], found)
  }

  async currentUser() {
    const user = await this.#user()
    const id = asText(user['id'])
    if (!id) throw new Error('CRM did not tell who you are. Sign in to CRM again.')
    return { id, name: asText(user['full_name']) || asText(user['email']) }
  }

  /**
   * @param {string} url
   * @param {RequestInit} init
   */
  call(url, init) {
    const { CONNECTION, HTTP } = this.#sdk.CRM
    const { method, headers, body } = requestParts(init)
    const param_type = init.body ? BODY : PARAMETERS
    if (this.#connection) {
      const request = { url, method, headers, parameters: body, param_type }
      return proxied(CONNECTION.invoke(this.#connection, request), init.signal)
    }
    const send = HTTP[method.toLowerCase()]
    if (!send) return Promise.reject(new Error(`CRM has no HTTP.${method.toLowerCase()}.`))
    return proxied(send({ url, headers, params: {}, ...(init.body ? { body: init.body } : {}) }), init.signal)
  }

  /**
   * @param {Reply} reply
   * @param {Insertion} insertion
   * @returns {Promise<'inserted'>}
   */
  async insert({ text }, { place, ticketId, unsure }) {
    const how = { patience: this.#patience, unsure }
    if (place === 'solution') await answered(this.#putIntoSolution(text, ticketId), how)
    else if (place === 'note') await answered(this.#addNote(text, ticketId), how)
    else throw new NotInserted('failed', `A Case has no ${place}.`)
    return 'inserted'
  }

  /** @param {string} message */
  notify(message) {
    this.#say(message)
  }

  /** @param {() => void} changed */
  onTicketChange(changed) {
    this.#watchers.add(changed)
    return () => this.#watchers.delete(changed)
  }

  /** A related list names the Case, a button a list of one. @param {unknown} page */
  #turnTo(page) {
    const { EntityId, ButtonPosition } = asObject(page)
    const id = asText(Array.isArray(EntityId) ? EntityId[0] : EntityId)
    if (ButtonPosition) this.#sdk.CRM.UI?.Resize?.(POPUP).catch(() => {})
    if (id === this.#caseId) return
    this.#caseId = id
    for (const changed of this.#watchers) changed()
  }

  /** CRM loads the widget anew with its page, so what was written shows on opening. */
  onWritten() {
    return () => {}
  }

  async #user() {
    const answer = asObject(await this.#sdk.CRM.CONFIG.getCurrentUser())
    return asObject(Array.isArray(answer['users']) ? answer['users'][0] : answer)
  }

  /** @param {string} id */
  async #record(id) {
    const answer = asObject(await this.#sdk.CRM.API.getRecord({ Entity: MODULE, RecordID: id }))
    const record = asObject(Array.isArray(answer['data']) ? answer['data'][0] : null)
    if (asText(record['id']) === id || 'Subject' in record) return record
    throw new Error(asText(answer['message']) || 'CRM did not give this Case. Reload the page.')
  }

  /**
   * A solution that somebody wrote stays; the reply goes below it, in place of an earlier one of ours.
   * If it is there already, as after a press whose answer was lost, it stays as it is.
   *
   * @param {string} text
   * @param {string} id
   */
  async #putIntoSolution(text, id) {
    const record = await this.#record(id)
    const written = asText(record['Solution']).trim()
    const ours = this.#solutions.get(id)
    if (`\n\n${written}`.endsWith(`\n\n${text.trim()}`)) return
    const above = written === ours?.whole ? ours.above : written
    const whole = [above, text.trim()].filter(Boolean).join('\n\n')
    this.#check(id)
    const change = { Entity: MODULE, APIData: { id, Solution: whole }, Trigger: /** @type {[]} */ ([]) }
    saved(await this.#sdk.CRM.API.updateRecord(change))
    this.#solutions.set(id, { above, whole })
  }

  /**
   * @param {string} text
   * @param {string} id
   */
  async #addNote(text, id) {
    this.#check(id)
    saved(await this.#sdk.CRM.API.addNotes({ Entity: MODULE, RecordID: id, Title: 'Suggested answer', Content: text }))
  }

  /** The last thing before a change: a reply must not land in another customer's Case. @param {string} id */
  #check(id) {
    if (id !== this.#caseId) throw new NotInserted('changed')
  }
}

/** @param {unknown} answer */
function saved(answer) {
  const { data, message } = asObject(answer)
  const result = asObject(Array.isArray(data) ? data[0] : answer)
  if (asText(result['code']) === 'SUCCESS') return
  throw new NotInserted('failed', asText(result['message']) || asText(message) || 'CRM did not save it.')
}
