/** A chat-completions endpoint whose replies a test writes, word by word if it likes. */

import { createServer } from 'node:http'

/** @import { ServerResponse } from 'node:http' */
/** @import { AddressInfo } from 'node:net' */

/** @typedef {{text: string, pace?: number}} ChatReply  `pace`: milliseconds between words. */

export class Chats {
  #server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    const { model } = JSON.parse(body)
    await this.#write(response, model)
  })

  /** @type {(model: string) => ChatReply}  What each model answers now. */
  reply = () => ({ text: 'Hello.' })

  async start() {
    await new Promise((/** @type {(value: void) => void} */ done) => this.#server.listen(0, '127.0.0.1', () => done()))
    const { port } = /** @type {AddressInfo} */ (this.#server.address())
    return `http://127.0.0.1:${port}/v1`
  }

  async stop() {
    this.#server.closeAllConnections()
    await new Promise((done) => this.#server.close(done))
  }

  /**
   * @param {ServerResponse} response
   * @param {string} model
   */
  async #write(response, model) {
    const { text } = this.reply(model)
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    const send = (/** @type {object} */ body) => response.write(`data: ${JSON.stringify({ id: '1', object: 'chat.completion.chunk', created: 1, model: 'm', ...body })}\n\n`)
    for (const content of text.match(/\s*\S+\s*/g) ?? [text]) {
      if (response.destroyed) return
      send({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })
      const { pace = 0 } = this.reply(model) // a test may hurry what is being written
      if (pace) await new Promise((done) => setTimeout(done, pace))
    }
    send({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
    send({ choices: [], usage: { prompt_tokens: 10, completion_tokens: 10, total_tokens: 20 } })
    response.end('data: [DONE]\n\n')
  }
}
