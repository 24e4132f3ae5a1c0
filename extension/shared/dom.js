/** Making elements. Text goes in as text nodes only, so no markup of others can come alive. */

/** @typedef {string | boolean | number | EventListener | null | undefined} Attribute */

/**
 * An element. A function among the attributes listens to the event of that name; true is an empty
 * attribute; false, null and undefined are left out.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, Attribute>} [attributes]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value)
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? '' : String(value))
    }
  }
  element.append(...children)
  return element
}

/**
 * Set a text only where it differs, so that screen readers and selections are left in peace.
 *
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text
}

/**
 * Let a text node grow to a text: what is there already is not touched, so a selection stays.
 *
 * @param {Text} node
 * @param {string} text
 */
export function grow(node, text) {
  if (node.data === text) return
  if (node.data && text.startsWith(node.data)) node.appendData(text.slice(node.data.length))
  else node.data = text
}

/**
 * The address if it leads to a web page, else null: no other scheme becomes a link.
 *
 * @param {string | null} address
 * @returns {string | null}
 */
export function webAddress(address) {
  if (!address || !/^https?:\/\//i.test(address)) return null
  try {
    return new URL(address).href
  } catch {
    return null
  }
}

/**
 * A line icon from its path.
 *
 * @param {string} path
 */
export function icon(path) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'path')
  svg.setAttribute('viewBox', '0 0 16 16')
  svg.setAttribute('class', 'sa-icon')
  svg.setAttribute('aria-hidden', 'true')
  line.setAttribute('d', path)
  svg.append(line)
  return svg
}
