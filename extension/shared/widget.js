/** The panel as a widget of its own page: settings, host and API come together here. */

import { Api } from './api.js'
import { make } from './dom.js'
import { mountPanel } from './panel.js'
import { DEFAULTS } from './settings.js'
import { loadWords } from './words.js'

/** @import { Host } from './host.js' */
/** @import { WidgetSettings } from './settings.js' */
/** @import { Entries, Words } from './words.js' */

/**
 * @typedef {object} Packed  What came with the widget.
 * @property {Partial<WidgetSettings>} settings
 * @property {Record<string, Entries>} strings  Words by language.
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
    showFailure(root, error, await loadWords(language, strings))
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
 * @param {Words} words
 */
function showFailure(root, error, words) {
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
