/** The packed widgets in a frame of a page that plays Zoho, over a real backend. */

import assert from 'node:assert/strict'
import { after, before, beforeEach } from 'node:test'
import { axeFindings, picture, startBrowser } from './browser.mjs'
import { endAll } from './ending.mjs'
import { Backend } from './host/backend.mjs'
import { Chats } from './host/chats.mjs'
import { CASES, CRM_USER, GOOD, TICKETS, USER } from './host/content.mjs'
import { packed } from './host/packed.mjs'
import { BACKEND, HOSTS, Zoho } from './host/zoho.mjs'
import { PATIENCE } from './waiting.mjs'

/** @import { Browser, BrowserContextOptions, Frame, Page } from 'playwright-core' */
/** @import { Product } from './host/zoho.mjs' */

export const SECRET = 'a long secret of the whole organisation'
export const ADMIN_SECRET = `${SECRET} of admins`
const NAMES = ['alder', 'birch', 'cedar']
const FRIENDS = ['js.zohostatic.com', 'live.zwidgets.com', '0a1b2c.zappsusercontent.com', '3d4e5f.zappsusercontent.com']
const WIDE = { viewport: { width: 1180, height: 860 } }

/** @typedef {BrowserContextOptions & {direct?: boolean, odd?: Record<string, unknown>, axe?: boolean, reading?: string}} Options */

/**
 * Start all parts for a file of tests: with tiny models, or with chats whose replies a test writes.
 *
 * @param {'tiny' | 'chats' | 'mixed'} models  `mixed`: two chats and stored answers.
 * @param {Record<string, string>} [environment]
 */
export function useZoho(models, environment = {}) {
  const keys = { SUGGEST_ANSWER_WEB__AGENT_KEY: SECRET, SUGGEST_ANSWER_WEB__ADMIN_KEY: ADMIN_SECRET }
  const origins = JSON.stringify(['https://0a1b2c.zappsusercontent.com', 'https://3d4e5f.zappsusercontent.com'])
  const backend = new Backend({ ...keys, SUGGEST_ANSWER_WEB__ORIGINS: origins, ...environment })
  const chats = new Chats()
  const parts = /** @type {{zoho: Zoho, browser: Browser, backend: Backend, chats: Chats, packed: Awaited<ReturnType<typeof packed>>}} */ ({ backend, chats })
  before(async () => {
    const site = packed(BACKEND).then(async (zips) => {
      parts.packed = zips
      parts.zoho = new Zoho(zips)
      parts.browser = await startBrowser(await parts.zoho.start())
    })
    await Promise.all([site, startModels(backend, chats, models)])
    parts.zoho.backend = backend.address
  })
  after(() => {
    const { browser, zoho, packed: zips } = parts
    return endAll({ browser: () => browser?.close(), Zoho: () => zoho?.stop(), zips: () => zips?.remove(), backend: () => backend.stop(), chats: () => chats.stop() })
  })
  beforeEach(() => {
    chats.reply = (model) => ({ text: GOOD[NAMES.indexOf(model)] ?? '' })
    parts.zoho.secret = SECRET
    parts.zoho.strays = []
    parts.zoho.proxied = []
  })
  const onPage = (/** @type {Product} */ product, /** @type {string} */ name, /** @type {Options} */ options, /** @type {(opened: Opened) => Promise<void>} */ act) =>
    withPage(parts, { product, name, options, act })
  return { parts, onPage }
}

/**
 * @param {Backend} backend
 * @param {Chats} chats
 * @param {'tiny' | 'chats' | 'mixed'} models
 */
async function startModels(backend, chats, models) {
  if (models === 'tiny') await backend.startTiny()
  else if (models === 'mixed') await backend.startMixed(['alder', 'cedar'], await chats.start())
  else await backend.startChats(NAMES, await chats.start())
}

/** @typedef {{page: Page, widget: Frame, trouble: string[]}} Opened */

/**
 * @param {{zoho: Zoho, browser: Browser}} parts
 * @param {{product: Product, name: string, options: Options, act: (opened: Opened) => Promise<void>}} wish
 */
async function withPage({ zoho, browser }, { product, name, options, act }) {
  const { direct = false, odd = {}, axe = true, reading = '', ...context } = options
  zoho.settings = settings({ direct, reading, locale: context.locale ?? 'en-US' })
  const opened = await browser.newContext({ ...WIDE, ignoreHTTPSErrors: true, ...context })
  const page = await opened.newPage()
  page.setDefaultTimeout(PATIENCE)
  const trouble = watch(page, product)
  try {
    const oddities = Object.entries(odd)
    await page.goto(`${HOSTS[product]}/${product}.html`)
    const widget = await widgetOf(page)
    if (oddities.length) await page.evaluate((values) => Object.assign(/** @type {any} */ (globalThis).zoho.odd, Object.fromEntries(values)), oddities)
    await act({ page, widget, trouble })
    await picture(page, `zoho_${name}`)
    if (axe) assert.deepEqual(await findings(await widgetOf(page)), [])
    assert.deepEqual(trouble, [])
    assert.deepEqual(zoho.strays, [])
  } catch (error) {
    await picture(page, `zoho_${name}_failed`)
    if (error instanceof Error && trouble.length) error.message += `\nThe page said: ${trouble.join('\n')}`
    throw error
  } finally {
    await opened.close()
  }
}

