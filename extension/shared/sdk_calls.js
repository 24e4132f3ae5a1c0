/**
 * Calls through a product's SDK. Its proxy wraps the backend's answer once or twice, as an object or as
 * JSON in a string, in more shapes than are documented; here all of them become a Response.
 */

/** @typedef {Record<string, unknown>} Layer */

const DEEPEST = 8
const LONGEST = 30_000

/**
 * A request as SDKs take it. A proxy may send a body with any method, so it is always named JSON.
 *
 * @param {RequestInit} init
 * @returns {{method: string, headers: Record<string, string>, body: unknown}}
 */
export function requestParts({ method = 'GET', headers, body }) {
  const sent = typeof body === 'string' && body ? JSON.parse(body) : {}
  const named = { ...Object.fromEntries(new Headers(headers)), 'content-type': 'application/json' }
  return { method, headers: named, body: sent }
}

/**
 * A call that has no way of its own to be given up. Rejects when the signal is aborted or time is up.
 *
 * @param {Promise<unknown>} asked  By the product's SDK; it may also reject with a wrapped answer.
 * @param {AbortSignal | null} [signal]
 * @returns {Promise<Response>}
 */
export async function proxied(asked, signal) {
  const answer = await Promise.race([asked.catch(failedAnswer), givenUp(signal)])
  const { status, body } = unwrap(answer)
  const isEmpty = status === 204 || status === 205 || status === 304
  return new Response(isEmpty ? null : body, { status: status >= 200 && status < 600 ? status : 502 })
}

/**
 * The backend's own answer without what a proxy put around it.
 *
 * @param {unknown} answer
 * @returns {{status: number, body: string}}
 */
export function unwrap(answer) {
  let value = answer
  let status = 0
  let isFailed = false
  for (let depth = 0; depth < DEEPEST; depth += 1) {
    const layer = layerOf(value)
    if (!layer) break
    value = layer
    const inner = innerOf(layer)
    if (inner === undefined) break
    status = Number(layer['statusCode']) || status
    isFailed ||= String(layer['status']).toLowerCase() === 'false'
    value = inner
  }
  const body = typeof value === 'string' ? value : value === null || value === undefined ? '' : JSON.stringify(value)
  const told = problemStatus(value)
  if (told) return { status: told, body }
  const refusal = refusalOf(value)
  if (refusal) return { status: refusal.status, body: JSON.stringify(refusal) }
  if (isFailed && status < 400) return { status: 502, body: JSON.stringify(notPassedOn(layerOf(value) ? '' : body)) }
  return { status: status || 200, body }
}

/**
 * The value as an object that can be asked for anything; an empty one for what is none. JSON in a
 * string is read.
 *
 * @param {unknown} value
 * @returns {Record<string, any>}
 */
export function asObject(value) {
  if (typeof value === 'string' && value.trim().startsWith('{')) {
    try {
      return asObject(JSON.parse(value))
    } catch {
      return {}
    }
  }
  return typeof value === 'object' && value !== null ? value : {}
}

/** @param {unknown} value  A text or a number, else nothing. */
export function asText(value) {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

/** A rejection may hold the backend's own answer; anything else was no answer. @param {unknown} error */
function failedAnswer(error) {
  const { status, body } = unwrap(error)
  if (status >= 400 && status !== 502 && layerOf(body)) return error
  throw error instanceof Error ? error : new Error(String(body || 'The call did not get through.'))
}

/**
 * @param {AbortSignal | null} [signal]
 * @returns {Promise<never>}
 */
function givenUp(signal) {
  return new Promise((_, fail) => {
    const timer = setTimeout(() => fail(new Error('No answer came.')), LONGEST)
    if (typeof timer === 'object') timer.unref?.()
    if (signal?.aborted) fail(signal.reason)
    signal?.addEventListener('abort', () => fail(signal.reason), { once: true })
  })
}

/**
 * The object that a value is, or holds as JSON.
 *
 * @param {unknown} value
 * @returns {Layer | null}
 */
function layerOf(value) {
  if (typeof value !== 'string') return isLayer(value) ? value : null
  if (!/^\s*["{]/.test(value)) return null
  try {
    const parsed = JSON.parse(value)
    return typeof parsed === 'string' ? layerOf(parsed) : isLayer(parsed) ? parsed : null
  } catch {
    return null
  }
}

/**
 * What a wrapping holds; undefined for the backend's own answer, which has none of these names.
 *
 * @param {Layer} layer
 * @returns {unknown}
 */
function innerOf(layer) {
  if ('statusMessage' in layer) return layer['statusMessage']
  if ('response' in layer && 'statusCode' in layer) return layer['response']
  const { details, data } = layer
  if (isLayer(details) && typeof layer['code'] === 'string' && 'statusMessage' in details) return details
  return isLayer(data) && ('statusMessage' in data || 'statusCode' in data) ? data : undefined
}

/** The status that the backend's own problem tells, where the wrapping lost it. @param {unknown} value */
function problemStatus(value) {
  const layer = layerOf(value)
  if (!layer || !String(layer['type'] ?? '').includes('/problems/')) return 0
  const status = Number(layer['status'])
  return status >= 400 && status < 600 ? status : 0
}

/**
 * What the product says where it did not ask the backend at all: not for this person, or not reached.
 *
 * @param {unknown} value
 */
function refusalOf(value) {
  const layer = layerOf(value)
  const code = layer?.['code']
  if (!layer || typeof code !== 'string' || !('details' in layer || 'message' in layer)) return null
  const detail = String(layer['message'] ?? code)
  return /AUTH|SESSION|TOKEN|LOGIN/i.test(code) ? { type: '', status: 401, detail } : notPassedOn(detail)
}

/** @param {string} detail */
const notPassedOn = (detail) => ({ type: '/problems/proxy', status: 502, detail })

/** @param {unknown} value @returns {value is Layer} */
function isLayer(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
