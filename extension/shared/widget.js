/** The panel as a widget of its own page: settings, host and API come together here. */

import { Api } from './api.js'
import { make } from './dom.js'
import { mountPanel } from './panel.js'
import { DEFAULTS } from './settings.js'
import { loadTranslations } from './translations.js'

/** @import { Host } from './host.js' */
/** @import { WidgetSettings } from './settings.js' */
/** @import { Entries, Translations } from './translations.js' */

const TOAST_FOR = 6000

/**
 * @typedef {object} Packed  What came with the widget.
 * @property {Partial<WidgetSettings>} settings
 * @property {Record<string, Entries>} strings  Translations by language.
 */

/**
 * Start the widget, or say in its place why it cannot.
 *
 * @param {HTMLElement} root
 * @param {() => Host} makeHost
 * @param {Packed} packed
 */
export async function startWidget(root, makeHost, { settings: given, strings }) {
  let language = given.language || navigator.language
  try {
    const host = makeHost()
    const settings = await host.init({ ...DEFAULTS, ...given })
    const { autostart, linkhosts } = settings
    language = settings.language || language
    const api = apiFor(host, settings)
    return await mountPanel(root, { host, api, language, strings, autostart, linkhosts })
  } catch (error) {
    showFailure(root, error, await loadTranslations(language, strings))
    return null
  }
}

/**
 * A line that says something in passing, for hosts without a way of their own.
 *
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
    hiding = setTimeout(() => (line.textContent = ''), TOAST_FOR)
  }
}

/**
 * @param {Pick<Host, 'call'>} host
 * @param {WidgetSettings} settings
 */
export function apiFor(host, { backend, calls, agentkey, connection }) {
  const base = `${backend}/api/v1`
  if (calls === 'direct') return new Api({ base, key: agentkey })
  const call = (/** @type {string} */ url, /** @type {RequestInit} */ init) => host.call(url, init)
  return new Api({ base, key: connection ? '' : agentkey, call, streams: false })
}

/**
 * @param {HTMLElement} root
 * @param {unknown} error
 * @param {Translations} translations
 */
function showFailure(root, error, translations) {
  const message = make(
    'div',
    { class: 'sa-message', role: 'alert', 'data-kind': 'host' },
    make('strong', {}, translations.say('host.title')),
    make('p', {}, translations.say('host.text')),
    make('p', { class: 'sa-detail', dir: 'auto' }, error instanceof Error ? error.message : String(error)),
  )
  root.lang = translations.language
  root.dir = translations.direction
  root.replaceChildren(make('section', { class: 'sa-panel' }, make('div', { class: 'sa-body' }, message)))
}
