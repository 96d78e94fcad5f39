import { describe, expect, it } from 'vitest'
import { MediaMap } from '../src/core/media-map'

const wall = Date.parse('2026-11-23T12:00:00Z')
const map = new MediaMap([
  { start: 0, duration: 10, wall },
  { start: 10, duration: 10, wall: wall + 10_000 },
  { start: 20, duration: 5, wall: wall + 80_000 }, // after a hole of a minute
])

describe('media time and wall time', () => {
  it('go there and back inside footage', () => {
    for (const media of [0, 3.25, 10, 19.9, 20, 24.5]) expect(map.mediaAt(map.wallAt(media))).toBeCloseTo(media, 3)
  })

  it('have no media time for an instant in a hole, before the first or after the last', () => {
    expect(map.mediaAt(wall + 40_000)).toBeNull()
    expect(map.mediaAt(wall - 1000)).toBeNull()
    expect(map.mediaAt(wall + 90_000)).toBeNull()
  })

  it('forgive the rounding of an edge', () => {
    expect(map.mediaAt(wall - 50)).toBe(0)
    expect(map.mediaAt(wall + 20_050)).toBeCloseTo(20, 1)
  })

  it('tell of a hole that playing has crossed, once', () => {
    expect(map.holeBetween(19.8, 20.1)).toEqual({ start: wall + 20_000, end: wall + 80_000 })
    expect(map.holeBetween(20.1, 20.4)).toBeNull()
    expect(map.holeBetween(9.9, 10.2)).toBeNull()
  })

  it('come from dated fragments, else from the spans', () => {
    const dated = MediaMap.from([{ start: 5, duration: 2, programDateTime: wall }], [])
    expect(dated.mediaAt(wall + 1000)).toBe(6)
    const spans = [{ start: wall, end: wall + 20_000 }, { start: wall + 80_000, end: wall + 85_000 }]
    const spanned = MediaMap.from([{ start: 0, duration: 25, programDateTime: null }], spans)
    expect(spanned.mediaAt(wall + 81_000)).toBe(21)
    expect(spanned.range).toEqual({ from: wall, to: wall + 85_000 })
  })

  it('say so when there is nothing', () => {
    const none = MediaMap.from([], [])
    expect(none.empty).toBe(true)
    expect(none.mediaAt(wall)).toBeNull()
    expect(none.wallAt(3)).toBe(0)
  })
})
