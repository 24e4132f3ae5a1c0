/** The packed Desk widget over real models: asking, inserting into the right ticket only, rating. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { picture } from './browser.mjs'
import { allDone, card, main, message, suggest, turned, useZoho } from './zoho_panel.mjs'
import { until } from './waiting.mjs'

/** @import { Page } from 'playwright-core' */

const { parts, onPage } = useZoho('tiny')

/** @param {Page} page */
const editor = (page) => page.locator('#editor')
const insertA = { name: 'Insert reply A' }

/**
 * @param {Page} page
 * @param {string} subject
 */
const open = (page, subject) => page.getByRole('button', { name: subject }).click()

test('a click brings three growing replies, and one goes into the open editor', () =>
  onPage('desk', 'desk_ready', {}, async ({ page, widget }) => {
    await page.getByRole('button', { name: 'Reply', exact: true }).click()
    await suggest(widget)
    assert.ok((await widget.locator('.sa-chip').count()) >= 1)
    const text = await card(widget, 'A').locator('.sa-text').innerText()
    await card(widget, 'A').getByRole('button', insertA).click()

    await page.waitForFunction(() => document.getElementById('editor')?.textContent)
    assert.equal((await editor(page).innerText()).replace(/\s+/g, ' ').trim(), text.replace(/\s+/g, ' ').trim())
    await page.locator('#toast', { hasText: 'Reply A is in the editor' }).waitFor()
    const asked = parts.zoho.proxied.find(({ url, method }) => method === 'POST' && url.endsWith('/suggestions'))
    assert.equal(asked?.connection, 'suggestbackend')
  }))

for (const noEditor of ['rejects', 'fails']) {
  test(`with no editor open it says so, and inserts once there is one (Zoho ${noEditor})`, () =>
    onPage('desk', `desk_click_reply_${noEditor}`, { odd: { noEditor } }, async ({ page, widget }) => {
      await suggest(widget)
      await card(widget, 'B').getByRole('button', { name: 'Insert reply B' }).click()
      await widget.getByText(/Click (“|")?Reply(”|")? first/).first().waitFor()
      await picture(page, `zoho_desk_waits_for_editor_${noEditor}`)

      await page.getByRole('button', { name: 'Reply', exact: true }).click()

      await page.waitForFunction(() => document.getElementById('editor')?.textContent)
    }))
}

test('a reply that waited for the editor never lands in another ticket', () =>
  onPage('desk', 'desk_waited_elsewhere', {}, async ({ page, widget }) => {
    await suggest(widget)
    await card(widget, 'A').getByRole('button', insertA).click()
    await widget.getByText(/Reply(”|")? first/).first().waitFor()

    await open(page, 'Invoice for March')
    await page.getByRole('button', { name: 'Reply', exact: true }).click()

    await page.locator('#toast', { hasText: 'Another ticket is open now' }).waitFor()
    assert.equal(await editor(page).innerText(), '')
  }))

test('a ticket changed without a word just before inserting gets nothing', () =>
  onPage('desk', 'desk_changed', { odd: { shift: false } }, async ({ page, widget }) => {
    await page.getByRole('button', { name: 'Reply', exact: true }).click()
    await suggest(widget)
    await page.evaluate(() => (/** @type {any} */ (globalThis).zoho.odd.holds = 'ticket.id')) // nor does it find out by itself
    await card(widget, 'A').getByRole('button', insertA).click()
    await page.evaluate(() => {
      const { zoho } = /** @type {any} */ (globalThis)
      zoho.openTicket('4002')
      zoho.openEditor()
      zoho.odd.holds = ''
    })

    await page.locator('#toast', { hasText: 'Another ticket is open now' }).waitFor()
    assert.equal(await editor(page).innerText(), '')
  }))

test('another ticket opened while words come does not mix replies', () =>
  onPage('desk', 'desk_two_tickets', {}, async ({ page, widget }) => {
    await main(widget).click()
    await message(widget, 'idle').waitFor({ state: 'hidden' })
    await turned(widget, () => open(page, 'Invoice for March'))
    await suggest(widget)
    const second = await widget.locator('.sa-text').allInnerTexts()

    await turned(widget, () => open(page, 'I forgot my password'))
    await allDone(widget)

    const first = await widget.locator('.sa-text').allInnerTexts()
    await turned(widget, () => open(page, 'Invoice for March'))
    await allDone(widget)
    assert.deepEqual(await widget.locator('.sa-text').allInnerTexts(), second)
    assert.equal(first.length, 3)
  }))

test('rated by keyboard alone; nothing names a model before all are rated', () =>
  onPage('desk', 'desk_revealed', {}, async ({ page, widget }) => {
    /** @type {string[]} */
    const bodies = []
    page.on('response', async (response) => {
      if (response.url().includes('/proxy')) bodies.push(await response.text().catch(() => ''))
    })
    await suggest(widget)
    await until(() => bodies.some((body) => body.includes('candidates')))
    assert.equal(bodies.some((body) => /tiny-\d/.test(body)), false)
    assert.equal(/tiny-\d/.test(await widget.content()), false)

    await widget.getByRole('button', { name: 'Rate reply A' }).focus()
    await page.keyboard.press('Enter')
    for (const label of 'ABC') {
      await widget.waitForFunction((wanted) => document.activeElement?.matches(`[data-candidate=${wanted}] .sa-scale input`), label)
      for (const key of '4353') await page.keyboard.press(key)
      if (label === 'B') {
        assert.equal(/tiny-\d/.test(await widget.content()), false)
        await picture(page, 'zoho_desk_rating')
      }
      await page.keyboard.press('Enter')
    }

    await widget.getByText('All rated').waitFor()
    assert.match((await widget.locator('.sa-author').allInnerTexts()).join(' '), /tiny-1|tiny-2|tiny-3/)
  }))

for (const shape of ['plain', 'text', 'connection']) {
  test(`answers come through whichever way Zoho wraps them: ${shape}`, () =>
    onPage('desk', `desk_shape_${shape}`, { odd: { shape } }, async ({ widget }) => {
      await suggest(widget)
      assert.equal(await widget.locator('.sa-text').count(), 3)
    }))
}

test('called directly, words stream past the policy that Zoho sets', () =>
  onPage('desk', 'desk_direct', { direct: true }, async ({ widget }) => {
    await suggest(widget)
    assert.equal(parts.zoho.proxied.length, 0)
  }))

test('a ticket without a word has nothing to answer', () =>
  onPage('desk', 'desk_empty', {}, async ({ page, widget }) => {
    await turned(widget, () => page.evaluate(() => /** @type {any} */ (globalThis).zoho.openTicket('4004')))
    await main(widget).click()
    await message(widget, 'empty').waitFor()
  }))
