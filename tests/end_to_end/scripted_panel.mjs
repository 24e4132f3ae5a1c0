/** The demo page over the contract server, where each word and each refusal is scripted. */

import assert from 'node:assert/strict'
import { after, before, beforeEach } from 'node:test'
import { REPLIES, SOURCES } from '../extension/contract_content.mjs'
import { ContractServer } from '../extension/contract_server.mjs'
import { axeFindings, openPage, picture, startBrowser } from './browser.mjs'
import { endAll } from './ending.mjs'

/** @import { Browser, BrowserContextOptions, Page } from 'playwright-core' */

export const SMALL = { viewport: { width: 1280, height: 760 } }

/** Start server and browser for a file of tests; each test gets the server as new. */
export function useScriptedPanel() {
  const server = new ContractServer()
  /** @type {Browser | undefined} */
  let browser
  let base = ''
  before(async () => {
    base = await server.start()
    browser = await startBrowser()
  })
  after(() => endAll({ browser: () => browser?.close(), server: () => server.stop() }))
  beforeEach(() => {
    server.requests = []
    server.refusal = null
    server.outcomes.clear()
    server.queue = { ahead: 0, seconds: null }
    server.sources = SOURCES
    server.script = () => REPLIES.map((text) => ({ text }))
  })

  /**
   * A page for one test: checked by axe, pictured and looked through for trouble at its end.
   *
   * @param {string} name
   * @param {BrowserContextOptions & {path?: string}} options
   * @param {(page: Page) => Promise<void>} act
   */
  async function onPage(name, options, act) {
    const { page, trouble, close } = await openPage(/** @type {Browser} */ (browser), base, options)
    try {
      await page.locator('.sa-body > *').first().waitFor() // only then is a ticket open in it
      await act(page)
      await picture(page, name)
      assert.deepEqual(await axeFindings(page), [])
      assert.deepEqual(trouble, [])
    } catch (error) {
      await picture(page, `${name}_failed`)
      throw error
    } finally {
      await close()
    }
  }
  return { server, onPage }
}

/** @param {Page} page */
export const main = (page) => page.locator('.sa-ask button[type=submit]')

/**
 * @param {Page} page
 * @param {string} label
 */
export const card = (page, label) => page.locator(`[data-candidate=${label}]`)

/**
 * @param {Page} page
 * @param {string} kind
 */
export const message = (page, kind) => page.locator(`.sa-message[data-kind=${kind}]`)

/** @param {Page} page */
export async function suggest(page) {
  await main(page).click()
  await page.locator('[data-candidate]').first().waitFor()
}

/**
 * @param {Page} page
 * @param {number} [count]
 */
export async function allDone(page, count = 3) {
  await page.waitForFunction((wanted) => document.querySelectorAll('[data-state=done]').length === wanted, count)
}
