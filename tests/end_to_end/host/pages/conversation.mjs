/** Desk's own REST, as far as the widget reads it through a connection: conversations and threads. */

/**
 * @typedef {object} Thread
 * @property {string} id
 * @property {string} ticketId
 * @property {'in' | 'out'} direction
 * @property {string} plainText
 * @property {string} createdTime
 */

let count = 0

/**
 * @param {string} ticketId
 * @param {'in' | 'out'} direction
 * @param {string} plainText
 * @returns {Thread}
 */
export function thread(ticketId, direction, plainText) {
  return { id: String(9000 + (count += 1)), ticketId, direction, plainText, createdTime: new Date().toISOString() }
}

/**
 * @param {URL} address
 * @param {{connectionLinkName: string | undefined, headers: Record<string, string>}} how
 * @param {readonly Thread[]} threads  Newest first.
 */
export function rest({ pathname }, { connectionLinkName, headers }, threads) {
  const answer = (/** @type {number} */ status, /** @type {unknown} */ body) =>
    JSON.stringify({ statusCode: 200, response: JSON.stringify({ status: String(status < 400), statusMessage: body }) })
  if (connectionLinkName !== 'readtickets' || headers['orgId'] !== '2002') return answer(403, { errorCode: 'SCOPE_MISMATCH', message: 'Invalid scope' })
  const [, ticket, id] = /^\/api\/v1\/tickets\/(\d+)\/(?:conversations|threads\/(\d+))$/.exec(pathname) ?? []
  const found = threads.filter(({ ticketId }) => ticketId === ticket)
  if (id) return answer(200, { ...found.find((entry) => entry.id === id), content: '<div>…</div>' })
  const listed = found.map(({ plainText, ticketId: _, ...entry }) => ({
    ...entry, type: 'thread', channel: 'EMAIL', status: 'SUCCESS', visibility: 'public', isForward: false, isDescriptionThread: false, summary: plainText.slice(0, 20),
  }))
  return answer(200, listed.length ? { data: listed } : '')
}
