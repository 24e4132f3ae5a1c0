/** Gaps in a reply: marked, filled by keyboard, and in the way of inserting until they are. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { axeFindings, picture } from './browser.mjs'
import { allDone, card, SMALL, suggest, useScriptedPanel } from './scripted_panel.mjs'

/** @import { Page } from 'playwright-core' */

const GAPPY = 'Hello [NAME],\n\nyour order [ORDER_ID_1] left today; [ORDER_ID_1] is on the parcel.\n\nBest regards\n[NAME]'
const PLACEHOLDERS = ['[NAME]', '[ORDER_ID_1]']
const { server, onPage } = useScriptedPanel()
const script = () => [{ text: GAPPY, placeholders: PLACEHOLDERS }, { text: 'Fine.' }, { text: 'See [NAME].', placeholders: [] }]

/** @param {Page} page */
const inserted = (page) => page.locator('#editor').inputValue()

test('inserting waits for every gap; keyboard and screen reader are told which', () =>
  onPage('gaps_filled', SMALL, async (page) => {
    server.script = script
    await suggest(page)
    await allDone(page)
    const insert = card(page, 'A').getByRole('button', { name: 'Insert reply A' })
    const gaps = card(page, 'A').getByRole('group', { name: 'Fill in before you insert' })
    await picture(page, 'gaps_open')
    assert.deepEqual(await axeFindings(page), [])
    assert.deepEqual(await card(page, 'A').locator('mark').allInnerTexts(), ['[NAME]', '[ORDER_ID_1]', '[ORDER_ID_1]', '[NAME]'])
    assert.equal(await insert.getAttribute('aria-disabled'), 'true')
    const description = await insert.evaluate((button) => document.getElementById(button.getAttribute('aria-describedby') ?? '')?.textContent)
    assert.equal(description, 'Still missing: Name (1 of 2), Order number, Name (2 of 2)')

    await insert.focus()
    await page.keyboard.press('Enter')
    assert.equal(await inserted(page), '')
    for (const [label, value] of [['Name (1 of 2)', 'Mira'], ['Order number', '17-A'], ['Name (2 of 2)', 'Olha']]) {
      const focused = await page.evaluate(() => document.activeElement?.closest('label')?.firstChild?.textContent)
      assert.equal(focused, label)
      await page.keyboard.type(value ?? '')
      await page.keyboard.press('Tab')
    }
    assert.equal(await gaps.getByText('Still missing').isVisible(), false)
    assert.equal(await insert.getAttribute('aria-disabled'), 'false')
    await insert.focus()
    await page.keyboard.press('Enter')

    await page.waitForFunction(() => /** @type {HTMLTextAreaElement} */ (document.getElementById('editor')).value)
    assert.equal(await inserted(page), GAPPY.replace('[NAME]', 'Mira').replaceAll('[ORDER_ID_1]', '17-A').replace('[NAME]', 'Olha'))
  }))

test('a reply with gaps can be copied, with a warning; others are not in its way', () =>
  onPage('gaps_copied', SMALL, async (page) => {
    server.script = script
    await suggest(page)
    await allDone(page)
    await card(page, 'A').getByLabel('Order number').fill('17-A')
    await card(page, 'A').getByRole('button', { name: 'Copy reply A' }).click()

    await page.getByText('Reply A is copied with gaps. Fill them in before you send: Name (1 of 2), Name (2 of 2).').waitFor()
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), GAPPY.replaceAll('[ORDER_ID_1]', '17-A'))
    for (const label of 'BC') {
      assert.equal(await card(page, label).locator('mark').count(), 0)
      assert.notEqual(await card(page, label).getByRole('button', { name: `Insert reply ${label}` }).getAttribute('aria-disabled'), 'true')
    }
    assert.equal(await page.locator('.sa-hidden[role=status]').innerText().then((said) => /ready/.test(said)), true)
  }))

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  for (const language of ['en', 'uk']) {
    const name = `gaps_${colorScheme}_${language}`
    test(`300 pixels, ${colorScheme}, ${language}: gaps fit, and what was filled in outlives another ticket`, () =>
      onPage(name, { viewport: { width: 300, height: 1100 }, colorScheme, path: `/?language=${language}#ticket=lp-9001` }, async (page) => {
        server.script = script
        await suggest(page)
        await allDone(page)
        await card(page, 'A').locator('.sa-gaps input').nth(1).fill('17-A')
        await page.evaluate(() => (location.hash = '#ticket=lp-9002'))
        await page.locator('.sa-message[data-kind=idle]').waitFor()
        await page.evaluate(() => (location.hash = '#ticket=lp-9001'))
        await allDone(page)
        await card(page, 'A').evaluate((element) => element.scrollIntoView())

        assert.equal(await card(page, 'A').locator('.sa-gap-filled').count(), 2)
        assert.equal(await card(page, 'A').locator('.sa-gaps input').nth(1).inputValue(), '17-A')
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0)
      }))
  }
}

test('a rater reads the criteria in the language of the panel', () =>
  onPage('rating_uk', { ...SMALL, path: '/?language=uk' }, async (page) => {
    await suggest(page)
    await allDone(page)
    await card(page, 'A').getByRole('button', { name: 'Оцінити відповідь A' }).click()
    await page.locator('legend', { hasText: 'Граматика' }).waitFor()
  }))
