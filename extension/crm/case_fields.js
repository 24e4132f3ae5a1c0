/** Reading what CRM keeps in texts and lists of its own. */

import { plainText } from '../shared/plain_text.js'
import { asObject, asText } from '../shared/sdk_calls.js'

/** @import { Message } from '../shared/host.js' */

export const VARIABLE = 'suggest_answer'

/**
 * What an admin set in the CRM variable, a JSON object.
 *
 * @param {unknown} answer
 * @returns {Record<string, unknown>}
 */
export function variable(answer) {
  const content = asText(asObject(asObject(answer)['Success'])['Content']).trim()
  if (!content) return {}
  try {
    return asObject(JSON.parse(content))
  } catch {
    throw new Error(`The CRM variable ${VARIABLE} is no JSON. Write it like {"autostart": true}.`)
  }
}

/**
 * Comments, each with who wrote it; their inner form is not documented.
 *
 * @param {unknown} found
 * @returns {string[]}
 */
export function comments(found) {
  const listed = Array.isArray(found) ? found : []
  return listed.flatMap((comment) => {
    const { comment_content, content, commented_by } = asObject(comment)
    const text = plainText(comment_content ?? content ?? comment)
    const author = asText(commented_by) || asText(asObject(commented_by)['name'])
    return text ? [author ? `${author}: ${text}` : text] : []
  })
}

/**
 * The Solution and the notes as messages of agents.
 *
 * @param {unknown} solution
 * @param {unknown} notes  The related list; a text where it is empty.
 * @returns {Message[]}
 */
export function written(solution, notes) {
  const { data } = asObject(notes)
  const listed = (Array.isArray(data) ? data : []).map((note) => {
    const { Note_Content, Modified_Time, Created_Time } = asObject(note)
    return { text: plainText(Note_Content), at: Date.parse(asText(Modified_Time) || asText(Created_Time)) || 0 }
  })
  const all = [{ text: plainText(solution), at: 0 }, ...listed]
  return all.filter(({ text }) => text).map((entry) => ({ ...entry, from: 'agent', isSent: false }))
}
