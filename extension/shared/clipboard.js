/** Copying a text, also inside a frame that was not given the clipboard. */

import { make } from './dom.js'

/**
 * Rejects if the browser lets nothing be copied.
 *
 * @param {string} text
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text)
    return
  } catch {
    // Not allowed in this frame: the older way still works, right after a click.
  }
  const focused = document.activeElement
  const field = make('textarea', { class: 'sa-hidden', 'aria-hidden': 'true', readonly: true }, text)
  document.body.append(field)
  field.select()
  const isCopied = document.execCommand('copy')
  field.remove()
  if (focused instanceof HTMLElement) focused.focus()
  if (!isCopied) throw new Error('The browser did not allow copying.')
}
