/**
 * Gaps in a reply: placeholders such as `[NAME]` that nobody could fill, so an agent has to. A
 * numbered one (`[NAME_1]`) stands for one thing wherever it is; one without a number may stand for
 * another each time. Pure steps.
 */

/**
 * @typedef {object} Gap
 * @property {string} key  `[NAME_1]`, or `[NAME]#2` for the second one without a number.
 * @property {string} placeholder
 * @property {string} label  `NAME`.
 * @property {number} place  Among those with this label, from 1.
 * @property {number} of  How many gaps have this label.
 * @property {string} before  A few words around it.
 * @property {string} after
 *
 * @typedef {{words: string, key: string}} Piece  `key` is empty for words that are no gap.
 * @typedef {ReadonlyMap<string, string>} Fillings  What the agent filled in, by key.
 */

const AROUND = 28

/**
 * The text as words and gaps.
 *
 * @param {string} text
 * @param {readonly string[]} placeholders  Those that are open, as the server names them.
 * @returns {Piece[]}
 */
export function piecesOf(text, placeholders) {
  const wanted = placeholders.filter((placeholder) => placeholder && text.includes(placeholder))
  if (wanted.length === 0) return text ? [{ words: text, key: '' }] : []
  const escaped = wanted.map((placeholder) => placeholder.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  /** @type {Map<string, number>} */
  const counts = new Map()
  return text.split(new RegExp(`(${escaped.join('|')})`)).flatMap((words, index) => {
    if (!words) return []
    if (index % 2 === 0) return [{ words, key: '' }]
    const count = (counts.get(words) ?? 0) + 1
    counts.set(words, count)
    return [{ words, key: /_\d+\]$/.test(words) ? words : `${words}#${count}` }]
  })
}

/**
 * Each gap once, in the order of the text.
 *
 * @param {readonly Piece[]} pieces
 * @returns {Gap[]}
 */
export function gapsOf(pieces) {
  /** @type {Map<string, Omit<Gap, 'place' | 'of'>>} */
  const found = new Map()
  pieces.forEach(({ words, key }, index) => {
    if (!key || found.has(key)) return
    const label = words.replace(/^\[|(_\d+)?\]$/g, '')
    const before = inOneLine(pieces[index - 1]?.words ?? '').slice(-AROUND)
    const after = inOneLine(pieces[index + 1]?.words ?? '').slice(0, AROUND)
    found.set(key, { key, placeholder: words, label, before, after })
  })
  const all = [...found.values()]
  return all.map((gap, index) => ({
    ...gap,
    place: all.slice(0, index + 1).filter(({ label }) => label === gap.label).length,
    of: all.filter(({ label }) => label === gap.label).length,
  }))
}

/**
 * The text as it will be used; gaps that are open stay placeholders.
 *
 * @param {readonly Piece[]} pieces
 * @param {Fillings} fillings
 */
export function filledIn(pieces, fillings) {
  return pieces.map(({ words, key }) => (key && fillings.get(key)?.trim()) || words).join('')
}

/**
 * The gaps that still have to be filled.
 *
 * @param {readonly Gap[]} gaps
 * @param {Fillings} fillings
 */
export function openGaps(gaps, fillings) {
  return gaps.filter(({ key }) => !fillings.get(key)?.trim())
}

/** @param {string} text */
const inOneLine = (text) => text.replace(/\s+/g, ' ')
