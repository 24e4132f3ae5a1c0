/** What became of replies, told without a click; and the conversation that replies are asked for. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { picture } from './browser.mjs'
import { GOOD } from './host/content.mjs'
import { card, loadedAnew, main, suggest, useZoho } from './zoho_panel.mjs'
import { until } from './waiting.mjs'

/** @import { Page } from 'playwright-core' */

const { parts, onPage } = useZoho('chats')
const READING = { reading: 'readtickets' }

/** What was posted to a path that ends so. @param {string} end */
const posted = (end) => parts.zoho.proxied.filter(({ url, method }) => method === 'POST' && url.endsWith(end)).map(({ body }) => JSON.parse(body))
const told = () => posted('/outcomes').map(({ kind }) => kind)
/** As an editor that numbers lists itself gives it back. */
const plain = (/** @type {string} */ text) => text.replace(/^\d+\. /gm, '').replace(/\s+/g, ' ').trim()

/** @param {Page} page @param {(zoho: any) => unknown} act @returns {Promise<any>} */
const inZoho = (page, act) => page.evaluate(`(${act})(globalThis.zoho)`)

/**
 * Wait until the widget has seen how many messages there are now: it looks by itself, now and then,
 * and asks the second time after it heard the first answer.
 *
 * @param {Page} page
 */
async function looked(page) {
  const looks = () => inZoho(page, (zoho) => zoho.frame.calls.filter((/** @type {any} */ { values }) => values.includes('ticket.threadCount')).length)
  const before = await looks()
  await until(async () => (await looks()) >= before + 2)
}

test('Desk: a reply that was inserted, changed and sent is told as that, with what was sent', () =>
  onPage('desk', 'desk_sent', READING, async ({ page, widget }) => {
    await page.getByRole('button', { name: 'Reply', exact: true }).click()
    await suggest(widget)
    const text = await card(widget, 'A').locator('.sa-text').innerText()
    await card(widget, 'A').getByRole('button', { name: 'Insert reply A' }).click()
    await page.waitForFunction(() => document.getElementById('editor')?.textContent)
    await until(() => told().length > 0)
    assert.deepEqual(told(), ['inserted'])
    await page.locator('#editor').evaluate((editor) => editor.append('Greetings from Ada'))

    await page.getByRole('button', { name: 'Send' }).click()

    await until(() => told().length > 1)
    await looked(page)
    assert.deepEqual(told(), ['inserted', 'sent'], JSON.stringify([text, posted('/outcomes')]))
    assert.equal(plain(posted('/outcomes')[1].final_text), `${plain(text)} Greetings from Ada`)
  }))

test('Desk: sent after the widget was loaded anew, it is told all the same', () =>
  onPage('desk', 'desk_sent_later', READING, async ({ page, widget }) => {
    await page.getByRole('button', { name: 'Reply', exact: true }).click()
    await suggest(widget)
    await card(widget, 'B').getByRole('button', { name: 'Insert reply B' }).click()
    await page.waitForFunction(() => document.getElementById('editor')?.textContent)
    await until(() => told().length === 1)

    await loadedAnew(page, () => page.locator('#widget').evaluate((/** @type {HTMLIFrameElement} */ frame) => (frame.src = String(frame.src))))
    await page.getByRole('button', { name: 'Send' }).click()

    await until(() => told().includes('sent'))
  }))

test('Desk: an answer of the agent alone, or no connection that reads, tells nothing', () =>
  onPage('desk', 'desk_not_told', {}, async ({ page, widget }) => {
    await suggest(widget)
    await page.getByRole('button', { name: 'Reply', exact: true }).click()
    await card(widget, 'A').getByRole('button', { name: 'Insert reply A' }).click()
    await page.waitForFunction(() => document.getElementById('editor')?.textContent)
    await page.getByRole('button', { name: 'Send' }).click()
    await looked(page)
    await until(() => told().length > 0)
    assert.deepEqual(told(), ['inserted'])
  }))

