/** What replies are based on, as chips: articles and solved tickets. */

import { icon, make, webAddress } from './dom.js'

/** @import { Source } from './api_types.js' */
/** @import { Translations } from './translations.js' */

const ICONS = {
  article: 'M4 1.8h5.2L12.5 5v9.2H4zM9 2v3.2h3.3M6 8h4.5M6 10.8h4.5',
  solved: 'M2 3h12v8.5H7.5L4.5 14v-2.5H2zM5.4 7.2l1.9 1.9 3.6-3.7',
}

export class SourcesView {
  #translations
  #version = ''

  /**
   * @param {Translations} translations
   * @param {string} key  What the chips are, for screen readers.
   */
  constructor(translations, key) {
    this.#translations = translations
    this.element = make('ul', { class: 'sa-sources', hidden: true, 'aria-label': translations.say(key) })
  }

  /** @param {readonly Source[]} sources */
  show(sources) {
    const version = JSON.stringify(sources)
    if (version === this.#version) return
    this.#version = version
    this.element.hidden = sources.length === 0
    this.element.replaceChildren(...sources.map((source) => make('li', {}, this.#chip(source))))
  }

  #chip(/** @type {Source} */ { title, kind, url }) {
    const address = webAddress(url)
    const name = make('span', { class: 'sa-chip-title', dir: 'auto' }, title)
    const label = make('span', { class: 'sa-hidden' }, `${this.#translations.say(`sources.${kind}`)}: `)
    const attributes = { class: 'sa-chip', title: `${this.#translations.say(`sources.${kind}`)}: ${title}` }
    if (!address) return make('span', attributes, icon(ICONS[kind]), label, name)
    const link = { ...attributes, href: address, target: '_blank', rel: 'noopener noreferrer' }
    return make('a', link, icon(ICONS[kind]), label, name)
  }
}
