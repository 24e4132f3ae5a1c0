/**
 * Each state of the panel in a real browser, over the contract server: what the product reaches
 * only when something breaks, and what is easier to see when each word is scripted.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { REPLIES } from '../extension/contract_content.mjs'
import { picture } from './browser.mjs'
import { allDone, card, main, message, SMALL, suggest, useScriptedPanel } from './scripted_panel.mjs'

/** Milliseconds between words: a picture is taken and a button pressed long before the last one. */
const SLOW = 250
const { server, onPage } = useScriptedPanel()

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
    await page.locator('[data-candidate=B][data-state=failed]').waitFor()

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

test('a connection lost in the middle is told, and taken up again', () =>
  onPage('lost', SMALL, async (page) => {
    server.script = () => REPLIES.map((text) => ({ text, pace: 60 }))
    let cut = true
    const perhaps = (/** @type {import('playwright-core').Route} */ route) => (cut ? route.abort() : route.continue())
    await page.route('**/events', perhaps)
    await page.route('**/suggestions/*?wait*', perhaps)
    await main(page).click()
    await page.getByText('Connection lost. Trying again…').waitFor()
    await picture(page, 'lost_before')

    cut = false

    await allDone(page)
    assert.equal(await card(page, 'B').locator('.sa-text').innerText(), REPLIES[1])
    assert.equal(await page.locator('.sa-progress').innerText(), '3 replies ready')
  }))

test('a ticket without text has nothing to answer', () =>
  onPage('empty', { ...SMALL, path: '/#ticket=lp-9005' }, async (page) => {
    await main(page).click()
    assert.match(await message(page, 'empty').innerText(), /nothing to answer yet/)
    assert.equal(server.posted('/suggestions').length, 0)
  }))
