/** How the widget behaves: what was packed with it, and what an admin set in the product. */

/**
 * @typedef {object} WidgetSettings
 * @property {string} backend  The backend's address without a slash at the end; empty: this page's.
 * @property {'proxy' | 'direct'} calls  By way of the product's servers, or from the browser.
 * @property {string} connection  Name of the product's connection that adds the key to calls.
 * @property {string} reading  Name of the product's connection that may read what was written in
 *   tickets; empty: only the text they began with is read.
 * @property {string} agentkey  For calls without a connection. Every agent can read it.
 * @property {boolean} autostart  Ask as soon as a ticket is opened.
 * @property {readonly string[]} linkhosts  Hosts that links in replies may lead to.
 * @property {string} language  Of the panel; empty: that of the product or the browser.
 */

/** @type {WidgetSettings} */
export const DEFAULTS = {
  backend: '',
  calls: 'direct',
  connection: '',
  reading: '',
  agentkey: '',
  autostart: false,
  linkhosts: [],
  language: '',
}

const YES = ['true', 'yes', 'on', '1']

/**
 * The packed settings with those an admin set over them. Products hand over texts, so `yes` and
 * `true` are both true; an empty value leaves what was packed. The backend is fixed by the package.
 *
 * @param {WidgetSettings} packed
 * @param {Record<string, unknown>} set
 * @returns {WidgetSettings}
 */
export function settingsFrom(packed, set) {
  const text = (/** @type {Exclude<keyof WidgetSettings, 'linkhosts' | 'autostart'>} */ name) =>
    String(set[name] ?? '').trim() || packed[name]
  const calls = text('calls').toLowerCase()
  if (calls !== 'proxy' && calls !== 'direct') {
    throw new Error(`The setting "calls" is "${calls}"; it can be "proxy" or "direct". Ask your admin to correct it.`)
  }
  return {
    backend: packed.backend,
    calls,
    connection: text('connection'),
    reading: text('reading'),
    agentkey: text('agentkey'),
    autostart: isSet(set['autostart']) ? isYes(set['autostart']) : packed.autostart,
    linkhosts: isSet(set['linkhosts']) ? listed(set['linkhosts']) : packed.linkhosts,
    language: text('language'),
  }
}

/** @param {unknown} value */
const isSet = (value) => value !== undefined && value !== null && value !== ''

/** @param {unknown} value */
const isYes = (value) => YES.includes(String(value).trim().toLowerCase())

/** @param {unknown} value  A list, or names with commas or spaces between. */
function listed(value) {
  const names = Array.isArray(value) ? value.map(String) : String(value).split(/[\s,;]+/)
  return names.map((name) => name.trim().toLowerCase()).filter(Boolean)
}
