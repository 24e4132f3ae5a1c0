/**
 * Each state of the panel in a real browser, over the contract server: what the product reaches
 * only when something breaks, and what is easier to see when each word is scripted.
 */

import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { REPLIES, SOURCES } from '../extension/contract_content.mjs'
import { ContractServer } from '../extension/contract_server.mjs'
import { axeFindings, openPage, picture, startBrowser } from './browser.mjs'

/** @import { Browser, BrowserContextOptions, Page } from 'playwright-core' */

const SMALL = { viewport: { width: 1280, height: 760 } }
const SLOW = 25
const HOSTILE = [
  '<img src="http://127.0.0.1:9/a.png" onerror="window.owned=1"><script>window.owned=1</script>',
  '[click](javascript:window.owned=1) ![x](http://127.0.0.1:9/b.png) <svg onload="window.owned=1">',
  '<base href="http://127.0.0.1:9/"><style>*{display:none}</style> \u202Etxet\u202C \u200B&lt;b&gt;',
]

/** @type {ContractServer} */
let server
/** @type {string} */
let base
/** @type {Browser} */
let browser

before(async () => {
  server = new ContractServer()
  base = await server.start()
  browser = await startBrowser()
})
after(async () => {
  await browser.close()
  await server.stop()
})
beforeEach(() => {
  server.requests = []
  server.refusal = null
  server.queue = { ahead: 0, seconds: null }
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
  const { page, trouble, close } = await openPage(browser, base, options)
  try {
    await page.waitForSelector('.sa-panel')
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

const main = (/** @type {Page} */ page) => page.locator('.sa-ask button[type=submit]')
const card = (/** @type {Page} */ page, /** @type {string} */ label) => page.locator(`[data-candidate=${label}]`)
const message = (/** @type {Page} */ page, /** @type {string} */ kind) => page.locator(`.sa-message[data-kind=${kind}]`)

/** @param {Page} page */
async function suggest(page) {
  await main(page).click()
  await page.locator('[data-candidate]').first().waitFor()
}

/** @param {Page} page @param {number} [count] */
async function allDone(page, count = 3) {
  await page.waitForFunction((wanted) => document.querySelectorAll('[data-state=done]').length === wanted, count)
}

test('before anything is asked, the panel says what it is for', () =>
  onPage('idle', SMALL, async (page) => {
    assert.match(await message(page, 'idle').innerText(), /You choose, edit and send/)
    assert.equal(await main(page).innerText(), 'Suggest answer')
  }))

test('while words come, the panel can be stopped and keeps them', () =>
  onPage('stopped', SMALL, async (page) => {
    server.script = () => REPLIES.map((text) => ({ text, pace: SLOW }))
    await suggest(page)
    await page.waitForFunction(() => (document.querySelector('[data-candidate=A] .sa-text')?.textContent ?? '').length > 40)
    await picture(page, 'writing')
    assert.equal(await main(page).getAttribute('aria-disabled'), 'true')

    await page.getByRole('button', { name: 'Stop' }).click()
    await page.locator('[data-candidate=A][data-state=cancelled]').waitFor()

    const text = await card(page, 'A').locator('.sa-text').innerText()
    assert.ok(REPLIES[0]?.startsWith(text.trim()))
    assert.equal(await page.locator('.sa-progress').innerText(), 'Stopped. What was written stays here.')
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Regenerate')
  }))

test('stopped before the first word, it offers to ask again', () =>
  onPage('cancelled', SMALL, async (page) => {
    server.script = () => [{ hold: true }, { hold: true }, { hold: true }]
    server.queue = { ahead: 4, seconds: 21.4 }
    await main(page).click()
    const waiting = message(page, 'waiting')
    assert.match(await waiting.innerText(), /4 replies are ahead of yours\. About 21 seconds\./)
    await picture(page, 'waiting')

    await page.getByRole('button', { name: 'Stop' }).click()

    await message(page, 'cancelled').waitFor()
    assert.equal(await main(page).innerText(), 'Suggest answer')
  }))

test('one failed reply says why and leaves the others to be used', () =>
  onPage('one_failed', SMALL, async (page) => {
    const problem = { type: '/problems/engine-timeout', title: 'Engine timeout', detail: 'Nothing came for 60 s.' }
    server.script = () => [{ text: 'Fine.' }, { text: 'Begun', problem }, { text: 'Fine, too.' }]
    await suggest(page)
    await allDone(page, 2)

    const failed = card(page, 'B')
    assert.match(await failed.innerText(), /The model took too long\s+Regenerate to try again\./)
    assert.equal(await failed.getByRole('button', { name: /Insert/ }).count(), 0)
    assert.equal(await card(page, 'C').getByRole('button', { name: 'Insert reply C' }).isVisible(), true)
    assert.equal(await page.locator('.sa-progress').innerText(), '2 replies ready')
  }))

test('all failed, it says so and what to do', () =>
  onPage('all_failed', { ...SMALL, colorScheme: 'dark' }, async (page) => {
    const problem = { type: '/problems/engine-unreachable', title: 'Engine unreachable', detail: 'No connection.' }
    server.script = () => [{ problem }, { problem }, { problem }]
    await suggest(page)
    await page.waitForFunction(() => document.querySelectorAll('[data-state=failed]').length === 3)

    assert.match(await page.locator('.sa-progress').innerText(), /All replies failed/)
    assert.match(await card(page, 'A').innerText(), /This model is not running/)
    assert.equal(await main(page).innerText(), 'Regenerate')
  }))

test('a full queue is told in words, and trying again works', () =>
  onPage('queue_full', SMALL, async (page) => {
    server.refusal = { status: 503, type: 'queue-full', detail: '48 replies wait already.' }
    await main(page).click()
    const failed = message(page, 'failed')
    assert.match(await failed.innerText(), /Too many replies are waiting[^]*48 replies wait already/)

    server.refusal = null
    await picture(page, 'queue_full_before')
    await failed.getByRole('button', { name: 'Try again' }).click()

    await allDone(page)
  }))

test('an unreachable server is told in words', () =>
  onPage('offline', SMALL, async (page) => {
    await page.route('**/api/v1/suggestions', (route) => route.abort())
    await main(page).click()
    assert.match(await message(page, 'offline').innerText(), /The server cannot be reached[^]*tell your admin/)
  }))

test('a ticket without text has nothing to answer', () =>
  onPage('empty', { ...SMALL, path: '/#ticket=lp-9005' }, async (page) => {
    await main(page).click()
    assert.match(await message(page, 'empty').innerText(), /nothing to answer yet/)
    assert.equal(server.posted('/suggestions').length, 0)
  }))

test('hostile text in tickets, replies and sources stays text', () =>
  onPage('hostile', { ...SMALL, path: '/#ticket=lp-9004' }, async (page) => {
    server.script = () => HOSTILE.map((text) => ({ text }))
    server.sources = [
      { title: '<b onmouseover=alert(1)>Bold</b>', kind: 'article', url: 'javascript:window.owned=1', key: 'a' },
      { title: 'Data', kind: 'article', url: 'data:text/html,<script>1</script>', key: 'b' },
    ]
    await suggest(page)
    await allDone(page)
    server.sources = SOURCES

    for (const [index, text] of HOSTILE.entries()) {
      assert.equal(await card(page, 'ABC'[index] ?? '').locator('.sa-text').evaluate((element) => element.textContent), text)
    }
    assert.equal(await page.locator('#panel :is(img, script, iframe, a, style, base, b)').count(), 0)
    assert.equal(await page.locator('#thread :is(img, script, b)').count(), 0)
    await card(page, 'A').getByRole('button', { name: 'Insert reply A' }).click()
    assert.equal(await page.locator('#editor').inputValue(), HOSTILE[0])
    await page.getByRole('button', { name: 'Send' }).click()
    await page.locator('.message.ours').waitFor()
    assert.equal(await page.evaluate(() => 'owned' in window), false)
  }))

test('an answer from another ticket cannot be inserted', () =>
  onPage('changed_ticket', SMALL, async (page) => {
    await suggest(page)
    await allDone(page)
    await page.evaluate(() => {
      const insert = document.querySelector('[data-candidate=A] .sa-primary')
      location.hash = '#ticket=lp-9002'
      addEventListener('hashchange', () => insert instanceof HTMLElement && insert.click(), { once: true })
    })

    await page.getByRole('heading', { name: 'Who is allowed' }).waitFor()
    await message(page, 'idle').waitFor()
    await page.waitForTimeout(200)

    assert.equal(await page.locator('#editor').inputValue(), '')
  }))

test('in Ukrainian, dark, at 300 pixels, nothing is cut off', () =>
  onPage('narrow_dark_uk', { viewport: { width: 300, height: 800 }, colorScheme: 'dark', path: '/?language=uk#ticket=lp-9003' }, async (page) => {
    await suggest(page)
    await allDone(page)
    await card(page, 'B').getByRole('button', { name: 'Оцінити відповідь B' }).click()
    await page.locator('.sa-scale').first().waitFor()
    await page.keyboard.press('4')

    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    assert.equal(overflow, 0)
    assert.equal(await main(page).innerText(), 'Написати інакше')
  }))

test('right to left, the panel mirrors', () =>
  onPage('right_to_left', { viewport: { width: 300, height: 800 } }, async (page) => {
    await suggest(page)
    await allDone(page)
    await page.locator('#panel').evaluate((panel) => panel.setAttribute('dir', 'rtl'))
    await page.locator('#panel').scrollIntoViewIfNeeded()

    const [label, state] = await Promise.all(['.sa-label', '.sa-state'].map((part) => card(page, 'A').locator(part).boundingBox()))
    assert.ok(label && state && label.x > state.x)
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0)
  }))
