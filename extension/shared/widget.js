/** The panel as a widget of its own page: settings, host and API come together here. */

import { Api } from './api.js'
import { make } from './dom.js'
import { mountPanel } from './panel.js'
import { DEFAULTS } from './settings.js'
import { languageFor, loadWords } from './words.js'

/** @import { Host } from './host.js' */
/** @import { WidgetSettings } from './settings.js' */

const PACKED = new URL('../settings.json', import.meta.url)

/**
 * Start the widget, or say in its place why it cannot.
 *
 * @param {HTMLElement} root
 * @param {() => Host} makeHost
 */
export async function startWidget(root, makeHost) {
  let language = navigator.language
  try {
    const response = await fetch(PACKED)
    const host = makeHost()
    const settings = await host.init({ ...DEFAULTS, ...(await response.json()) })
    const { autostart, linkhosts } = settings
    language = settings.language || language
    return await mountPanel(root, { host, api: apiFor(host, settings), language, autostart, linkhosts })
  } catch (error) {
    await showFailure(root, error, language)
    return null
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
 * @param {string} language
 */
async function showFailure(root, error, language) {
  const words = await loadWords(languageFor(language))
  const message = make(
    'div',
    { class: 'sa-message', role: 'alert', 'data-kind': 'host' },
    make('strong', {}, words.say('host.title')),
    make('p', {}, words.say('host.text')),
    make('p', { class: 'sa-detail', dir: 'auto' }, error instanceof Error ? error.message : String(error)),
  )
  root.lang = words.language
  root.dir = words.direction
  root.replaceChildren(make('section', { class: 'sa-panel' }, make('div', { class: 'sa-body' }, message)))
}
