/** A model's reply as plain text: no characters that hide, reorder or carry unseen words. */

const JOINABLE = '\\u0600-\\u0DFF\\u0F00-\\u109F\\u1780-\\u18AF\\u2190-\\u2BFF\\uFE0E\\uFE0F\\u{1F000}-\\u{1FAFF}'
const VARIED = '#*0-9\\u00A9\\u00AE\\u203C-\\u3299\\u{1F000}-\\u{1FAFF}'
const LINE_ENDS = /\r\n?|[\u0085\u2028\u2029]/gu

const SELECTS_NOTHING = new RegExp(`(?<![${VARIED}])[\\uFE0E\\uFE0F]`, 'gu')
/** Joiners outside the scripts and emoji that need them. */
const JOINS_NOTHING = new RegExp(`(?<![${JOINABLE}])[\\u200C\\u200D]|[\\u200C\\u200D](?![${JOINABLE}])`, 'gu')

/** Control, format (bidi, zero width, tags) and half characters; fillers and further selectors. */
const UNSEEN =
  /(?![\n\t\u200C\u200D\u0600-\u0605\u06DD\u070F\u08E2])[\p{Cc}\p{Cf}\p{Cs}]|[\u034F\u115F\u1160\u17B4\u17B5\u3164\uFFA0\uFE00-\uFE0D\u{E0100}-\u{E01EF}]/gu

/**
 * As the backend does before it saves a reply (backend/domain/suggestion.py); both are tested with the same cases.
 *
 * @param {string} text
 * @returns {string}
 */
export function clean(text) {
  const seen = text.replace(LINE_ENDS, '\n').replace(UNSEEN, '')
  return seen.replace(SELECTS_NOTHING, '').replace(JOINS_NOTHING, '')
}
