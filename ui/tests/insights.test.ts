import { describe, expect, it } from 'vitest'
import { queryText } from '../src/core/api'
import { between, byDay, heatCells, hottest, rangeOf, readView, writeView } from '../src/core/insights'
import { DAY, SiteZone } from '../src/core/time'
import type { HeatAnswer } from '../src/core/types'

const zone = new SiteZone('Europe/London')
const NOW = Date.parse('2026-07-02T10:00:00Z')
const view = (query: string) => readView(new URLSearchParams(query))
const heat = (at: Record<number, number>): HeatAnswer => ({
  columns: 32, rows: 18, watched_seconds: 60, seconds: Array.from({ length: 576 }, (_, index) => at[index] ?? 0),
})

describe('the insights view', () => {
  it('is its URL, both ways', () => {
    for (const url of ['?camera=3&days=30&part=0.1_0.2_0.5_0.9', '?camera=3&since=2026-07-01&until=2026-07-02'])
      expect(queryText(writeView(view(url)))).toBe(url)
    expect(queryText(writeView(view('camera=x&days=9&part=5_1_2')))).toBe('?days=7')
  })

  it('asks for whole days of the site, and for the last days up to now', () => {
    expect(rangeOf(view('days=7'), zone, NOW)).toEqual([NOW - 7 * DAY, NOW])
    expect(rangeOf(view('since=2026-06-30&until=2026-07-01'), zone, NOW)).toEqual([
      Date.parse('2026-06-29T23:00:00Z'), Date.parse('2026-07-01T23:00:00Z'),
    ])
    expect(rangeOf(view('since=2026-07-01&until=2026-07-02'), zone, NOW)?.[1]).toBe(NOW)
    expect(rangeOf(view('since=2026-07-02&until=2026-06-01'), zone, NOW)).toBe(null)
  })

  it('takes a rectangle from any two corners, within the picture', () => {
    expect(between(0.5, 0.9, 0.1, -0.2)).toEqual({ left: 0.1, top: 0, right: 0.5, bottom: 0.9 })
    expect(between(0.5, 0.5, 0.505, 0.9)).toBe(null)
  })
})

describe('what moved', () => {
  it('is listed by day of the site', () => {
    const stretch = (start: string) => ({ start, end: start, seconds: 1 })
    const groups = byDay([stretch('2026-07-01T23:30:00Z'), stretch('2026-07-01T22:30:00Z'), stretch('2026-07-01T01:00:00Z')], zone)
    expect(groups.map((group) => group.stretches.length)).toEqual([1, 2])
    expect(zone.isoDate(groups[0]!.day)).toBe('2026-07-02')
  })

  it('is a map of the cells that moved, the most at full strength', () => {
    const cells = heatCells(heat({ 0: 100, 33: 25 }))
    expect(cells.map((cell) => cell.strength)).toEqual([1, 0.5])
    expect(cells[1]).toMatchObject({ left: 1 / 32, top: 1 / 18 })
    expect(heatCells(heat({}))).toEqual([])
  })

  it('is told in words', () => {
    expect(hottest(heat({ 0: 1, 575: 9 }))).toBe('bottom-right')
    expect(hottest(heat({ [9 * 32 + 16]: 1 }))).toBe('middle-centre')
    expect(hottest(heat({}))).toBe(null)
  })
})
