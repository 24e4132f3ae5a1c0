/** The end of a file of tests: each part has its time to end, and what does not end is told, not waited for. */

/** @import { ChildProcess } from 'node:child_process' */

const LONGEST_END = 60_000
/** The product gives its own processes 5 s. */
const LONGEST_END_OF_PROCESS = 30_000
const LONGEST_KILL = 5_000
/** What is left once all parts have ended, such as connections kept for reuse, goes by itself in this time. */
const LONGEST_REST = 15_000

/**
 * End all parts in turn, also after one of them failed. Throws what went wrong.
 *
 * @param {Record<string, () => unknown>} parts  What ends each, by its name.
 */
export async function endAll(parts) {
  /** @type {string[]} */
  const wrong = []
  for (const [name, end] of Object.entries(parts)) {
    try {
      if (!(await inTime(Promise.resolve(end()), LONGEST_END))) throw new Error(`not after ${LONGEST_END / 1000} s`)
    } catch (error) {
      wrong.push(`${name} did not end: ${error instanceof Error ? error.message : error}`)
    }
  }
  watchRest()
  if (wrong.length) throw new Error(wrong.join('\n'))
}

/**
 * End a process. One that has to be killed for it is an error. Its pipes are let go of in any case: a
 * process that it started may still hold them.
 *
 * @param {ChildProcess} child
 * @param {NodeJS.Signals} [signal]
 */
export async function endProcess(child, signal = 'SIGTERM') {
  const ended = new Promise((done) => child.once('exit', done))
  try {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    if (await inTime(ended, LONGEST_END_OF_PROCESS)) return
    child.kill('SIGKILL')
    const isKilled = await inTime(ended, LONGEST_KILL)
    throw new Error(`process ${child.pid} was there ${LONGEST_END_OF_PROCESS / 1000} s after ${signal}${isKilled ? '' : ', and after SIGKILL'}`)
  } finally {
    child.stdout?.destroy()
    child.stderr?.destroy()
    child.unref()
  }
}

/**
 * @param {Promise<unknown>} ended
 * @param {number} milliseconds
 * @returns {Promise<boolean>} False if time is up.
 */
async function inTime(ended, milliseconds) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer
  const late = new Promise((/** @type {(value: false) => void} */ done) => (timer = setTimeout(() => done(false), milliseconds)))
  try {
    return await Promise.race([ended.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Runs only if something still holds this process: that fails the file, where it would hang without a word. */
function watchRest() {
  const tell = () => {
    console.error(`These hold the tests' process ${LONGEST_REST / 1000} s after their end: ${/** @type {any} */ (process).getActiveResourcesInfo().join(', ')}`)
    process.exit(1)
  }
  setTimeout(tell, LONGEST_REST).unref()
}
