/** Real backends on free ports, over tiny models or over chat endpoints, that can be killed and come back. */

import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { endProcess } from '../ending.mjs'
import { freePort, ready } from '../product.mjs'

/** @import { ChildProcess } from 'node:child_process' */

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const PYTHON = process.env['SUGGEST_ANSWER_PYTHON'] ?? '.venv/bin/python'
const run = promisify(execFile)

export class Backend {
  /** @type {ChildProcess | null} */
  #child = null
  #said = ''
  #environment
  #port = 0
  state = ''

  /** @param {Record<string, string>} [environment]  Settings. */
  constructor(environment = {}) {
    this.#environment = { ...process.env, ...environment }
  }

  get address() {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Three tiny models, an article and a solved ticket. */
  async startTiny() {
    await this.#prepare()
    await this.#python('tests.end_to_end.host.tiny_models', this.state)
    await this.start()
  }

  /**
   * Chat endpoints under these names.
   *
   * @param {string[]} names
   * @param {string} baseUrl
   */
  async startChats(names, baseUrl) {
    await this.#prepare()
    await this.#python('tests.end_to_end.host.chat_models', this.state, baseUrl, ...names)
    await this.start()
  }

  /**
   * Chat endpoints under these names, and answers that are stored.
   *
   * @param {string[]} names
   * @param {string} baseUrl
   */
  async startMixed(names, baseUrl) {
    await this.#prepare()
    await this.#python('tests.end_to_end.host.stored_answers', this.state)
    await this.#python('tests.end_to_end.host.chat_models', this.state, baseUrl, ...names)
    await this.start()
  }

  /** Run a command of the product's on this state. */
  command(/** @type {string[]} */ ...words) {
    return this.#python('backend', '--state-dir', this.state, ...words)
  }

  /** @param {string} module @param {string[]} words */
  #python(module, ...words) {
    return run(PYTHON, ['-m', module, ...words], { cwd: ROOT, env: this.#environment })
  }

  async #prepare() {
    this.state = await mkdtemp(join(tmpdir(), 'suggest-answer-'))
    this.#port = await freePort()
  }

  /** Start, or start again on the same port and state. */
  async start() {
    const command = ['-m', 'backend', '--state-dir', this.state, 'serve', '--port', String(this.#port)]
    const child = spawn(PYTHON, command, { cwd: ROOT, env: this.#environment, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    child.stdout.on('data', (chunk) => (this.#said += chunk))
    child.stderr.on('data', (chunk) => (this.#said += chunk))
    await ready(this.address, child).catch((error) => {
      throw new Error(`${error.message}\n${this.#said}`)
    })
  }

  /** End it without a warning, as a power cut would. */
  async kill() {
    await this.#end('SIGKILL')
  }

  async stop() {
    await this.#end('SIGTERM')
    if (this.state) await rm(this.state, { recursive: true, force: true })
  }

  async #end(/** @type {NodeJS.Signals} */ signal) {
    const child = this.#child
    this.#child = null
    if (child) await endProcess(child, signal)
  }
}
