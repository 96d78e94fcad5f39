import { describe, expect, it } from 'vitest'
import { queryText } from '../src/core/api'
import { byHour, dayWord, filterQuery, fits, merge, readFilter, writeFilter } from '../src/core/review'
import { SiteZone } from '../src/core/time'
import type { EventItem } from '../src/core/types'

const zone = new SiteZone('Europe/London')
const event = (id: number, start: string, over: Partial<EventItem> = {}): EventItem => ({
  id, camera: 3, kind: 'person', start, end: null, score: 0.9, box: null, has_still: true, reviewed: false,
  rule: null, what: null, place: null, severity: 'note', detail: {}, verdict: null, ...over,
})

describe('the review filter', () => {
  it('is its URL, both ways', () => {
    const url = '?class=person&class=car&camera=2&show=unreviewed&since=2026-07-01&until=2026-07-02'
    expect(queryText(writeFilter(readFilter(new URLSearchParams(url))))).toBe(url)
    expect(queryText(writeFilter(readFilter(new URLSearchParams('?class=nobody&camera=x&since=soon'))))).toBe('')
  })

  it('asks the API for whole days of the site', () => {
    const query = filterQuery(readFilter(new URLSearchParams('since=2026-07-01&until=2026-07-01')), zone)
    expect(query).toMatchObject({ since: '2026-06-30T23:00:00.000Z', until: '2026-07-01T23:00:00.000Z' })
  })

  it('lets in new events that belong, and no others', () => {
    const filter = readFilter(new URLSearchParams('class=car&camera=3&since=2026-07-01&until=2026-07-01'))
    expect(fits(event(1, '2026-06-30T23:30:00Z', { kind: 'car' }), filter, zone)).toBe(true)
    expect(fits(event(1, '2026-07-01T23:30:00Z', { kind: 'car' }), filter, zone)).toBe(false)
    expect(fits(event(1, '2026-07-01T10:00:00Z'), filter, zone)).toBe(false)
    expect(fits(event(1, '2026-07-01T10:00:00Z', { kind: 'car', camera: 4 }), filter, zone)).toBe(false)
  })
})

describe('the review list', () => {
  it('is grouped by hours of the site, the doubled hour of autumn twice', () => {
    const events = [event(3, '2026-10-25T01:20:00Z'), event(2, '2026-10-25T00:40:00Z'), event(1, '2026-10-25T00:20:00Z')]
    const groups = byHour(events, zone)
    expect(groups.map((group) => [zone.clock(group.hour, false), group.events.length])).toEqual([['01:00', 1], ['01:00', 2]])
  })

  it('calls days by name where there is one', () => {
    const now = Date.parse('2026-07-02T12:00:00Z')
    expect(dayWord(Date.parse('2026-07-01T23:30:00Z'), now, zone)).toBe('today')
    expect(dayWord(Date.parse('2026-07-01T22:30:00Z'), now, zone)).toBe('yesterday')
    expect(dayWord(Date.parse('2026-06-30T22:30:00Z'), now, zone)).toBeNull()
  })

  it('takes in news: the same event in its place, a new one in order', () => {
    const list = [event(5, '2026-07-01T10:00:00Z'), event(4, '2026-07-01T09:00:00Z')]
    expect(merge(list, { ...list[1]!, end: '2026-07-01T09:00:09Z' }).map(({ id, end }) => [id, end])).toEqual([[5, null], [4, '2026-07-01T09:00:09Z']])
    expect(merge(list, event(6, '2026-07-01T09:30:00Z')).map(({ id }) => id)).toEqual([5, 6, 4])
  })
})
