/** The words for each state: the message in place of candidates, and the line above them. */

import { isRevealed } from './rating.js'

/** @import { Suggestion } from './api_types.js' */
/** @import { PanelState } from './state.js' */
/** @import { Translations } from './translations.js' */

/**
 * @typedef {object} StateMessage
 * @property {string} title
 * @property {string} text  What to do next.
 * @property {string} [detail]  The server's own sentence.
 * @property {boolean} [again]  Whether to offer another try.
 */

/**
 * @param {Exclude<PanelState, {kind: 'ready'}>} state
 * @param {Translations} translations
 * @returns {StateMessage}
 */
export function messageFor(state, translations) {
  switch (state.kind) {
    case 'idle':
    case 'empty':
    case 'asking':
    case 'cancelled':
      return plain(state.kind, translations)
    case 'offline':
      return { ...plain('offline', translations), again: true }
    case 'waiting':
      return { title: translations.say('waiting.title'), text: place(state.suggestion.queue, translations) }
    case 'failed': {
      const { kind, detail } = state.problem
      const title = translations.say(`problem.${kind}.title`)
      return { title, text: translations.say(`problem.${kind}.next`), detail, again: true }
    }
    default:
      return /** @satisfies {never} */ (state)
  }
}

/**
 * @param {'idle' | 'empty' | 'asking' | 'cancelled' | 'offline' | 'noticket'} key
 * @param {Translations} translations
 * @returns {StateMessage}
 */
export function plain(key, translations) {
  return { title: translations.say(`${key}.title`), text: translations.say(`${key}.text`) }
}

/**
 * @param {Suggestion['queue']} queue
 * @param {Translations} translations
 */
function place({ ahead, seconds }, translations) {
  const parts = [ahead > 0 ? translations.say('waiting.ahead', { n: ahead }) : translations.say('waiting.next')]
  if (seconds !== null) parts.push(translations.say('waiting.seconds', { n: Math.max(1, Math.round(seconds)) }))
  return [...parts, translations.say('waiting.text')].join(' ')
}

/**
 * How far things are, in one line; empty where the message says it all.
 *
 * @param {PanelState} state
 * @param {Translations} translations
 */
export function progressOf(state, translations) {
  if ('lost' in state && state.lost) return translations.say('lost')
  if (state.kind !== 'ready') return ''
  const { candidates } = state.suggestion
  const n = candidates.filter((candidate) => candidate.state === 'done').length
  if (state.writing) return translations.say('progress.writing', { n, total: candidates.length })
  if (state.suggestion.state === 'failed') return translations.say('progress.failed')
  if (candidates.some((candidate) => candidate.state === 'cancelled')) return translations.say('progress.stopped')
  if (isRevealed(state.suggestion)) return translations.say('progress.rated')
  const begun = candidates.some((candidate) => candidate.rated)
  return begun ? translations.say('progress.blind') : translations.say('progress.done', { n })
}
