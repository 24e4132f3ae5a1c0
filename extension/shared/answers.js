/** Reading the answers of products' SDKs, which come in more shapes than are documented. */

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
