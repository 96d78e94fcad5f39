import { ALL_KINDS, type EventItem, type EventKind } from './types'
import type { Query } from './api'
import { DAY, toRfc3339, type SiteZone } from './time'

/** What the review page shows, as its URL says it. There is no filter for who: nothing stored could answer it. */
export interface ReviewFilter {
  kinds: EventKind[]
  cameras: number[]
  unreviewed: boolean
  /** Only what a rule calls urgent. */
  alerts: boolean
  /** Days of the site, `2026-11-23`, both included; empty = open. */
  since: string
  until: string
}

export function readFilter(query: URLSearchParams): ReviewFilter {
  const day = (name: string) => (/^\d{4}-\d\d-\d\d$/.test(query.get(name) ?? '') ? query.get(name)! : '')
  return {
    kinds: ALL_KINDS.filter((kind) => query.getAll('class').includes(kind)),
    cameras: query.getAll('camera').map(Number).filter((id) => Number.isInteger(id) && id > 0),
    unreviewed: query.get('show') === 'unreviewed',
    alerts: query.get('severity') === 'alert',
    since: day('since'),
    until: day('until'),
  }
}

/** The URL's query of a filter, always in the same order. */
export function writeFilter(filter: ReviewFilter): Query {
  return {
    class: filter.kinds, camera: filter.cameras, show: filter.unreviewed ? 'unreviewed' : null, severity: filter.alerts ? 'alert' : null,
    since: filter.since, until: filter.until,
  }
}

/** The API's query of a filter. */
export function filterQuery(filter: ReviewFilter, zone: SiteZone): Query {
  const since = zone.fromIsoDate(filter.since)
  const until = zone.fromIsoDate(filter.until, 1)
  return {
    class: filter.kinds, camera: filter.cameras, reviewed: filter.unreviewed ? false : null, severity: filter.alerts ? 'alert' : null,
    since: since === null ? null : toRfc3339(since), until: until === null ? null : toRfc3339(until),
  }
}

/** Whether an event just heard of belongs in the list. Reviewed ones stay until the list is loaded anew. */
export function fits(event: EventItem, filter: ReviewFilter, zone: SiteZone): boolean {
  const at = Date.parse(event.start)
  const since = zone.fromIsoDate(filter.since)
  const until = zone.fromIsoDate(filter.until, 1)
  return (
    (!filter.kinds.length || filter.kinds.includes(event.kind)) &&
    (!filter.alerts || event.severity === 'alert') &&
    (!filter.cameras.length || filter.cameras.includes(event.camera)) &&
    (since === null || at >= since) && (until === null || at < until)
  )
}

export interface HourGroup {
  /** The hour's first instant, epoch ms. */
  hour: number
  events: EventItem[]
}

/** Events (newest first) by hour of the site's clock. */
export function byHour(events: readonly EventItem[], zone: SiteZone): HourGroup[] {
  const groups: HourGroup[] = []
  for (const event of events) {
    const hour = zone.startOfHour(Date.parse(event.start))
    const last = groups[groups.length - 1]
    if (last?.hour === hour) last.events.push(event)
    else groups.push({ hour, events: [event] })
  }
  return groups
}

/** `today`, `yesterday`, or null for another day. */
export function dayWord(ms: number, now: number, zone: SiteZone): 'today' | 'yesterday' | null {
  const day = zone.isoDate(ms)
  if (day === zone.isoDate(now)) return 'today'
  return day === zone.isoDate(zone.startOfDay(now) - DAY / 2) ? 'yesterday' : null
}

/** The list with an event put in or replaced, newest first by id as the API orders them. */
export function merge(events: readonly EventItem[], event: EventItem): EventItem[] {
  if (events.some((other) => other.id === event.id)) return events.map((other) => (other.id === event.id ? { ...other, ...event } : other))
  return [event, ...events].sort((a, b) => Date.parse(b.start) - Date.parse(a.start) || b.id - a.id)
}
