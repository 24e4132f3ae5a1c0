/** Debian's chromium under playwright-core, with what every browser test wants to watch. */

import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { PATIENCE } from './waiting.mjs'

/** @import { Browser, BrowserContextOptions, Frame, Page } from 'playwright-core' */
/** @import { AxeResults } from 'axe-core' */

const need = createRequire(new URL('../../extension/package.json', import.meta.url))
/** @type {typeof import('playwright-core')} */
const { chromium } = need('playwright-core')
const AXE = need.resolve('axe-core/axe.min.js')
const ARTEFACTS = new URL('../artefacts/', import.meta.url)
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/**
 * @param {string[]} [flags]
 * @returns {Promise<Browser>}
 */
export function startBrowser(flags = []) {
  const executablePath = process.env['SUGGEST_ANSWER_CHROMIUM'] ?? '/usr/bin/chromium'
  return chromium.launch({ executablePath, args: [...FLAGS, ...flags] })
}

/**
 * A page in a context of its own. `trouble` gathers whatever a healthy page never does: errors,
 * console errors, requests to other origins.
 *
 * @param {Browser} browser
 * @param {string} base
 * @param {BrowserContextOptions & {path?: string}} [options]
 */
export async function openPage(browser, base, { path = '/', ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, bypassCSP: false, ...options })
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: base })
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE)
  /** @type {string[]} */
  const trouble = []
  page.on('pageerror', (error) => trouble.push(`error: ${error.message}`))
  page.on('console', (line) => {
    if (line.type() === 'error' && !line.text().startsWith('Failed to load resource')) trouble.push(line.text())
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(base) && !request.url().startsWith('data:')) trouble.push(`request: ${request.url()}`)
  })
  await page.goto(base + path)
  return { page, trouble, close: () => context.close() }
}

/**
 * Keep a picture of the page.
 *
 * @param {Page} page
 * @param {string} name
 */
export async function picture(page, name) {
  mkdirSync(ARTEFACTS, { recursive: true })
  await page.screenshot({ path: fileURLToPath(new URL(`${name}.png`, ARTEFACTS)) })
}

/**
 * What axe finds wrong on the page as it is, one line each. axe is put in by the debugger's own
 * world, so the page's content security policy stays as it is.
 *
 * @param {Page | Frame} page
 * @returns {Promise<string[]>}
 */
export async function axeFindings(page) {
  const { readFile } = await import('node:fs/promises')
  await page.evaluate(await readFile(AXE, 'utf8'))
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
  /** @type {AxeResults} */
  const { violations } = await page.evaluate(
    (values) => /** @type {any} */ (globalThis).axe.run(document, { runOnly: { type: 'tag', values } }),
    tags,
  )
  return violations.flatMap(({ id, help, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${help} at ${target} ${failureSummary}`))
}
