/** Pure steps from one Suggestion value to the next. */

/** @import { Candidate, CandidateChange, Progress, Source, Suggestion } from './api_types.js' */

/** @type {ReadonlySet<Progress>} */
const FINISHED = new Set(['done', 'failed', 'cancelled'])

/** @param {{state: Progress}} thing */
export const isFinished = ({ state }) => FINISHED.has(state)

/**
 * The suggestion after one step of one candidate, or null if steps before it were missed
 * (then the whole suggestion has to be read again).
 *
 * @param {Suggestion} suggestion
 * @param {CandidateChange} change
 * @returns {Suggestion | null}
 */
export function withChange(suggestion, change) {
  const at = suggestion.candidates.findIndex((candidate) => candidate.id === change.id)
  const candidate = suggestion.candidates[at]
  if (!candidate || change.offset > candidate.text.length) return null
  const { offset, append, ...rest } = change
  const candidates = [...suggestion.candidates]
  candidates[at] = { ...candidate, ...rest, text: candidate.text.slice(0, offset) + append }
  return { ...suggestion, candidates, state: stateOf(candidates) }
}

/**
 * What any of the candidates was given to read, each once.
 *
 * @param {Suggestion} suggestion
 * @returns {Source[]}
 */
export function sourcesOf({ candidates }) {
  return [...new Map(candidates.flatMap(({ sources }) => sources.map((source) => [source.key, source]))).values()]
}

/**
 * The newer suggestion, in which no text that grows is shorter than it was: while texts are shown at
 * one pace, the pace may become less.
 *
 * @param {Suggestion} before
 * @param {Suggestion} after
 * @returns {Suggestion}
 */
export function withoutLoss(before, after) {
  const candidates = after.candidates.map((candidate) => {
    const text = before.candidates.find(({ id }) => id === candidate.id)?.text ?? ''
    return candidate.state === 'writing' && text.startsWith(candidate.text) ? { ...candidate, text } : candidate
  })
  return { ...after, candidates }
}

/**
 * The state of a suggestion, by the server's rule (backend.domain.suggestion.suggestion_state).
 *
 * @param {Candidate[]} candidates
 * @returns {Progress}
 */
function stateOf(candidates) {
  const states = candidates.map((candidate) => candidate.state)
  if (!candidates.every(isFinished)) {
    return states.every((state) => state === 'queued') ? 'queued' : 'writing'
  }
  if (states.includes('done')) return 'done'
  return states.includes('cancelled') ? 'cancelled' : 'failed'
}
