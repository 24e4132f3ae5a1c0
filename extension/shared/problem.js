/** What went wrong, as one of a closed set of kinds, each with words and a next step in strings/. */

/**
 * @typedef {'unreachable' | 'signed-out' | 'key' | 'forbidden' | 'empty-ticket' | 'too-large' | 'bad-input'
 *   | 'gone' | 'conflict' | 'unfinished' | 'queue-full' | 'no-model' | 'model-down' | 'disk-full'
 *   | 'busy' | 'timeout' | 'nothing-found' | 'prompt-too-long' | 'refused' | 'host' | 'proxy'
 *   | 'server'} ProblemKind
 */

/** @type {Record<string, ProblemKind>} The last part of a problem's type, and what it means here. */
const BY_TYPE = {
  forbidden: 'key',
  'empty-ticket': 'empty-ticket',
  'too-large': 'too-large',
  'prompt-too-long': 'prompt-too-long',
  'bad-score': 'bad-input',
  'unknown-suggestion': 'gone',
  'unknown-candidate': 'gone',
  'candidate-unfinished': 'unfinished',
  'queue-full': 'queue-full',
  'no-model': 'no-model',
  'disk-full': 'disk-full',
  'nothing-found': 'nothing-found',
  'engine-unreachable': 'model-down',
  'unknown-model': 'model-down',
  'engine-timeout': 'timeout',
  'engine-busy': 'busy',
  'engine-refused': 'refused',
  'engine-unauthorized': 'refused',
  proxy: 'proxy',
}

/** @type {Record<number, ProblemKind>} */
const BY_STATUS = {
  400: 'bad-input',
  401: 'signed-out',
  403: 'forbidden',
  404: 'gone',
  409: 'conflict',
  413: 'too-large',
  422: 'bad-input',
  429: 'busy',
  502: 'unreachable',
  503: 'busy',
  504: 'timeout',
  507: 'disk-full',
}

/** An error the panel can explain: `kind` chooses the words, `detail` is the server's own sentence. */
export class Problem extends Error {
  /**
   * @param {ProblemKind} kind
   * @param {string} [detail]
   * @param {number} [status]
   */
  constructor(kind, detail = '', status = 0) {
    super(detail || kind)
    this.name = 'Problem'
    this.kind = kind
    this.detail = detail
    this.status = status
  }
}

/**
 * The kind that a problem type names (`…/queue-full`, `urn:x:QueueFull`), else that of its status.
 *
 * @param {string} type
 * @param {number} [status]
 * @returns {ProblemKind}
 */
export function kindOf(type, status = 0) {
  const name = (type.split(/[/:#]/).pop() ?? '').replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()
  return BY_TYPE[name.replaceAll('_', '-')] ?? BY_STATUS[status] ?? 'server'
}

/**
 * Read a failed response (RFC 9457, or whatever a proxy put in its place).
 *
 * @param {Response} response
 * @returns {Promise<Problem>}
 */
export async function problemOf(response) {
  let type = ''
  let detail = ''
  try {
    const body = await response.json()
    type = typeof body.type === 'string' ? body.type : ''
    detail = typeof body.detail === 'string' ? body.detail : ''
  } catch {
    // Not JSON: the status alone has to do.
  }
  return new Problem(kindOf(type, response.status), detail, response.status)
}

/**
 * Whatever was caught, as a Problem. Never hides a programming error: its message is the detail.
 *
 * @param {unknown} error
 * @returns {Problem}
 */
export function asProblem(error) {
  if (error instanceof Problem) return error
  return new Problem('server', error instanceof Error ? error.message : String(error))
}
