/** A session over the contract server, and ways to wait for it. */

import { after, before, beforeEach } from 'node:test'
import { Api } from '../../extension/shared/api.js'
import { Session } from '../../extension/shared/session.js'
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
    server.script = () => REPLIES.map((text) => ({ text }))
  })
  return used
}

/** @param {string} base */
export function newSession(base) {
  const api = new Api({ base: `${base}/api/v1` })
  api.rater = 'olha'
  return new Session(TICKET.id, api)
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
