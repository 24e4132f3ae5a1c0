/**
 * The pictures in docs/agents.md, as the widgets look now. With SUGGEST_ANSWER_PICTURES=1 they are
 * written into docs/pictures; otherwise they are left among the artefacts.
 */

import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { card, main, suggest, useZoho } from './zoho_panel.mjs'

/** @import { Page } from 'playwright-core' */

const { parts, onPage } = useZoho('chats')
const DOCS = new URL('../../docs/', import.meta.url)
const KEPT = process.env['SUGGEST_ANSWER_PICTURES'] ? new URL('pictures/', DOCS) : new URL('../artefacts/pictures/', import.meta.url)
const SIZE = { viewport: { width: 940, height: 600 } }
const PANEL = { x: 580, y: 41, width: 360, height: 559 }
const MOST_BYTES = 300_000

/**
 * @param {Page} page
 * @param {string} name
 * @param {typeof PANEL} [clip]
 */
async function keep(page, name, clip) {
  mkdirSync(KEPT, { recursive: true })
  await page.mouse.move(0, 0)
  await page.waitForTimeout(200)
  await page.screenshot({ path: fileURLToPath(new URL(`${name}.png`, KEPT)), ...(clip && { clip }) })
}

test('asking, inserting and rating in Desk', () =>
  onPage('desk', 'pictures_desk', SIZE, async ({ page, widget }) => {
    const reply = parts.chats.reply
    parts.chats.reply = (model) => ({ ...reply(model), pace: 60 })
    await main(widget).click()
    await widget.waitForFunction(() => (document.querySelector('[data-candidate=A] .sa-text')?.textContent ?? '').length > 60)
    await keep(page, 'writing', PANEL)
    await widget.waitForFunction(() => document.querySelectorAll('[data-state=done]').length === 3)
    await page.getByRole('button', { name: 'Reply', exact: true }).click()
    await card(widget, 'A').getByRole('button', { name: 'Insert reply A' }).click()
    await page.waitForFunction(() => document.getElementById('editor')?.textContent)
    await keep(page, 'inserted')

    await widget.getByRole('button', { name: 'Rate reply A' }).click()
    await widget.locator('.sa-scale input').first().focus()
    for (const key of '434') await page.keyboard.press(key)
    await card(widget, 'A').locator('.sa-rating').evaluate((form) => form.scrollIntoView())
    await keep(page, 'rating', PANEL)
    for (const label of 'ABC') {
      await widget.waitForFunction((wanted) => document.activeElement?.matches(`[data-candidate=${wanted}] .sa-scale input`), label)
      for (const key of label === 'A' ? '4' : '3345') await page.keyboard.press(key)
      await page.keyboard.press('Enter')
    }
    await widget.getByText('All rated').waitFor()
    await widget.locator('.sa-progress').evaluate((line) => line.scrollIntoView())
    await keep(page, 'rated', PANEL)
  }))

test('a Case in CRM', () =>
  onPage('crm', 'pictures_crm', SIZE, async ({ page, widget }) => {
    await suggest(widget)
    await card(widget, 'A').getByRole('button', { name: /Solution/ }).click()
    await page.waitForFunction(() => document.getElementById('solution')?.textContent)
    await keep(page, 'case')
  }))

test('the pages name each picture there is, and the pictures are small', async () => {
  const words = await readFile(new URL('agents.md', DOCS), 'utf8')
  const there = await readdir(new URL('pictures/', DOCS))
  const sizes = await Promise.all(there.map(async (name) => (await readFile(new URL(`pictures/${name}`, DOCS))).length))

  assert.deepEqual([...words.matchAll(/\(pictures\/([\w.]+)\)/g)].map(([, name]) => name).sort(), there.sort())
  assert.ok(sizes.reduce((sum, size) => sum + size, 0) <= MOST_BYTES)
})
