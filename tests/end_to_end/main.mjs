/**
 * All tests in a browser, with arguments for node's test runner: the widgets are packed once, and two files
 * run at a time. The test that measures a rhythm runs alone, after the others.
 */

import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { PACKED, pack } from './host/packed.mjs'
import { BACKEND } from './host/zoho.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const ALONE = ['zoho_blind.test.mjs']
/** The longest first, so that none is left over at the end. */
const FIRST = ['zoho_states.test.mjs', 'product.test.mjs', 'zoho_looks.test.mjs']

/**
 * @param {string[]} files
 * @param {number} concurrency
 * @param {string} folder  Where the packed widgets are.
 * @returns {Promise<boolean>} Whether all passed.
 */
function passed(files, concurrency, folder) {
  const words = ['--test', `--test-concurrency=${concurrency}`, ...process.argv.slice(2), ...files.map((file) => HERE + file)]
  const child = spawn(process.execPath, words, { stdio: 'inherit', env: { ...process.env, [PACKED]: folder } })
  return new Promise((done) => child.on('exit', (code) => done(code === 0)))
}

const all = (await readdir(HERE)).filter((file) => file.endsWith('.test.mjs') && !ALONE.includes(file) && !FIRST.includes(file))
const { folder, remove } = await pack(BACKEND)
const outcomes = [await passed([...FIRST, ...all], 2, folder), await passed(ALONE, 1, folder)]
await remove()
process.exitCode = outcomes.every(Boolean) ? 0 : 1
