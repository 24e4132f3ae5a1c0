import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { CrmHost } from '../../extension/crm/crm_host.js'
import { DEFAULTS } from '../../extension/shared/settings.js'
import { FakeCrm } from './fake_crm.mjs'

/** @import { Place } from '../../extension/shared/host.js' */
/** @import { WidgetSettings } from '../../extension/shared/settings.js' */

const PACKED = /** @type {WidgetSettings} */ ({ ...DEFAULTS, backend: 'https://suggest.example.org', calls: 'proxy' })
let crm = new FakeCrm()

beforeEach(() => {
  crm = new FakeCrm()
})

async function start() {
  const host = new CrmHost(/** @type {any} */ (crm.sdk), { say: () => {}, patience: 20 })
  const settings = await host.init(PACKED)
  return { host, settings }
}

/** @param {CrmHost} host @param {Place} place @param {string} [text] */
const insert = (host, place, text = 'Do this.') => host.insert({ text, hosts: [] }, { place, ticketId: '3001', waiting: () => {}, unsure: () => {} })

describe('reading a Case', () => {
  for (const page of [{ Entity: 'Cases', EntityId: '3001' }, { Entity: 'Cases', EntityId: ['3001'], ButtonPosition: 'DetailView' }]) {
    test(`opened as ${JSON.stringify(page)}`, async () => {
      crm.page = page
      const { host } = await start()

      assert.deepEqual(await host.readTicket(), {
        id: '3001', subject: 'Blank app', text: 'I cannot log in.\n\nAna Diaz: Tried again.', contact: 'Ana Diaz',
      })
      assert.equal(crm.sizes.length, 'ButtonPosition' in page ? 1 : 0)
    })
  }

  for (const [comments, text] of /** @type {[unknown, string][]} */ ([
    [null, 'I cannot log in.'],
    ['none', 'I cannot log in.'],
    [['First', { content: '<p>Second</p>' }, {}, null, 7], 'I cannot log in.\n\nFirst\n\nSecond'],
    [[{ comment_content: 'Third', commented_by: { name: 'Jade' } }], 'I cannot log in.\n\nJade: Third'],
  ])) {
    test(`comments like ${JSON.stringify(comments)}`, async () => {
      crm.cases[3001].Comments = comments
      assert.equal((await (await start()).host.readTicket())?.text, text)
    })
  }

  test('an empty Case is an empty ticket; a page of no Case is none', async () => {
    crm.cases[3001] = { id: '3001', Subject: null, Description: null }
    const { host } = await start()
    assert.deepEqual(await host.readTicket(), { id: '3001', subject: '', text: '' })
    crm.turnTo('')
    assert.equal(await host.readTicket(), null)
  })

  test('a Case that may not be read says why', async () => {
    crm.page = { Entity: 'Cases', EntityId: '3999' }
    await assert.rejects((await start()).host.readTicket(), /seems to be invalid/)
  })

  test('the agent, listed or flat', async () => {
    const { host } = await start()
    assert.deepEqual(await host.currentUser(), { id: '7', name: 'Olha' })
    crm.user = { id: '8', full_name: 'Petro' }
    assert.deepEqual(await host.currentUser(), { id: '8', name: 'Petro' })
    crm.user = {}
    await assert.rejects(host.currentUser(), /Sign in/)
  })

  test('a script that did not load is named', () => {
    assert.throws(() => new CrmHost(undefined, { say: () => {} }), /live\.zwidgets\.com/)
  })
})

describe('settings', () => {
  test('the CRM variable overrides the package', async () => {
    crm.variable = { Success: { Content: '{"autostart": true, "connection": "suggest", "backend": "https://evil.example"}' } }
    assert.deepEqual((await start()).settings, { ...PACKED, autostart: true, connection: 'suggest', language: 'en_US' })
  })

  for (const variable of [null, {}, { Success: { Content: '' } }, { code: 'INVALID_DATA' }]) {
    test(`a variable like ${JSON.stringify(variable)} changes nothing`, async () => {
      crm.variable = variable
      assert.deepEqual((await start()).settings, { ...PACKED, language: 'en_US' })
    })
  }

  test('a variable that is no JSON is named', async () => {
    crm.variable = { Success: { Content: 'autostart' } }
    await assert.rejects(start(), /suggest_answer is no JSON/)
  })
})

