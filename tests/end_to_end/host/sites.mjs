/** HTTPS sites of this machine: folders, and a front for a backend that speaks plain HTTP. */

import { readFile } from 'node:fs/promises'
import { request as ask } from 'node:http'
import { createServer } from 'node:https'
import { extname, join, normalize } from 'node:path'

/** @import { IncomingMessage, ServerResponse } from 'node:http' */
/** @import { AddressInfo } from 'node:net' */
/** @import { Duplex } from 'node:stream' */

/** @typedef {(request: IncomingMessage, response: ServerResponse) => void | Promise<void>} Answer */

/** @type {Record<string, string>} */
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
}

/**
 * @param {{key: Buffer, cert: Buffer}} certificate
 * @param {Answer} answer
 * @param {number} [port]
 */
export async function startSite(certificate, answer, port = 0) {
  const server = createServer(certificate, (request, response) => {
    Promise.resolve(answer(request, response)).catch((error) => response.writeHead(500).end(String(error)))
  })
  await new Promise((/** @type {(value: void) => void} */ done) => server.listen(port, '127.0.0.1', () => done()))
  /** @type {Set<Duplex>} The server itself does not know one that has not agreed on keys yet. */
  const sockets = new Set()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  const address = /** @type {AddressInfo} */ (server.address())
  const stop = () => {
    const closed = new Promise((done) => server.close(done))
    for (const socket of sockets) socket.destroy()
    return closed
  }
  return { origin: `https://127.0.0.1:${address.port}`, stop }
}

/**
 * A folder as Zoho serves it: nothing outside of it, and only what is there.
 *
 * @param {string} folder
 * @param {Record<string, string>} [headers]
 * @returns {Answer}
 */
export function folderSite(folder, headers = {}) {
  return async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'https://x').pathname))
    const content = path.includes('..') ? null : await readFile(join(folder, path)).catch(() => null)
    if (content === null) {
      response.writeHead(404).end('There is no such file.')
      return
    }
    response.writeHead(200, { 'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream', ...headers }).end(content)
  }
}

/**
 * What an admin puts in front of the backend: TLS, and each byte passed on as it comes.
 *
 * @param {() => string} backend  Where the backend is now.
 * @returns {Answer}
 */
export function frontOf(backend) {
  return (request, response) => {
    const { hostname, port } = new URL(backend())
    const { host: _, ...headers } = request.headers
    const onward = ask({ agent: false, hostname, port, path: request.url, method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.on('error', () => response.destroy())
      answer.pipe(response)
    })
    onward.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end('Bad gateway')))
    response.on('close', () => onward.destroy())
    request.pipe(onward)
  }
}

/**
 * One call on a connection of its own: a kept one may just have been closed by the other side.
 *
 * @param {string} url
 * @param {{method: string, headers: Record<string, string>, body: string, patience: number}} wish
 * @returns {Promise<{status: number, body: string}>}
 */
export function callOnce(url, { method, headers, body, patience }) {
  return new Promise((done, fail) => {
    const onward = ask(url, { agent: false, method, headers, signal: AbortSignal.timeout(patience) }, async (answer) => {
      let text = ''
      try {
        for await (const chunk of answer.setEncoding('utf8')) text += chunk
        done({ status: answer.statusCode ?? 0, body: text })
      } catch (error) {
        fail(error)
      }
    })
    onward.on('error', fail)
    onward.end(body)
  })
}

/**
 * @param {IncomingMessage} request
 * @returns {Promise<any>}
 */
export async function bodyOf(request) {
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) body += chunk
  return JSON.parse(body)
}
