import { describe, expect, it } from 'vitest'
import { DAY, HOUR, MINUTE, SECOND, SiteZone } from '../src/core/time'
import {
  LONGEST_VIEW, SHORTEST_VIEW, at, clampView, columns, firstFrom, follow, lanesOf, markAt, msAt, neighbour, panView, ticks, xOf,
  zoomView, type Mark,
} from '../src/core/timeline'

const now = Date.parse('2026-11-23T12:00:00Z')
const london = new SiteZone('Europe/London')
const view = { from: now - HOUR, to: now }
const mark = (start: number, end = start + 1000, id = start): Mark => ({ id, kind: 'person', start, end })

describe('the view', () => {
  it('keeps the instant under the pointer where it is while zooming', () => {
    const at = now - 40 * MINUTE
    const next = zoomView(view, 0.5, at, now)
    expect(xOf(next, 1000, at)).toBeCloseTo(xOf(view, 1000, at), 6)
    expect(next.to - next.from).toBeCloseTo(HOUR / 2)
  })

  it('neither zooms past its limits nor pans far into the future', () => {
    const close = zoomView(view, 1e-9, now - HOUR / 2, now)
    const far = zoomView(view, 1e9, now, now)
    expect(close.to - close.from).toBe(SHORTEST_VIEW)
    expect(far.to - far.from).toBe(LONGEST_VIEW)
    expect(panView(view, DAY, now).to).toBeLessThanOrEqual(now + HOUR * 0.08 + 1)
  })

  it('follows the head only when it leaves the inner part', () => {
    expect(follow(view, now - 30 * MINUTE, now)).toBe(view)
    const moved = follow(view, now - 70 * MINUTE, now)
    expect(moved.from).toBeLessThan(now - 70 * MINUTE)
    expect(moved.to - moved.from).toBe(HOUR)
    const jumped = follow(view, now - 9 * DAY, now)
    expect((jumped.from + jumped.to) / 2).toBe(now - 9 * DAY)
  })

  it('maps pixels to instants and back', () => {
    expect(msAt(view, 800, xOf(view, 800, now - 1234))).toBeCloseTo(now - 1234, 3)
    expect(clampView(view, now)).toEqual(view)
  })
})

describe('ticks', () => {
  it('never lie closer than asked, at any zoom', () => {
    for (let length = SHORTEST_VIEW; length < LONGEST_VIEW; length *= 1.7) {
      const shown = { from: now - length, to: now }
      const places = ticks(shown, 1000, london).map(({ ms }) => xOf(shown, 1000, ms))
      expect(places.length).toBeGreaterThan(0)
      for (let i = 1; i < places.length; i++) expect(places[i]! - places[i - 1]!).toBeGreaterThan(70)
    }
  })

  it('show midnight at midnight on the day the clocks change', () => {
    const from = london.instant(2026, 10, 24, 12)
    const labels = ticks({ from, to: from + 3 * DAY }, 1400, london).map(({ label }) => label)
    expect(labels).toEqual(expect.arrayContaining(['25 Oct', '26 Oct', '27 Oct', '06:00', '18:00']))
    expect(labels.every((label) => /^\d\d? \w+$|^\d\d:00$/.test(label))).toBe(true)
  })

  it('are 24-hour and on the site’s clock', () => {
    const summer = Date.parse('2026-07-01T20:00:00Z')
    expect(ticks({ from: summer, to: summer + HOUR }, 500, london)[0]!.label).toBe('21:00')
  })
})

describe('stretches and marks', () => {
  const spans = [{ start: 0, end: 10 }, { start: 20, end: 30 }]

  it('finds the stretch at an instant, its end excluded, and the next one', () => {
    expect(at(spans, 9)).toBe(spans[0])
    expect(at(spans, 10)).toBeNull()
    expect(firstFrom(spans, 12)).toBe(spans[1])
    expect(firstFrom(spans, 40)).toBeNull()
  })

  it('steps through events and moves on when asked again', () => {
    const marks = [10, 20, 30].map((second) => mark(second * SECOND))
    expect(neighbour(marks, 20 * SECOND, 1)?.id).toBe(30 * SECOND)
    expect(neighbour(marks, 20 * SECOND, -1)?.id).toBe(10 * SECOND)
    expect(neighbour(marks, 30 * SECOND, 1)).toBeNull()
  })

  it('picks the nearest mark under the pointer', () => {
    const marks = [mark(1000, 9000, 1), mark(5000, 6000, 2)]
    expect(markAt(marks, 5200, 100)?.id).toBe(2)
    expect(markAt(marks, 20_000, 100)).toBeNull()
  })

  it('draws ten thousand stretches of a month as at most one column a pixel, and loses none', () => {
    const month = { from: now - 30 * DAY, to: now }
    const many = Array.from({ length: 10_000 }, (_, n) => ({ start: month.from + n * 259_000, end: month.from + n * 259_000 + 5000 }))
    const drawn = columns(many, month, 1000)
    expect(drawn.length).toBeLessThanOrEqual(1000)
    expect(drawn[0]![0]).toBe(0)
    expect(columns([{ start: now - 2000, end: now - 1000 }], month, 1000, 1.5)).toEqual([[expect.closeTo(999.99, 0), expect.any(Number)]])
  })

  it('gives an event that still lasts an end: now', () => {
    const [lane] = lanesOf({
      from: '', to: '', lanes: [{
        camera: 3, spans: [], gaps: [{ start: '2026-11-23T11:00:00Z', end: null, cause: 'camera_lost', words: 'w' }],
        events: [{ id: 1, kind: 'car', start: '2026-11-23T11:59:00Z', end: null }],
      }],
    }, now)
    expect(lane!.marks[0]!.end).toBe(now)
    expect(lane!.gaps[0]!.end).toBe(now)
  })
})
