/** The packed CRM widget over real models: the Case read, and the reply put where CRM has room for it. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { picture } from './browser.mjs'
import { allDone, card, loadedAnew, main, suggest, useZoho } from './zoho_panel.mjs'

/** @import { Page } from 'playwright-core' */

const { onPage } = useZoho('tiny')

/** @param {Page} page @returns {Promise<number>} */
const workflows = (page) => page.evaluate(() => /** @type {any} */ (globalThis).zoho.workflows())

test('a reply goes into the Solution, and no workflow runs', () =>
  onPage('crm', 'crm_solution', {}, async ({ page, widget }) => {
    await suggest(widget)
    const text = await card(widget, 'A').locator('.sa-text').innerText()
    await card(widget, 'A').getByRole('button', { name: /Solution/ }).click()

    await page.waitForFunction(() => document.getElementById('solution')?.textContent)
    assert.equal((await page.locator('#solution').innerText()).trim(), text.trim())
    assert.equal(await workflows(page), 0)
  }))

test('a reply becomes a note', () =>
  onPage('crm', 'crm_note', {}, async ({ page, widget }) => {
    await suggest(widget)
    await card(widget, 'B').getByRole('button', { name: /note/ }).click()

    await page.locator('#notes li').waitFor()
    assert.equal(await page.locator('#solution').innerText(), '')
  }))

test('as a button, with the id in a list and the user in the other shape', () =>
  onPage('crm', 'crm_button', {}, async ({ page }) => {
    const asButton = () => {
      const { zoho } = /** @type {any} */ (globalThis)
      Object.assign(zoho.odd, { button: true, flatUser: true, shape: 'text' })
      zoho.openCase('30004002')
    }
    const widget = await loadedAnew(page, () => page.evaluate(asButton))
    await suggest(widget)
    await card(widget, 'C').getByRole('button', { name: /Solution/ }).click()
    await page.waitForFunction(() => document.getElementById('solution')?.textContent)
  }))

test('another Case loads the widget anew, and the first reply is still there on the way back', () =>
  onPage('crm', 'crm_two_cases', {}, async ({ page, widget }) => {
    await main(widget).click()
    await widget.locator('[data-candidate]').first().waitFor()
    const second = await loadedAnew(page, () => page.getByRole('button', { name: 'Invoice for March' }).click())
    await suggest(second)
    await picture(page, 'zoho_crm_second_case')

    const first = await loadedAnew(page, () => page.getByRole('button', { name: 'I forgot my password' }).click())
    await main(first).click()
    await allDone(first)
    assert.equal(await page.locator('#solution').innerText(), '')
  }))

test('called directly, as where the backend is in the house only', () =>
  onPage('crm', 'crm_direct', { direct: true }, async ({ widget }) => {
    await suggest(widget)
  }))
