/** The host's end of the line to the widget's frame. */

export class Frame {
  #element
  #methods
  calls = /** @type {{method: string, values: any[]}[]} */ ([])

  /**
   * @param {HTMLIFrameElement} element
   * @param {Record<string, (...values: any[]) => any>} methods
   */
  constructor(element, methods) {
    this.#element = element
    this.#methods = methods
    addEventListener('message', ({ source, data }) => {
      if (source === element.contentWindow && data?.call) void this.#answer(data)
    })
  }

  /**
   * @param {string} event
   * @param {unknown} value
   */
  tell(event, value) {
    this.#element.contentWindow?.postMessage({ event, value }, '*')
  }

  /** @param {{call: number, method: string, values: any[]}} wish */
  async #answer({ call, method, values }) {
    this.calls.push({ method, values })
    /** @type {{value: unknown} | {error: unknown}} */
    let outcome
    try {
      outcome = { value: await this.#methods[method]?.(...values) }
    } catch (error) {
      outcome = { error: error instanceof Error ? { errMsg: error.message } : error }
    }
    this.#element.contentWindow?.postMessage({ answerTo: call, ...outcome }, '*')
  }
}

/**
 * Zoho's servers call on the widget's behalf, and add the connection's secret.
 *
 * @param {{url: string, method: string, headers?: Record<string, string>, body?: string, connection?: string}} wish
 * @returns {Promise<{status: number, body: string}>}
 */
export async function proxy(wish) {
  const response = await fetch('/proxy', { method: 'POST', body: JSON.stringify(wish) })
  return response.json()
}

/**
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
export function part(id, kind) {
  const found = document.getElementById(id)
  if (found instanceof kind) return found
  throw new Error(`The page has no ${kind.name} #${id}.`)
}

/**
 * Say something in passing.
 *
 * @param {string} text
 */
export function toast(text) {
  const element = part('toast', HTMLElement)
  element.textContent = text
  clearTimeout(Number(element.dataset['timer']))
  element.dataset['timer'] = String(setTimeout(() => (element.textContent = ''), 6000))
}
