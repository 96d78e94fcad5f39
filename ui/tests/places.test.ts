import { describe, expect, it } from 'vitest'
import { changesOf, drawnOf, freshName, groundOf, metresOf, placeFault, type Drawn } from '../src/core/places'
import type { Points } from '../src/core/shape'
import type { Place } from '../src/core/types'

const square: Points = [[0.2, 0.2], [0.6, 0.2], [0.6, 0.6], [0.2, 0.6]]
const place = (id: number, name: string, over: Partial<Place> = {}): Place => ({ id, camera: 1, kind: 'zone', name, points: square, rev: 3, changed: '', ...over })
const fresh = (name: string, over: Partial<Drawn> = {}): Drawn => ({ ...drawnOf([place(1, name)])[0]!, id: null, key: 'n1', ...over })

describe('what is drawn', () => {
  const stored = drawnOf([place(1, 'Entrance'), place(2, 'Kerb', { kind: 'line', points: [[0.1, 0.1], [0.9, 0.9]] })])

  it('is not sent when nothing changed', () => expect(changesOf(stored, stored)).toEqual({ added: [], changed: [], removed: [] }))

  it('is sent by what differs', () => {
    const moved = { ...stored[0]!, points: [[0.1, 0.2], ...stored[0]!.points.slice(1)] as Points }
    const added = fresh('Gate')
    expect(changesOf(stored, [moved, added])).toEqual({ added: [added], changed: [{ place: moved, points: moved.points }], removed: [stored[1]] })
    expect(changesOf(stored, [{ ...stored[0]!, name: 'Door' }, stored[1]!]).changed).toEqual([{ place: { ...stored[0]!, name: 'Door' }, name: 'Door' }])
  })

  it('says what is wrong with it', () => {
    const all = [stored[0]!, fresh('entrance ')]
    expect(placeFault(all[1]!, all)).toBe('name_taken')
    expect(placeFault(fresh(' '), [])).toBe('no_name')
    expect(placeFault(fresh('A', { points: [[0.2, 0.2], [0.6, 0.6], [0.6, 0.2], [0.2, 0.6]] }), [])).toBe('crosses')
    expect(placeFault(fresh('A', { points: [[0.2, 0.2], [0.2, 0.3], [0.2, 0.4]] }), [])).toBe('too_small')
    expect(placeFault(fresh('A', { kind: 'line', points: [[0.2, 0.2], [0.2, 0.3]] }), [])).toBeNull()
    expect(placeFault(stored[0]!, stored)).toBeNull()
  })

  it('gets a name nobody has', () => expect(freshName('Zone', [fresh('zone 1'), fresh('Zone 3')])).toBe('Zone 2'))
})

describe('the ground', () => {
  it('is a rectangle with width and depth, read back', () => {
    expect(groundOf({ points: square, metres: metresOf(4, 6.5) })).toEqual({ points: square, width: 4, depth: 6.5 })
    expect(groundOf({ points: square, metres: [[0, 0], [4, 0], [5, 6], [0, 6]] })).toMatchObject({ width: null, depth: null })
    expect(groundOf(null)).toBeNull()
  })
})