/**
 * What axe finds wrong in the widget. The heading of the first level is the host page's.
 *
 * @param {Frame} widget
 */
export async function findings(widget) {
  return (await axeFindings(widget)).filter((finding) => !finding.startsWith('page-has-heading-one'))
}

/**
 * The widget's frame, once its panel shows the open ticket: a press before that is for none.
 *
 * @param {Page} page
 * @returns {Promise<Frame>}
 */
export async function widgetOf(page) {
  const handle = await page.locator('#widget').elementHandle()
  const frame = await handle?.contentFrame()
  assert.ok(frame, 'the page has no frame for the widget')
  await frame.locator('.sa-body > *').first().waitFor()
  return frame
}

/** @param {{direct: boolean, reading: string, locale: string}} wish */
function settings({ direct, reading, locale }) {
  const wanted = { reading, calls: direct ? 'direct' : 'proxy', connection: direct ? '' : 'suggestbackend', agentkey: direct ? SECRET : '', linkhosts: 'help.example' }
  const config = Object.entries(wanted).map(([name, value]) => ({ name, value, defaultValue: '' }))
  return {
    desk: { locale, tickets: TICKETS, user: USER.user, config },
    crm: { cases: CASES, crmUser: CRM_USER, variables: { suggest_answer: JSON.stringify(wanted) } },
  }
}

/**
 * Whatever a healthy widget never does: errors, and requests to hosts it has no business with.
 *
 * @param {Page} page
 * @param {Product} product
 */
function watch(page, product) {
  /** @type {string[]} */
  const trouble = []
  const friends = new Set([...FRIENDS, new URL(HOSTS[product]).host, new URL(BACKEND).host])
  page.on('pageerror', (error) => trouble.push(`error: ${error.message}`))
  page.on('console', (line) => {
    const isHarmless = /^Failed to load resource|The Clipboard API has been blocked/.test(line.text())
    if (line.type() === 'error' && !isHarmless) trouble.push(line.text())
  })
  page.on('request', (request) => {
    const { protocol, host } = new URL(request.url())
    if (protocol === 'https:' ? !friends.has(host) : protocol !== 'data:') trouble.push(`request: ${request.url()}`)
  })
  page.on('dialog', (dialog) => {
    trouble.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  return trouble
}

/**
 * The widget once it was loaded anew; its frame stays the same.
 *
 * @param {Page} page
 * @param {() => unknown} load
 */
export async function loadedAnew(page, load) {
  await (await widgetOf(page)).evaluate(() => document.documentElement.setAttribute('data-left', ''))
  await load()
  const widget = await widgetOf(page)
  await widget.locator('html:not([data-left]) .sa-body > *').first().waitFor()
  return widget
}

let turns = 0

/**
 * Do what opens another ticket, and wait until the widget shows that one. What is typed in the line to
 * ask with stays with its ticket, and blanks in it are not sent.
 *
 * @param {Frame} widget
 * @param {() => unknown} open
 */
export async function turned(widget, open) {
  const left = await widget.locator('.sa-ask input').evaluate((/** @type {HTMLInputElement} */ line, blanks) => (line.value += blanks), ' '.repeat((turns += 1)))
  await open()
  await widget.waitForFunction((typed) => /** @type {HTMLInputElement | null} */ (document.querySelector('.sa-ask input'))?.value !== typed, left)
}

/** @param {Frame} widget */
export const main = (widget) => widget.locator('.sa-ask button[type=submit]')

/**
 * @param {Frame} widget
 * @param {string} label
 */
export const card = (widget, label) => widget.locator(`[data-candidate=${label}]`)

/**
 * @param {Frame} widget
 * @param {string} kind
 */
export const message = (widget, kind) => widget.locator(`.sa-message[data-kind=${kind}]`)

/**
 * Ask, and wait until all replies are there.
 *
 * @param {Frame} widget
 * @param {number} [count]
 */
export async function suggest(widget, count = 3) {
  await main(widget).click()
  await allDone(widget, count)
}

/**
 * @param {Frame} widget
 * @param {number} [count]
 */
export async function allDone(widget, count = 3) {
  await widget.waitForFunction((wanted) => document.querySelectorAll('[data-state=done]').length === wanted, count)
}
