/** What the packed widgets say and do when things take time, break and come back. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { picture } from './browser.mjs'
import { GOOD } from './host/content.mjs'
import { ADMIN_SECRET, allDone, card, main, message, suggest, turned, useZoho } from './zoho_panel.mjs'
import { until } from './waiting.mjs'

/** @import { Product } from './host/zoho.mjs' */

const { parts, onPage } = useZoho('chats', { SUGGEST_ANSWER_SUGGEST__QUEUE_LIMIT: '6', SUGGEST_ANSWER_SUGGEST__OUTSIDE_SLOTS: '1' })
const slowly = (pace = 400) => (/** @type {string} */ model) => ({ text: GOOD['abc'.indexOf(model.charAt(0))] ?? '', pace })

for (const product of /** @type {Product[]} */ (['desk', 'crm'])) {
  test(`${product}: stopped in the middle, it keeps what was written`, () =>
    onPage(product, `${product}_stopped`, {}, async ({ page, widget }) => {
      parts.chats.reply = slowly()
      await main(widget).click()
      await widget.waitForFunction(() => (document.querySelector('[data-candidate=A] .sa-text')?.textContent ?? '').length > 30)
      await picture(page, `zoho_${product}_writing`)
      await widget.getByRole('button', { name: 'Stop' }).click()

      await widget.locator('[data-candidate=A][data-state=cancelled]').waitFor()
      assert.match(await widget.locator('.sa-progress').innerText(), /Stopped/)
    }))

  test(`${product}: the backend killed in the middle and started again, the reply arrives`, () =>
    onPage(product, `${product}_back`, {}, async ({ page, widget }) => {
      parts.chats.reply = slowly()
      await main(widget).click()
      await widget.waitForFunction(() => (document.querySelector('[data-candidate=A] .sa-text')?.textContent ?? '').length > 20)
      await parts.backend.kill()
      await widget.getByText('Connection lost. Trying again…').waitFor()
      await picture(page, `zoho_${product}_lost`)
      parts.chats.reply = slowly(0)
      await parts.backend.start()

      await allDone(widget)
      assert.equal(await widget.locator('.sa-lost').count(), 0)
    }))

  test(`${product}: the wrong secret is told in words`, () =>
    onPage(product, `${product}_refused`, {}, async ({ widget }) => {
      parts.zoho.secret = 'another'
      await main(widget).click()
      assert.match(await message(widget, 'failed').innerText(), /does not know this widget[^]*need not sign in again[^]*Tell your admin/)
    }))

  test(`${product}: signed out of Zoho is told in words`, () =>
    onPage(product, `${product}_signed_out`, {}, async ({ page, widget }) => {
      await page.evaluate(() => (/** @type {any} */ (globalThis).zoho.odd.signedOut = true))
      await main(widget).click()
      assert.match(await message(widget, 'failed').innerText(), /signed out/)
    }))
}

test('a backend that is down is told, and asking again works once it is up', () =>
  onPage('desk', 'desk_offline', {}, async ({ page, widget }) => {
    await parts.backend.kill()
    await main(widget).click()
    await message(widget, 'offline').waitFor()
    await picture(page, 'zoho_desk_offline_before')
    await parts.backend.start()

    await widget.getByRole('button', { name: 'Try again' }).click()

    await allDone(widget)
  }))

test('in a queue, its place is told; over a full one, what to do', () =>
  onPage('desk', 'desk_queue_full', {}, async ({ page, widget }) => {
    parts.chats.reply = slowly()
    await widget.locator('input[type=text]').fill('in a few words')
    await main(widget).click()
    await widget.locator('[data-candidate]').first().waitFor()
    await turned(widget, () => page.evaluate(() => /** @type {any} */ (globalThis).zoho.openTicket('4002')))
    await widget.locator('input[type=text]').fill('in a few words')
    await main(widget).click()
    await message(widget, 'waiting').waitFor()
    assert.match(await message(widget, 'waiting').innerText(), /ahead of yours|You are next/)
    await picture(page, 'zoho_desk_waiting')

    await turned(widget, () => page.evaluate(() => /** @type {any} */ (globalThis).zoho.openTicket('4003')))
    await widget.locator('input[type=text]').fill('in a few words')
    await main(widget).click()
    assert.match(await message(widget, 'failed').innerText(), /Too many replies are waiting/)
  }))

test('with no model running, it says so', () =>
  onPage('desk', 'desk_no_model', {}, async ({ widget }) => {
    await settled()
    await everyModel('deactivate')
    try {
      await main(widget).click()
      assert.match(await message(widget, 'failed').innerText(), /No model is running/)
    } finally {
      await everyModel('activate')
    }
  }))

test('a reply is copied even in a frame without the clipboard', () =>
  onPage('crm', 'crm_copied', { permissions: ['clipboard-read'] }, async ({ page, widget }) => {
    await settled()
    await suggest(widget)
    await card(widget, 'A').getByRole('button', { name: 'Copy reply A' }).click()
    await widget.getByText(/is copied/).first().waitFor()
    assert.ok(GOOD.includes(await page.evaluate(() => navigator.clipboard.readText())))
  }))

/** @param {'activate' | 'deactivate'} verb */
const everyModel = (verb) => Promise.all(['alder', 'birch', 'cedar'].map((name) => parts.backend.command('models', verb, name)))

/** Wait until the queue of earlier tests is empty. */
async function settled() {
  parts.chats.reply = slowly(0)
  const headers = { Authorization: `Bearer ${ADMIN_SECRET}` }
  await until(async () => /^suggest_answer_queue 0\.0$/m.test(await (await fetch(`${parts.backend.address}/metrics`, { headers })).text()))
}
