/** Server-sent events read from a fetch body, which unlike EventSource can send headers. */

/**
 * @typedef {object} StreamEvent
 * @property {string} name
 * @property {string} body
 * @property {string} id
 */

/**
 * The events of a stream, each as soon as its blank line arrives. Comments are skipped.
 *
 * @param {ReadableStream<Uint8Array>} stream
 * @returns {AsyncGenerator<StreamEvent, void, void>}
 */
export async function* events(stream) {
  const decoder = new TextDecoder()
  const reader = stream.getReader()
  let rest = ''
  let id = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const blocks = (rest + decoder.decode(value, { stream: true })).replaceAll('\r', '').split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) {
        const event = parsed(block, id)
        id = event.id
        if (event.body) yield event
      }
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}

/**
 * @param {string} block
 * @param {string} id  The last id seen; it stays until another comes.
 * @returns {StreamEvent}
 */
function parsed(block, id) {
  const event = { name: 'message', body: '', id }
  /** @type {string[]} */
  const lines = []
  for (const line of block.split('\n')) {
    const [, field = '', value = ''] = /^(\w+): ?(.*)$/.exec(line) ?? []
    if (field === 'data') lines.push(value)
    else if (field === 'event') event.name = value
    else if (field === 'id') event.id = value
  }
  event.body = lines.join('\n')
  return event
}
