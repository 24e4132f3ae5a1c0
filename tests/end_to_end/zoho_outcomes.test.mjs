/** What became of replies, told without a click; and the conversation that replies are asked for. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { picture } from './browser.mjs'
import { GOOD } from './host/content.mjs'
import { card, suggest, useZoho, widgetOf } from './zoho_panel.mjs'

/** @import { Page } from 'playwright-core' */

const { parts, onPage } = useZoho('chats')
const READING = { reading: 'readtickets' }

/** What was posted to a path that ends so. @param {string} end */
const posted = (end) => parts.zoho.proxied.filter(({ url, method }) => method === 'POST' && url.endsWith(end)).map(({ body }) => JSON.parse(body))
const told = () => posted('/outcomes').map(({ kind }) => kind)
/** As an editor that numbers lists itself gives it back. */
const plain = (/** @type {string} */ text) => text.replace(/^\d+\. /gm, '').replace(/\s+/g, ' ').trim()

/** @param {() => boolean} wanted */
async function until(wanted) {
  for (let tries = 0; tries < 100 && !wanted(); tries += 1) await new Promise((done) => setTimeout(done, 100))
  assert.ok(wanted())
}

/** @param {Page} page @param {(zoho: any) => void} act */
const inZoho = (page, act) => page.evaluate(`(${act})(globalThis.zoho)`)

test('Desk: a reply that was inserted, changed and sent is told as that, with what was sent', () =>
  onPage('desk', 'desk_sent', READING, async ({ page, widget }) => {
    await page.getByRole('button', { name: 'Reply', exact: true }).click()
    await suggest(widget)
    const text = await card(widget, 'A').locator('.sa-text').innerText()
    await card(widget, 'A').getByRole('button', { name: 'Insert reply A' }).click()
    await page.waitForFunction(() => document.getElementById('editor')?.textContent)
    assert.deepEqual(told(), ['inserted'])
    await page.locator('#editor').evaluate((editor) => editor.append('Greetings from Ada'))

    await page.getByRole('button', { name: 'Send' }).click()

    await until(() => told().length > 1)
    await page.waitForTimeout(500)
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

    await page.locator('#widget').evaluate((/** @type {HTMLIFrameElement} */ frame) => (frame.src = String(frame.src)))
    await widgetOf(page)
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
    await page.waitForTimeout(4000)
    assert.deepEqual(told(), ['inserted'])
  }))

test('Desk: what the customer wrote after the last answer is part of what is asked', () =>
  onPage('desk', 'desk_later_message', READING, async ({ page, widget }) => {
    await page.getByRole('button', { name: 'Reply', exact: true }).click()
    await page.locator('#editor').fill('Please try another browser first.')
    await page.getByRole('button', { name: 'Send' }).click()
    await inZoho(page, (zoho) => zoho.customerWrites('I tried three browsers, and the link never comes.'))
    await page.waitForTimeout(2500)
    await suggest(widget)

    const { ticket } = posted('/suggestions')[0]
    assert.match(ticket.text, /^Hello,\s+I forgot my password[^]*I tried three browsers, and the link never comes\.$/)
    assert.doesNotMatch(ticket.text, /another browser first/)
  }))

test('Desk: an insertion that is not answered is not tried again by itself, and says so', () =>
  onPage('desk', 'desk_unsure', { odd: { slowInsert: 5000 } }, async ({ page, widget }) => {
    await page.getByRole('button', { name: 'Reply', exact: true }).click()
    await suggest(widget)
    await card(widget, 'A').getByRole('button', { name: 'Insert reply A' }).dblclick()
    await page.locator('#toast', { hasText: 'may be there already' }).waitFor()
    await card(widget, 'A').getByRole('button', { name: 'Insert again reply A' }).waitFor()
    await picture(page, 'zoho_desk_unsure_before')
    await page.locator('#toast', { hasText: 'Reply A is in the editor' }).waitFor()

    const text = await card(widget, 'A').locator('.sa-text').innerText()
    assert.equal(plain(await page.locator('#editor').innerText()), plain(text))
    assert.deepEqual(told(), ['inserted'])
  }))

test('CRM: a Solution that was changed after a reply was put there is told on the next opening', () =>
  onPage('crm', 'crm_edited', {}, async ({ page, widget }) => {
    await suggest(widget)
    await card(widget, 'A').getByRole('button', { name: /Solution/ }).click()
    await page.waitForFunction(() => document.getElementById('solution')?.textContent)
    await until(() => told().length === 1)
    await inZoho(page, (zoho) => zoho.loadWidget())
    await widgetOf(page)
    await page.waitForTimeout(800)
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
