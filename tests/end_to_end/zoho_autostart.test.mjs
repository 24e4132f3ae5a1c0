/** Both packed widgets ask by themselves if the admin says so, once for each ticket. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allDone, message, turned, useZoho, widgetOf } from './zoho_panel.mjs'
import { until } from './waiting.mjs'

const { parts, onPage } = useZoho('chats')
const asked = () => parts.zoho.proxied.filter(({ url, method }) => method === 'POST' && url.endsWith('/suggestions')).length

test('Desk: opening a ticket asks; coming back to it does not ask again', () =>
  onPage('desk', 'desk_autostart', {}, async ({ page, widget }) => {
    await message(widget, 'idle').waitFor()
    const desk = /** @type {{config: {name: string, value: string}[]}} */ (/** @type {unknown} */ (parts.zoho.settings.desk))
    desk.config.push({ name: 'autostart', value: 'yes' })
    await page.reload()
    const started = await widgetOf(page)
    await allDone(started)
    await turned(started, () => page.getByRole('button', { name: 'Invoice for March' }).click())
    await allDone(started)
    assert.equal(asked(), 2)
    const calls = parts.zoho.proxied.length
    await turned(started, () => page.getByRole('button', { name: 'I forgot my password' }).click())
    await allDone(started)
    await until(() => parts.zoho.proxied.length > calls)
    assert.equal(asked(), 2)
  }))

test('CRM: a Case that is opened asks', () =>
  onPage('crm', 'crm_autostart', {}, async ({ page, widget }) => {
    await message(widget, 'idle').waitFor()
    const crm = /** @type {{variables: {suggest_answer: string}}} */ (/** @type {unknown} */ (parts.zoho.settings.crm))
    crm.variables.suggest_answer = JSON.stringify({ ...JSON.parse(crm.variables.suggest_answer), autostart: true })
    await page.reload()
    await allDone(await widgetOf(page))
    assert.equal(asked(), 1)
  }))
