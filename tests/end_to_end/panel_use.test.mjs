/** What people do with replies, and what hostile or foreign text does to the panel: nothing. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clean } from '../../extension/shared/reply_text.js'
import { REPLIES } from '../extension/contract_content.mjs'
import { allDone, card, main, message, SMALL, suggest, useScriptedPanel } from './scripted_panel.mjs'
import { until } from './waiting.mjs'

const HOSTILE = [
  '<img src="http://127.0.0.1:9/a.png" onerror="window.owned=1"><script>window.owned=1</script>',
  '[click](javascript:window.owned=1) ![x](http://127.0.0.1:9/b.png) <svg onload="window.owned=1">',
  '<base href="http://127.0.0.1:9/"><style>*{display:none}</style> \u202Etxet\u202C \u200B&lt;b&gt;',
]
const { server, onPage } = useScriptedPanel()

test('a rating carries the flag, the comment and the ideal answer; copying takes the text', () =>
  onPage('rated', SMALL, async (page) => {
    await suggest(page)
    await allDone(page)
    await card(page, 'A').getByRole('button', { name: 'Copy reply A' }).click()
    await page.getByText('Reply A is copied.').waitFor()
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), REPLIES[0])

    await card(page, 'A').getByRole('button', { name: 'Rate reply A' }).click()
    await page.getByLabel('Harmful or against policy').check()
    await card(page, 'A').getByText('Comment or ideal answer').click()
    await page.getByLabel('Comment', { exact: true }).fill('Invents a policy.')
    await page.getByLabel('The answer you would have sent').fill('Hello 1 2 3')
    await page.getByRole('button', { name: 'Save rating' }).click()
    await page.getByText('Score every criterion first: Content, Grammar, Structure, Style.').waitFor()
    for (const key of ['2', '4', '3', '5']) await page.keyboard.press(key)
    await page.keyboard.press('Enter')

    await card(page, 'A').getByText('Your rating: 3.05 of 5').waitFor()
    assert.deepEqual(server.posted('/ratings'), [
      {
        scores: { content: 2, grammar: 4, structure: 3, style: 5 },
        rubric: 'quality',
        rubric_version: 1,
        critical: true,
        comment: 'Invents a policy.',
        ideal_answer: 'Hello 1 2 3',
      },
    ])
    await page.waitForFunction(() => document.activeElement?.closest('[data-candidate=B]'))
  }))

test('outcomes that could not be reported are sent when the page goes, each counted once', () =>
  onPage('outcomes_kept', SMALL, async (page) => {
    await page.route('**/outcomes', (route) => route.abort())
    await suggest(page)
    await allDone(page)
    const failed = page.waitForEvent('requestfailed')
    await card(page, 'A').getByRole('button', { name: 'Insert reply A' }).click()
    await failed
    await page.getByRole('button', { name: 'Send' }).click()
    await page.locator('.message.ours').waitFor()
    assert.equal(server.outcomes.size, 0)
    assert.doesNotMatch(await page.evaluate(() => JSON.stringify(localStorage)), /Henrik/)

    await page.unroute('**/outcomes')
    await page.reload()

    await until(() => server.outcomes.size === 2)
    await page.locator('.sa-body > *').first().waitFor()
    await until(() => page.evaluate(() => localStorage.getItem('suggest-answer.outcomes') === '[]'))
    assert.deepEqual([...server.outcomes.values()].map(({ kind, final_text }) => [kind, final_text]).sort(), [['inserted', undefined], ['sent', REPLIES[0]]])
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

    const shown = HOSTILE.map(clean)
    for (const [index, text] of shown.entries()) {
      assert.equal(await card(page, 'ABC'[index] ?? '').locator('.sa-text').evaluate((element) => element.textContent), text)
    }
    assert.equal(await page.locator('#panel :is(img, script, iframe, a, style, base, b)').count(), 0)
    assert.equal(await page.locator('#thread :is(img, script, b)').count(), 0)
    await card(page, 'A').getByRole('button', { name: 'Insert reply A' }).click()
    assert.equal(await page.locator('#editor').inputValue(), shown[0])
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
    await page.locator('#toast', { hasText: 'Another ticket is open now' }).waitFor()

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
