/** What a rater has filled in for one candidate, before and after it is saved. Pure values. */

/** @import { Candidate, Rubric, Suggestion } from './api_types.js' */

/**
 * @typedef {object} Draft
 * @property {Readonly<Record<string, number>>} scores
 * @property {boolean} critical
 * @property {string} comment
 * @property {string} idealAnswer
 */

export const SCALE = [1, 2, 3, 4, 5]

/** @type {Draft} */
export const EMPTY = Object.freeze({ scores: {}, critical: false, comment: '', idealAnswer: '' })

/**
 * @param {Draft} draft
 * @param {string} criterion
 * @param {number} score
 * @returns {Draft}
 */
export function withScore(draft, criterion, score) {
  return { ...draft, scores: { ...draft.scores, [criterion]: score } }
}

/**
 * The keys of criteria without a score, in the rubric's order.
 *
 * @param {Draft} draft
 * @param {Rubric} rubric
 */
export function missing(draft, rubric) {
  return rubric.criteria.map(({ key }) => key).filter((key) => draft.scores[key] === undefined)
}

/**
 * The draft as the API takes it.
 *
 * @param {Draft} draft
 * @param {Rubric} rubric
 */
export function payload(draft, rubric) {
  const comment = draft.comment.trim()
  const idealAnswer = draft.idealAnswer.trim()
  return {
    scores: { ...draft.scores },
    rubric: rubric.name,
    rubric_version: rubric.version,
    ...(draft.critical && { critical: true }),
    ...(comment && { comment }),
    ...(idealAnswer && { ideal_answer: idealAnswer }),
  }
}

/**
 * The finished candidates this rater has not rated yet: names stay hidden until there is none.
 *
 * @param {Suggestion} suggestion
 * @returns {Candidate[]}
 */
export function unrated(suggestion) {
  return suggestion.candidates.filter((candidate) => candidate.state === 'done' && !candidate.rated)
}

/**
 * Whether the names may be shown: the server has sent them, and nothing is left to rate.
 *
 * @param {Suggestion} suggestion
 */
export function isRevealed(suggestion) {
  const done = suggestion.candidates.filter((candidate) => candidate.state === 'done')
  return done.length > 0 && done.every((candidate) => candidate.rated && candidate.model !== null)
}
