/** The whole product, started as a newcomer would, on a free port and with a state of its own. */

import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { endProcess } from './ending.mjs'

/** @import { ChildProcess } from 'node:child_process' */

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const PATIENCE = 120_000
const PATIENCE_OF_A_CALL = 10_000

/**
 * Serve the demo until `stop` is called. The command can be given in SUGGEST_ANSWER_SERVE, with
 * `{state}` and `{port}` where they belong.
 */
export async function startProduct() {
  const state = await mkdtemp(join(tmpdir(), 'suggest-answer-'))
  const port = await freePort()
  const base = `http://127.0.0.1:${port}`
  const command = process.env['SUGGEST_ANSWER_SERVE'] ?? '.venv/bin/python -m backend --state-dir {state} serve --demo --port {port}'
  const [program = '', ...options] = command.replace('{state}', state).replace('{port}', String(port)).split(' ')
  const child = spawn(program, options, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stdout.on('data', (chunk) => (said += chunk))
  child.stderr.on('data', (chunk) => (said += chunk))
  const stop = async () => {
    await endProcess(child)
    await rm(state, { recursive: true, force: true })
  }
  try {
    await ready(base, child)
  } catch (error) {
    await stop()
    throw new Error(`${error instanceof Error ? error.message : error}\n${said}`)
  }
  return { base, stop, holdRunners: () => holdRunners(state) }
}

/**
 * Hold all runners of a product, so that nothing they write is done before a test has acted on it.
 *
 * @param {string} state
 * @returns {Promise<() => void>} Lets them go on.
 */
async function holdRunners(state) {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  /** @type {number[]} */
  const runners = []
  for (const pid of pids) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') // it may have ended meanwhile
    if (command.includes('backend.runner') && command.includes(state)) runners.push(Number(pid))
  }
  const all = (/** @type {NodeJS.Signals} */ signal) => runners.forEach((pid) => process.kill(pid, signal))
  if (!runners.length) throw new Error(`No runner of ${state} was found.`)
  all('SIGSTOP')
  return () => all('SIGCONT')
}

/**
 * @param {string} base
 * @param {ChildProcess} child
 */
export async function ready(base, child) {
  const deadline = Date.now() + PATIENCE
  while (Date.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('The product ended before it was ready. It said:')
    const response = await fetch(`${base}/readyz`, { signal: AbortSignal.timeout(PATIENCE_OF_A_CALL) }).catch(() => null)
    await response?.text().catch(() => '') // an answer that is not read keeps its connection
    if (response?.ok) return
    await new Promise((done) => setTimeout(done, 100))
  }
  throw new Error(`The product was not ready after ${PATIENCE / 1000} s. It said:`)
}

/** @returns {Promise<number>} */
export function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => done(address !== null && typeof address === 'object' ? address.port : 0))
    })
  })
}
