/** A line that says something in passing, for hosts without a way of their own. */

import { make } from './dom.js'

const SHOWN_FOR = 6000

/**
 * @param {HTMLElement} parent
 * @returns {(message: string) => void}
 */
export function toastIn(parent) {
  const line = make('p', { class: 'sa-toast', role: 'status' })
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let hiding
  parent.append(line)
  return (message) => {
    clearTimeout(hiding)
    line.textContent = message
    hiding = setTimeout(() => (line.textContent = ''), SHOWN_FOR)
  }
}
