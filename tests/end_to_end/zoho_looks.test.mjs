/** How the packed widgets look and read: narrow and wide, light and dark, in each language, mirrored. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { picture } from './browser.mjs'
import { card, findings, suggest, useZoho } from './zoho_panel.mjs'

/** @import { Frame } from 'playwright-core' */
/** @import { Product } from './host/zoho.mjs' */

const { onPage } = useZoho('chats')
const NARROW = { viewport: { width: 300, height: 900 } }

for (const product of /** @type {Product[]} */ (['desk', 'crm'])) {
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    for (const locale of ['en-US', 'uk-UA']) {
      const name = `${product}_${colorScheme}_${locale.slice(0, 2)}`
      test(`${product}, 300 pixels, ${colorScheme}, ${locale}: nothing is cut off, axe finds nothing`, () =>
        onPage(product, `looks_${name}`, { ...NARROW, colorScheme, locale }, async ({ page, widget }) => {
          await picture(page, `zoho_looks_${name}_idle`)
          await suggest(widget)
          await picture(page, `zoho_looks_${name}_ready`)
          assert.deepEqual(await cutOff(widget), [])
          assert.deepEqual(await findings(widget), [])
          await card(widget, 'A').locator('.sa-quiet').click()
          await widget.locator('.sa-scale').first().waitFor()
          await widget.locator('.sa-scale input').first().focus()
          await page.keyboard.press('4')
          await card(widget, 'A').locator('.sa-rating').evaluate((form) => form.scrollIntoView())
          assert.deepEqual(await cutOff(widget), [])
          assert.equal(await widget.locator('#panel').getAttribute('lang'), locale.slice(0, 2))
        }))
    }
  }

  test(`${product}, right to left, it mirrors`, () =>
    onPage(product, `looks_${product}_rtl`, NARROW, async ({ page, widget }) => {
      await suggest(widget)
      await widget.locator('#panel').evaluate((root) => root.setAttribute('dir', 'rtl'))
      await page.waitForTimeout(100)
      const [label, state] = await Promise.all(['.sa-label', '.sa-state'].map((part) => card(widget, 'A').locator(part).boundingBox()))
      assert.ok(label && state && label.x > state.x)
      assert.deepEqual(await cutOff(widget), [])
    }))
}

/**
 * Whatever is wider than the panel: the frame itself, and buttons whose words do not fit.
 *
 * @param {Frame} widget
 */
function cutOff(widget) {
  return widget.evaluate(() => {
    const odd = document.documentElement.scrollWidth > innerWidth ? [`page: ${document.documentElement.scrollWidth}`] : []
    for (const button of document.querySelectorAll('button')) {
      const { left, right } = button.getBoundingClientRect()
      if (button.scrollWidth > button.clientWidth + 1 || left < 0 || right > innerWidth + 0.5) odd.push(button.outerHTML)
    }
    return odd
  })
}
