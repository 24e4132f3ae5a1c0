/** A session over the contract server, and ways to wait for it. */

import { after, before, beforeEach } from 'node:test'
import { Api } from '../../extension/shared/api.js'
import { OutcomeQueue } from '../../extension/shared/outcome_queue.js'
import { Outcomes } from '../../extension/shared/outcomes.js'
import { Session } from '../../extension/shared/session.js'
import { UsedReplies } from '../../extension/shared/used_replies.js'
import { REPLIES } from './contract_content.mjs'
import { ContractServer } from './contract_server.mjs'

/** @import { PanelState } from '../../extension/shared/state.js' */

export const TICKET = { id: 'lp-9001', subject: 'Blank app', text: 'I cannot log in.', contact: 'Henrik Solberg' }

/** Start the contract server for a file of tests; each test gets it as new. */
export function useServer() {
  const server = new ContractServer()
  const used = { server, base: '' }
  before(async () => {
    used.base = await server.start()
  })
  after(() => server.stop())
  beforeEach(() => {
    server.requests = []
    server.refusal = null
    server.streams = true
    server.outcomeTroubles = []
    server.outcomes.clear()
    server.script = () => REPLIES.map((text) => ({ text }))
  })
  return used
}

/** A browser's storage. */
export class MemoryStorage {
  kept = /** @type {Map<string, string>} */ (new Map())
  getItem = (/** @type {string} */ key) => this.kept.get(key) ?? null
  setItem = (/** @type {string} */ key, /** @type {string} */ value) => void this.kept.set(key, value)
}

/**
 * @param {Api} api
 * @param {MemoryStorage | null} [storage]
 */
export function sessionOver(api, storage = null) {
  const queue = new OutcomeQueue({ api, storage, firstDelay: 5 })
  const usedReplies = new UsedReplies(storage, async () => [])
  const outcomes = new Outcomes({ api, host: { readMessages: async () => [] }, queue, usedReplies })
  return new Session(TICKET.id, { api, outcomes })
}

/** @param {string} base */
export function apiOf(base) {
  const api = new Api({ base: `${base}/api/v1` })
  api.rater = 'olha'
  return api
}

/** @param {string} base */
export const newSession = (base) => sessionOver(apiOf(base))

/** Wait until something is so, for a second at most. @param {() => boolean} wanted */
export async function settled(wanted) {
  for (let tries = 0; tries < 100 && !wanted(); tries += 1) await new Promise((done) => setTimeout(done, 10))
}

/**
 * @param {Session} session
 * @param {(state: PanelState) => boolean} wanted
 */
export function until(session, wanted) {
  return new Promise((/** @type {(value: void) => void} */ done) => {
    const look = () => {
      if (wanted(session.store.state)) done()
    }
    session.store.addEventListener('change', look)
    look()
  })
}

/** @param {Session} session */
export const texts = (session) => session.store.suggestion?.candidates.map(({ text }) => text)
