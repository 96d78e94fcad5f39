import { expect, it } from 'vitest'
import { rowsOf } from '../src/core/looks'
import type { Look } from '../src/core/types'

const look = (id: number, action: string, second: number, over: Partial<Look> = {}): Look => ({
  id, at: new Date(1_800_000_000_000 + second * 1000).toISOString(), user: 'admin', camera: 1, action, from: null, to: null, what: null, ip: '::1', ...over,
})

it('folds a burst of stills of one person into a row, and nothing else', () => {
  const looks = [
    look(9, 'still', 200), look(8, 'still', 199), look(7, 'still', 198, { user: 'night desk' }), look(6, 'playback', 197), look(5, 'playback', 196),
    look(4, 'still', 195), look(3, 'still', 100), look(2, 'still', 99, { ip: '10.0.0.9' }), look(1, 'live', 1),
  ]
  expect(rowsOf(looks).map((row) => row.map(({ id }) => id))).toEqual([[9, 8], [7], [6], [5], [4], [3], [2], [1]])
  expect(rowsOf([])).toEqual([])
})