describe('inserting', () => {
  test('into the Solution, as text, without starting a workflow', async () => {
    const { host } = await start()
    assert.equal(await insert(host, 'solution', 'See <b>this</b>'), 'inserted')
    assert.deepEqual(crm.updates, [{ Entity: 'Cases', APIData: { id: '3001', Solution: 'See <b>this</b>' }, Trigger: [] }])
  })

  test('another choice replaces the first; words of others stay above', async () => {
    const { host } = await start()
    await insert(host, 'solution', 'First.')
    await insert(host, 'solution', 'Second.')
    assert.equal(crm.cases[3001].Solution, 'Second.')
    crm.cases[3001].Solution = 'Written by Jade.'
    await insert(host, 'solution', 'Third.')
    assert.equal(crm.cases[3001].Solution, 'Written by Jade.\n\nThird.')
    await insert(host, 'solution', 'Fourth.')
    assert.equal(crm.cases[3001].Solution, 'Written by Jade.\n\nFourth.')
  })

  test('a reply that is there already, as after a reload, is not put there twice', async () => {
    await insert((await start()).host, 'solution', 'First.')
    assert.equal(await insert((await start()).host, 'solution', 'First. '), 'inserted')
    assert.equal(crm.cases[3001].Solution, 'First.')
    assert.equal(crm.updates.length, 1)
  })

  test('an answer that takes long is told once', async () => {
    const { host } = await start()
    crm.slow = 60
    let unsure = 0
    const ended = host.insert({ text: 'Do this.', hosts: [] }, { place: 'solution', ticketId: '3001', waiting: () => {}, unsure: () => void (unsure += 1) })
    assert.deepEqual([await ended, unsure, crm.updates.length], ['inserted', 1, 1])
  })

  test('what is in the Solution and in notes is read back', async () => {
    const { host } = await start()
    assert.deepEqual(await host.readMessages('3001'), [])
    await insert(host, 'solution', 'First.')
    await insert(host, 'note', 'Second.')
    assert.deepEqual(await host.readMessages('3001'), [
      { from: 'agent', text: 'First.', at: 0, isSent: false },
      { from: 'agent', text: 'Second.', at: Date.parse('2026-06-01T10:40:00Z'), isSent: false },
    ])
  })

  test('as a note', async () => {
    const { host } = await start()
    await insert(host, 'note')
    assert.deepEqual(crm.notes, [{ Entity: 'Cases', RecordID: '3001', Title: 'Suggested answer', Content: 'Do this.' }])
    assert.deepEqual(crm.updates, [])
  })

  for (const place of /** @type {const} */ (['solution', 'note'])) {
    test(`a refusal is told (${place})`, async () => {
      const { host } = await start()
      crm.refusal = 'permission denied'
      await assert.rejects(insert(host, place), { name: 'NotInserted', kind: 'failed', message: 'permission denied' })
    })

    test(`another Case gets nothing (${place})`, async () => {
      const { host } = await start()
      crm.cases = { ...crm.cases, 3002: { id: '3002', Subject: 'Other' } }
      if (place === 'solution') crm.beforeRecord = () => crm.turnTo('3002')
      else crm.turnTo('3002')
      await assert.rejects(insert(host, place), { kind: 'changed' })
      assert.deepEqual([crm.updates, crm.notes], [[], []])
    })
  }

  test('another Case is noticed, once', async () => {
    const { host } = await start()
    let changes = 0
    const stop = host.onTicketChange(() => (changes += 1))
    crm.turnTo('3001')
    crm.turnTo('3002')
    crm.turnTo('3002')
    stop()
    crm.turnTo('3003')
    assert.equal(changes, 1)
  })
})
