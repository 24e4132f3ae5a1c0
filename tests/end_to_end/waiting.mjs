/** Waiting for what a test claims, where nothing tells of it. */

import assert from 'node:assert/strict'

/** Milliseconds after which something will not come any more, on a machine that is busy with much else. */
export const PATIENCE = 60_000
const LOOK_EVERY = 50

/**
 * Wait until something is so; fails if it never is.
 *
 * @param {() => unknown} wanted
 */
export async function until(wanted) {
  const deadline = Date.now() + PATIENCE
  while (!(await wanted())) {
    assert.ok(Date.now() < deadline, `This was not so for ${PATIENCE / 1000} s: ${wanted}`)
    await new Promise((done) => setTimeout(done, LOOK_EVERY))
  }
}
