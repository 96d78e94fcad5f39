import { describe, expect, it } from 'vitest'
import { begins, rowsOf, stepOf } from '../src/core/counts'
import { DAY, HOUR, SiteZone } from '../src/core/time'

const zone = new SiteZone('Europe/London')
const at = (text: string) => Date.parse(text)

describe('counts', () => {
  it('have a step for every hour, and for every day of the site whatever its length', () => {
    const from = at('2026-03-28T10:30:00Z')
    expect(begins([from, from + 3 * HOUR], 'hour', zone)).toEqual([0, 1, 2, 3].map((n) => at('2026-03-28T10:00:00Z') + n * HOUR))
    expect(begins([from, at('2026-03-31T09:00:00Z')], 'day', zone).map((ms) => new Date(ms).toISOString())).toEqual([
      '2026-03-28T00:00:00.000Z', '2026-03-29T00:00:00.000Z', '2026-03-29T23:00:00.000Z', '2026-03-30T23:00:00.000Z',
    ])
    const autumn = begins([at('2026-10-24T12:00:00Z'), at('2026-10-27T12:00:00Z')], 'day', zone)
    expect(autumn.map((ms) => zone.isoDate(ms))).toEqual(['2026-10-24', '2026-10-25', '2026-10-26', '2026-10-27'])
  })

  it('are by the hour for a week and by the day for a month', () => {
    expect([1, 7, 30].map((days) => stepOf([0, days * DAY]))).toEqual(['hour', 'hour', 'day'])
  })

  it('are one row a class, people first, empty steps included', () => {
    const steps = begins([at('2026-07-01T10:00:00Z'), at('2026-07-01T13:00:00Z')], 'hour', zone)
    const count = (time: string, n: number) => ({ at: time, count: n })
    const rows = rowsOf({ step: 'hour', series: [
      { camera: 1, kind: 'car', counts: [count('2026-07-01T12:00:00Z', 3)] },
      { camera: 1, kind: 'person', counts: [count('2026-07-01T10:00:00Z', 2), count('2026-07-01T12:00:00Z', 5)] },
      { camera: 2, kind: 'person', counts: [count('2026-07-01T10:00:00Z', 4), count('2025-01-01T10:00:00Z', 9)] },
      { camera: 1, kind: 'sound', counts: [] },
    ] }, steps)
    expect(rows).toEqual([
      { kind: 'person', total: 11, values: [6, 0, 5], most: 6 },
      { kind: 'car', total: 3, values: [0, 0, 3], most: 3 },
    ])
  })
})
