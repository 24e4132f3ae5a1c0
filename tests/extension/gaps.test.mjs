import assert from 'node:assert/strict'
import { test } from 'node:test'
import { filledIn, gapsOf, openGaps, piecesOf } from '../../extension/shared/gaps.js'

const TEXT = 'Hello [NAME],\n\nyour order [ORDER_ID_1] is on its way. Call [PHONE] about [ORDER_ID_1].\n\n[NAME]'
const OPEN = ['[NAME]', '[ORDER_ID_1]', '[PHONE]']

test('a number means the same thing each time; without one, each is a gap of its own', () => {
  const gaps = gapsOf(piecesOf(TEXT, OPEN))
  assert.deepEqual(
    gaps.map(({ key, label, place, of }) => [key, label, place, of]),
    [['[NAME]#1', 'NAME', 1, 2], ['[ORDER_ID_1]', 'ORDER_ID', 1, 1], ['[PHONE]#1', 'PHONE', 1, 1], ['[NAME]#2', 'NAME', 2, 2]],
  )
  assert.deepEqual([gaps[0]?.before, gaps[0]?.after, gaps[3]?.before], ['Hello ', ', your order ', '. '])
})

test('what is filled in stands in the text, once for each gap; blanks leave it open', () => {
  const pieces = piecesOf(TEXT, OPEN)
  const fillings = new Map([['[NAME]#1', ' Mira '], ['[ORDER_ID_1]', '$& 17'], ['[PHONE]#1', '  ']])
  assert.equal(filledIn(pieces, fillings), 'Hello Mira,\n\nyour order $& 17 is on its way. Call [PHONE] about $& 17.\n\n[NAME]')
  assert.deepEqual(openGaps(gapsOf(pieces), fillings).map(({ key }) => key), ['[PHONE]#1', '[NAME]#2'])
})

for (const placeholders of [[], ['[EMAIL]', ''], ['NAME)(']]) {
  test(`a text is whole where none of ${JSON.stringify(placeholders)} is in it`, () => {
    const pieces = piecesOf(TEXT, placeholders)
    assert.deepEqual([gapsOf(pieces), filledIn(pieces, new Map())], [[], TEXT])
  })
}
