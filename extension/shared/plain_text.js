/** The words of a ticket that may come as HTML. The result is only ever used as text. */

/** @type {Record<string, string>} */
const NAMED = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }

/** What tells HTML from words with a `<` in them. */
const HTML =
  /<(?:!--|!doctype|\/?(?:a|b|blockquote|body|br|code|div|em|font|h[1-6]|head|hr|html|i|img|li|ol|p|pre|script|span|strong|style|table|tbody|td|th|title|tr|u|ul)(?:\s[^<>]*)?\/?>)/i

/**
 * The text of a field, with tags taken out if it holds HTML; lines stay lines.
 *
 * @param {unknown} field
 * @returns {string}
 */
export function plainText(field) {
  const text = typeof field === 'string' ? field : ''
  if (!HTML.test(text)) return text.trim()
  const words = lines(text, (line) => line.trim(), ' ')
    .replace(/<!--[\s\S]*?(?:-->|$)/g, '')
    .replace(/<(script|style|head|title)\b[\s\S]*?(?:<\/\1\s*>|$)/gi, '')
    .replace(/<br\b[^<>]*>/gi, '\n')
    .replace(/<li\b[^<>]*>/gi, '\n- ')
    .replace(/<\/(?:p|div|ul|ol|table|blockquote|h[1-6])\s*>/gi, '\n\n')
    .replace(/<\/tr\s*>/gi, '\n')
    .replace(/<\/?[a-z][^<>]*>/gi, '')
    .replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,8}));/gi, decoded)
  return lines(words, (line) => line.trim(), '\n').replace(/\n{3,}/g, '\n\n').trim()
}

/**
 * @param {string} text
 * @param {(line: string) => string} change
 * @param {string} between
 */
function lines(text, change, between) {
  return text.split('\n').map(change).join(between)
}

/**
 * @param {string} entity
 * @param {string | undefined} decimal
 * @param {string | undefined} hexadecimal
 * @param {string | undefined} name
 */
function decoded(entity, decimal, hexadecimal, name) {
  if (name !== undefined) return NAMED[name.toLowerCase()] ?? entity
  const code = decimal === undefined ? parseInt(hexadecimal ?? '', 16) : Number(decimal)
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : entity
}