test('Desk: what the customer wrote after the last answer is part of what is asked', () =>
  onPage('desk', 'desk_later_message', READING, async ({ page, widget }) => {
    await main(widget).hover() // so that it has read what was there before
    await page.getByRole('button', { name: 'Reply', exact: true }).click()
    await page.locator('#editor').fill('Please try another browser first.')
    await page.getByRole('button', { name: 'Send' }).click()
    await inZoho(page, (zoho) => zoho.customerWrites('I tried three browsers, and the link never comes.'))
    await looked(page)
    await suggest(widget)

    const { ticket } = posted('/suggestions')[0]
    assert.match(ticket.text, /^Hello,\s+I forgot my password[^]*I tried three browsers, and the link never comes\.$/)
    assert.doesNotMatch(ticket.text, /another browser first/)
  }))

test('Desk: an insertion that is not answered is not tried again by itself, and says so', () =>
  onPage('desk', 'desk_unsure', { odd: { holds: 'INSERT' } }, async ({ page, widget }) => {
    await page.getByRole('button', { name: 'Reply', exact: true }).click()
    await suggest(widget)
    await card(widget, 'A').getByRole('button', { name: 'Insert reply A' }).dblclick()
    await page.locator('#toast', { hasText: 'may be there already' }).waitFor()
    await card(widget, 'A').getByRole('button', { name: 'Insert again reply A' }).waitFor()
    await picture(page, 'zoho_desk_unsure_before')
    await inZoho(page, (zoho) => (zoho.odd.holds = ''))
    await page.locator('#toast', { hasText: 'Reply A is in the editor' }).waitFor()

    const text = await card(widget, 'A').locator('.sa-text').innerText()
    assert.equal(plain(await page.locator('#editor').innerText()), plain(text))
    await until(() => told().length > 0)
    assert.deepEqual(told(), ['inserted'])
  }))

test('CRM: a Solution that was changed after a reply was put there is told on the next opening', () =>
  onPage('crm', 'crm_edited', {}, async ({ page, widget }) => {
    await suggest(widget)
    await card(widget, 'A').getByRole('button', { name: /Solution/ }).click()
    await page.waitForFunction(() => document.getElementById('solution')?.textContent)
    await until(() => told().length === 1)
    await loadedAnew(page, () => inZoho(page, (zoho) => (zoho.frame.calls.length = 0, zoho.loadWidget())))
    await until(() => inZoho(page, (zoho) => zoho.frame.calls.some((/** @type {any} */ { method }) => method === 'getRelatedRecords')))
    await page.waitForTimeout(500) // nothing tells of a change that is not told
    assert.deepEqual(told(), ['inserted'])

    await inZoho(page, (zoho) => {
      zoho.cases[0].Solution = zoho.cases[0].Solution.replace('password', 'pass phrase')
      zoho.loadWidget()
    })
    await until(() => told().length === 2)
    assert.equal(told()[1], 'edited')
    assert.ok(GOOD.some((text) => plain(posted('/outcomes')[1].final_text) === plain(text.replace('password', 'pass phrase'))))
  }))

test('Desk: a gap that the real server names keeps a reply out of the editor until it is filled', () =>
  onPage('desk', 'desk_gap', {}, async ({ page, widget }) => {
    parts.chats.reply = () => ({ text: 'Hello [NAME], your order [ORDER_ID_7] left today.' })
    await widget.locator('input[type=text]').first().fill('with gaps')
    await page.getByRole('button', { name: 'Reply', exact: true }).click()
    await suggest(widget)
    const insert = card(widget, 'A').getByRole('button', { name: 'Insert reply A' })
    await insert.click({ force: true })
    assert.equal(await page.locator('#editor').innerText(), '')
    await card(widget, 'A').getByLabel('Name').fill('Mira')
    await card(widget, 'A').getByLabel('Order number').fill('17')
    await insert.click()
    await page.waitForFunction(() => document.getElementById('editor')?.textContent)
    assert.equal(plain(await page.locator('#editor').innerText()), 'Hello Mira, your order 17 left today.')
  }))
