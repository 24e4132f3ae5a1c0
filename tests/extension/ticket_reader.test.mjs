import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { withoutQuotes } from '../../extension/shared/quotes.js'
import { LONGEST_LATER, LONGEST_TICKET, withMessages } from '../../extension/shared/ticket_reader.js'
import { TicketReader } from '../../extension/shared/ticket_reader.js'

/** @import { Message } from '../../extension/shared/host.js' */

const TICKET = { id: '1', subject: 'Blank app', text: 'I cannot log in.' }
/** @param {string} text @returns {Message} */
const theirs = (text) => ({ from: 'customer', text, at: 0, isSent: true })
/** @param {string} text @param {boolean} [isSent] @returns {Message} */
const ours = (text, isSent = true) => ({ from: 'agent', text, at: 0, isSent })

describe('a ticket with what the customer wrote later', () => {
  for (const [messages, text] of /** @type {[Message[], string][]} */ ([
    [[], 'I cannot log in.'],
    [[theirs('Still not.'), theirs('Hello?')], 'I cannot log in.\n\nStill not.\n\nHello?'],
    [[theirs('Old'), ours('Try this.'), theirs('That did not help.')], 'I cannot log in.\n\nThat did not help.'],
    [[theirs('More'), ours('a note', false)], 'I cannot log in.\n\nMore'],
    [[theirs('I cannot  log in.'), theirs(' ')], 'I cannot log in.'],
    [[ours('Try this.')], 'I cannot log in.'],
    [[theirs('I can')], 'I cannot log in.\n\nI can'],
  ])) {
    test(JSON.stringify(messages.map(({ from, text: words }) => `${from}: ${words}`)), () => {
      assert.deepEqual(withMessages(TICKET, messages), { ...TICKET, text })
    })
  }

  test('however much was written, the newest is kept and the rest is cut', () => {
    const later = [theirs('a'.repeat(9000)), theirs('b'.repeat(9000)), theirs(`${'c'.repeat(9000)} the end`)]
    const { text } = withMessages({ ...TICKET, text: `start ${'d'.repeat(60_000)} end` }, later)
    assert.ok(text.length <= LONGEST_TICKET + 20, String(text.length))
    assert.ok(text.startsWith('start d') && text.includes('d end') && text.endsWith('c the end'))
    assert.ok(!text.includes('aaa') && (text.match(/b/g)?.length ?? 0) < LONGEST_LATER)
  })
})

describe('reading before the click', () => {
  test('is done once, until something more was written', async () => {
    let reads = 0
    const reader = new TicketReader({ readMessages: async () => [theirs(`Message ${(reads += 1)}`)] })
    reader.prepare('1')
    assert.match((await reader.whole(TICKET)).text, /Message 1$/)
    assert.match((await reader.whole(TICKET)).text, /Message 1$/)
    reader.forget('1')
    assert.match((await reader.whole(TICKET)).text, /Message 2$/)
  })

  test('a product that fails, or does not answer, costs a moment and no words', async () => {
    const failing = new TicketReader({ readMessages: () => Promise.reject(new Error('no such connection')) })
    assert.deepEqual(await failing.whole(TICKET), TICKET)
    let reads = 0
    const recovering = new TicketReader({ readMessages: async () => (reads++ ? [theirs('Still not.')] : Promise.reject(new Error('busy'))) })
    assert.deepEqual(await recovering.whole(TICKET), TICKET)
    assert.match((await recovering.whole(TICKET)).text, /Still not\.$/)
    const silent = new TicketReader({ readMessages: () => new Promise(() => {}) }, 20)
    const start = performance.now()
    assert.deepEqual(await silent.whole(TICKET), TICKET)
    assert.ok(performance.now() - start < 1000)
  })
})

describe("a mail's own words", () => {
  for (const [text, own] of [
    ['It works.\n\nOn Mon, 1 Jun 2026 at 10:29, Support <support@acme.example> wrote:\n> Hello', 'It works.'],
    ['Так.\n\nпн, 1 черв. 2026 р. о 10:29 Support <support@acme.example> пише:\n> Привіт', 'Так.'],
    ['Thanks\n---- On Mon, 01 Jun 2026 10:29:00 +0200 Support <s@acme.example> wrote ----\nHello', 'Thanks'],
    ['See\n-----Original Message-----\nFrom: x', 'See'],
    ['See below\nFrom: Support <s@acme.example>\nSent: today', 'See below'],
    ['> quoted\nMy words', 'My words'],
    ['> only quoted', '> only quoted'],
    ['She wrote:\nHello', 'She wrote:\nHello'],
  ]) {
    test(JSON.stringify(text), () => assert.equal(withoutQuotes(text ?? ''), own))
  }
})
