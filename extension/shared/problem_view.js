/** Why a candidate failed, in words. */

import { make } from './dom.js'
import { kindOf } from './problem.js'

/** @import { CandidateProblem } from './contract.js' */
/** @import { Words } from './words.js' */

/**
 * @param {CandidateProblem} problem
 * @param {Words} words
 */
export function problemWords({ type, detail }, words) {
  const kind = kindOf(type)
  const said = [make('strong', {}, words.say(`problem.${kind}.title`)), make('p', {}, words.say(`problem.${kind}.next`))]
  if (!detail) return said
  const summary = make('summary', {}, words.say('candidate.said'))
  return [...said, make('details', {}, summary, make('p', { dir: 'auto' }, detail))]
}
