/** The panel's words: one JSON file a language, plurals by the language's own rules. */

/** @typedef {string | Record<string, string>} Entry  A sentence, or one for each plural category. */
/** @typedef {Record<string, Entry>} Entries */

export const LANGUAGES = ['en', 'uk']

export class Translations {
  #entries
  #plural

  /**
   * @param {string} language
   * @param {Entries} entries
   */
  constructor(language, entries) {
    this.language = language
    this.#entries = entries
    this.#plural = new Intl.PluralRules(language)
  }

  /** @returns {'ltr' | 'rtl'} */
  get direction() {
    return this.#entries['direction'] === 'rtl' ? 'rtl' : 'ltr'
  }

  /**
   * The sentence with this key; `{name}` is replaced by a value, and `n` picks the plural.
   * An unknown key is an error: a panel with holes should fail in tests, not in front of people.
   *
   * @param {string} key
   * @param {Record<string, string | number>} [values]
   * @returns {string}
   */
  say(key, values = {}) {
    const entry = this.#entries[key]
    if (entry === undefined) throw new Error(`There are no words for ${key} in ${this.language}.`)
    const sentence =
      typeof entry === 'string' ? entry : (entry[this.#plural.select(Number(values['n']))] ?? entry['other'] ?? '')
    return sentence.replace(/\{(\w+)\}/g, (_, /** @type {string} */ name) => String(values[name] ?? ''))
  }

  /** @param {string} key */
  has(key) {
    return key in this.#entries
  }

  /** @param {number} value */
  decimal(value) {
    return value.toLocaleString(this.language, { minimumFractionDigits: 2, maximumFractionDigits: 2 })
  }
}

/**
 * The language to use for a wish such as `uk-UA`; English if there are no words in it.
 *
 * @param {string} wish
 * @returns {string}
 */
export function languageFor(wish) {
  const language = wish.toLowerCase().split(/[-_]/)[0] ?? ''
  return LANGUAGES.includes(language) ? language : 'en'
}

/**
 * @param {string} wish
 * @param {Record<string, Entries>} [packed]  Translations at hand by language; others are fetched.
 * @returns {Promise<Translations>}
 */
export async function loadTranslations(wish, packed = {}) {
  const language = languageFor(wish)
  const entries = packed[language]
  if (entries) return new Translations(language, entries)
  const response = await fetch(new URL(`./strings/${language}.json`, import.meta.url))
  return new Translations(language, await response.json())
}
