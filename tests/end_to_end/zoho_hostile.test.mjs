/** Replies that try to run, fetch or hide something: they arrive as text, in both products. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HOSTILE } from './host/hostile.mjs'
import { allDone, card, main, useZoho } from './zoho_panel.mjs'

/** @import { Frame, Page } from 'playwright-core' */

const { parts, onPage } = useZoho('chats')
const TAGS = ['P', 'BR', 'UL', 'OL', 'LI', 'B', 'I', 'A']
const UNSEEN = /[\u200B\u2060-\u2069\u202A-\u202E\uFEFF\u{E0000}-\u{E007F}]/u

test('a Desk reply editor gets tags of the list only, and nothing is fetched', () =>
  onPage('desk', 'hostile_desk', { odd: {} }, async ({ page, widget }) => {
    await page.getByRole('button', { name: 'Reply', exact: true }).click()
    await everyReply(widget, async (label) => {
      await page.evaluate(() => document.getElementById('editor')?.replaceChildren())
      await card(widget, label).getByRole('button', { name: `Insert reply ${label}` }).click()
      await page.waitForFunction(() => document.getElementById('editor')?.textContent)
      assert.deepEqual(await oddities(page), [])
    })
    await quiet(page, widget)
  }))

test('a CRM Solution and note get plain text, and nothing is fetched', () =>
  onPage('crm', 'hostile_crm', {}, async ({ page, widget }) => {
    await everyReply(widget, async (label) => {
      await page.evaluate(() => {
        /** @type {any} */ (globalThis).zoho.cases[0].Solution = null
        document.getElementById('solution')?.replaceChildren()
      })
      await card(widget, label).getByRole('button', { name: /Solution/ }).click()
      await page.waitForFunction(() => document.getElementById('solution')?.textContent)
      assert.doesNotMatch(await page.locator('#solution').evaluate((element) => element.textContent ?? ''), UNSEEN)
    })
    await quiet(page, widget)
  }))

/**
 * Let the models write the whole list, three at a time, and do something with each.
 *
 * @param {Frame} widget
 * @param {(label: string) => Promise<void>} act
 */
async function everyReply(widget, act) {
  const names = ['alder', 'birch', 'cedar']
  for (let at = 0; at < HOSTILE.length; at += 3) {
    const three = HOSTILE.slice(at, at + 3)
    parts.chats.reply = (model) => ({ text: three[names.indexOf(model)] ?? '.' })
    const before = await widget.locator('.sa-text').allInnerTexts()
    await main(widget).click()
    await widget.waitForFunction((old) => [...document.querySelectorAll('.sa-text')].every((element) => !old.includes(/** @type {HTMLElement} */ (element).innerText)), before)
    await allDone(widget)
    for (const label of 'ABC') await act(label)
  }
}

/**
 * What in the editor is on no list.
 *
 * @param {Page} page
 */
function oddities(page) {
  return page.locator('#editor').evaluate((editor, tags) => {
    const odd = []
    for (const element of editor.querySelectorAll('*')) {
      if (!tags.includes(element.tagName)) odd.push(element.outerHTML)
      for (const { name, value } of element.attributes) {
        const isLink = element.tagName === 'A' && name === 'href' && new URL(value).host === 'help.example'
        if (!isLink && !['rel', 'target'].includes(name)) odd.push(`${element.tagName} ${name}=${value}`)
      }
    }
    if (/[\u200B\u2060-\u2069\u202A-\u202E\uFEFF\u{E0000}-\u{E007F}]/u.test(editor.textContent ?? '')) odd.push('unseen characters')
    return odd
  }, TAGS)
}

/**
 * Nothing came alive, in no frame.
 *
 * @param {Page} page
 * @param {Frame} widget
 */
async function quiet(page, widget) {
  await page.waitForTimeout(500)
  for (const frame of [page, widget]) assert.equal(await frame.evaluate(() => 'owned' in globalThis), false)
  assert.equal(await widget.locator('.sa-text :is(*)').count(), 0)
}
