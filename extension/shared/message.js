/** The words for each state: the message in place of candidates, and the line above them. */

import { isRevealed } from './rating.js'

/** @import { Suggestion } from './contract.js' */
/** @import { PanelState } from './state.js' */
/** @import { Words } from './words.js' */

/**
 * @typedef {object} Message
 * @property {string} title
 * @property {string} text  What to do next.
 * @property {string} [detail]  The server's own sentence.
 * @property {boolean} [again]  Whether to offer another try.
 */

/**
 * @param {Exclude<PanelState, {kind: 'ready'}>} state
 * @param {Words} words
 * @returns {Message}
 */
export function messageFor(state, words) {
  switch (state.kind) {
    case 'idle':
    case 'empty':
    case 'asking':
    case 'cancelled':
      return plain(state.kind, words)
    case 'offline':
      return { ...plain('offline', words), again: true }
    case 'waiting':
      return { title: words.say('waiting.title'), text: place(state.suggestion.queue, words) }
    case 'failed': {
      const { kind, detail } = state.problem
      const title = words.say(`problem.${kind}.title`)
      return { title, text: words.say(`problem.${kind}.next`), detail, again: true }
    }
    default:
      return /** @satisfies {never} */ (state)
  }
}

/**
 * @param {'idle' | 'empty' | 'asking' | 'cancelled' | 'offline' | 'noticket'} key
 * @param {Words} words
 * @returns {Message}
 */
export function plain(key, words) {
  return { title: words.say(`${key}.title`), text: words.say(`${key}.text`) }
}

/**
 * @param {Suggestion['queue']} queue
 * @param {Words} words
 */
function place({ ahead, seconds }, words) {
  const parts = [ahead > 0 ? words.say('waiting.ahead', { n: ahead }) : words.say('waiting.next')]
  if (seconds !== null) parts.push(words.say('waiting.seconds', { n: Math.max(1, Math.round(seconds)) }))
  return [...parts, words.say('waiting.text')].join(' ')
}

/**
 * How far things are, in one line; empty where the message says it all.
 *
 * @param {PanelState} state
 * @param {Words} words
 */
export function progressOf(state, words) {
  if ('lost' in state && state.lost) return words.say('lost')
  if (state.kind !== 'ready') return ''
  const { candidates } = state.suggestion
  const n = candidates.filter((candidate) => candidate.state === 'done').length
  if (state.writing) return words.say('progress.writing', { n, total: candidates.length })
  if (state.suggestion.state === 'failed') return words.say('progress.failed')
  if (candidates.some((candidate) => candidate.state === 'cancelled')) return words.say('progress.stopped')
  if (isRevealed(state.suggestion)) return words.say('progress.rated')
  const begun = candidates.some((candidate) => candidate.rated)
  return begun ? words.say('progress.blind') : words.say('progress.done', { n })
}
