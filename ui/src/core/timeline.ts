import { DAY, HOUR, MINUTE, SECOND, type SiteZone } from './time'
import type { EventKind, TimelineAnswer } from './types'

/** What part of time a timeline shows, epoch ms. */
export interface View {
  from: number
  to: number
}

export interface Stretch {
  start: number
  end: number
}

export interface Gap extends Stretch {
  cause: string
  words: string
}

/** True for a hole that somebody wanted: by the recording mode, or recording switched off. */
export const isMeant = (gap: Gap): boolean => gap.cause === 'rule_off' || gap.cause === 'recording_off'

export interface Mark extends Stretch {
  id: number
  kind: EventKind
}

/** One camera's row: footage, why there is none, and what happened. All sorted by start. */
export interface Lane {
  camera: number
  spans: Stretch[]
  gaps: Gap[]
  marks: Mark[]
}

export const SHORTEST_VIEW = 10 * SECOND
export const LONGEST_VIEW = 60 * DAY
const FUTURE_SHARE = 0.08

/** The lanes of an answer, times as numbers; what has no end yet lasts until `now`. */
export function lanesOf(answer: TimelineAnswer, now: number): Lane[] {
  const stretch = (item: { start: string; end: string | null }) => ({
    start: Date.parse(item.start), end: item.end ? Date.parse(item.end) : now,
  })
  return answer.lanes.map((lane) => ({
    camera: lane.camera,
    spans: lane.spans.map(stretch).sort(byStart),
    gaps: lane.gaps.map((gap) => ({ ...stretch(gap), cause: gap.cause, words: gap.words })).sort(byStart),
    marks: lane.events.map((event) => ({ ...stretch(event), id: event.id, kind: event.kind })).sort(byStart),
  }))
}

const byStart = (a: Stretch, b: Stretch) => a.start - b.start

/** A view within the allowed lengths that does not run far past the present. */
export function clampView(view: View, now: number): View {
  const length = Math.min(LONGEST_VIEW, Math.max(SHORTEST_VIEW, view.to - view.from))
  const middle = (view.from + view.to) / 2
  const to = Math.min(middle + length / 2, now + length * FUTURE_SHARE)
  return { from: to - length, to }
}

/** Zoom by `factor` (below 1 = closer) keeping the instant `at` where it is on screen. */
export function zoomView(view: View, factor: number, at: number, now: number): View {
  const length = Math.min(LONGEST_VIEW, Math.max(SHORTEST_VIEW, (view.to - view.from) * factor))
  const share = (at - view.from) / (view.to - view.from)
  return clampView({ from: at - share * length, to: at + (1 - share) * length }, now)
}

export function panView(view: View, ms: number, now: number): View {
  return clampView({ from: view.from + ms, to: view.to + ms }, now)
}

/** Move the view only as far as needed to keep `at` in its inner part. */
export function follow(view: View, at: number, now: number, edge = 0.08): View {
  const length = view.to - view.from
  const low = view.from + length * edge
  const high = view.to - length * edge
  if (at >= low && at <= high) return view
  if (at < view.from - length || at > view.to + length) return clampView({ from: at - length / 2, to: at + length / 2 }, now)
  return clampView(at < low ? { from: at - length * edge, to: at + length * (1 - edge) } : { from: at - length * (1 - edge), to: at + length * edge }, now)
}

export const xOf = (view: View, width: number, ms: number): number => ((ms - view.from) / (view.to - view.from)) * width
export const msAt = (view: View, width: number, x: number): number => view.from + (x / width) * (view.to - view.from)

export interface Tick {
  ms: number
  label: string
  /** A day begins here. */
  major: boolean
}

const STEPS = [
  SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE,
  15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY,
]

/**
 * Round wall-clock times within a view, at least `spacing` pixels apart. Steps up to half an hour are even in real time
 * (offsets change by multiples of that); longer ones are counted on the wall clock of each day, so that midnight is
 * midnight on the days the clocks change too.
 */
export function ticks(view: View, width: number, zone: SiteZone, spacing = 84): Tick[] {
  const least = ((view.to - view.from) * spacing) / Math.max(1, width)
  const step = STEPS.find((candidate) => candidate >= least) ?? 28 * DAY
  const instants = step <= 30 * MINUTE ? evenInstants(view, step, zone) : wallInstants(view, step, zone)
  return instants.map((ms) => tick(ms, step, zone))
}

function tick(ms: number, step: number, zone: SiteZone): Tick {
  const { hour, minute, second } = zone.fields(ms)
  const midnight = hour === 0 && minute === 0 && second === 0
  return { ms, label: midnight ? zone.shortDate(ms) : zone.clock(ms, step < MINUTE), major: midnight }
}

function evenInstants(view: View, step: number, zone: SiteZone): number[] {
  const offset = zone.offset(view.from)
  const found = []
  for (let ms = Math.ceil((view.from + offset) / step) * step - offset; ms <= view.to; ms += step) found.push(ms)
  return found
}

function wallInstants(view: View, step: number, zone: SiteZone): number[] {
  const found: number[] = []
  const days = Math.max(1, step / DAY)
  let midnight = zone.startOfDay(view.from)
  while (midnight <= view.to) {
    const at = zone.fields(midnight)
    const dayNumber = Math.round(Date.UTC(at.year, at.month - 1, at.day) / DAY)
    if (dayNumber % days === 0) {
      for (let hour = 0; hour < 24; hour += Math.max(1, Math.min(24, step / HOUR))) {
        const ms = zone.instant(at.year, at.month, at.day, hour)
        if (ms >= view.from && ms <= view.to && ms !== found[found.length - 1]) found.push(ms)
      }
    }
    midnight = zone.startOfDay(midnight, 1)
  }
  return found
}

/** The stretch that holds an instant (end excluded), or null. */
export function at<T extends Stretch>(stretches: readonly T[], ms: number): T | null {
  return stretches.find((stretch) => stretch.start <= ms && ms < stretch.end) ?? null
}

/** The first stretch that ends after an instant: the one holding it, or the next. */
export function firstFrom<T extends Stretch>(stretches: readonly T[], ms: number): T | null {
  return stretches.find((stretch) => stretch.end > ms) ?? null
}

/** The mark to jump to with n (direction 1) or p (-1), a second of slack so that repeating moves on. */
export function neighbour(marks: readonly Mark[], ms: number, direction: 1 | -1): Mark | null {
  if (direction > 0) return marks.find((mark) => mark.start > ms + 1000) ?? null
  return marks.findLast((mark) => mark.start < ms - 4000) ?? null
}

/** The mark under a pointer: within `slack` ms, the nearest start first. */
export function markAt(marks: readonly Mark[], ms: number, slack: number): Mark | null {
  const near = marks.filter((mark) => mark.start - slack <= ms && ms <= mark.end + slack)
  near.sort((a, b) => Math.abs(a.start - ms) - Math.abs(b.start - ms))
  return near[0] ?? null
}

/** Stretches as pixel ranges [x, width], those closer than half a pixel joined: a month draws as fast as a minute. */
export function columns(stretches: readonly Stretch[], view: View, width: number, least = 1): [number, number][] {
  const drawn: [number, number][] = []
  for (const { start, end } of stretches) {
    if (end < view.from || start > view.to) continue
    const left = Math.max(0, xOf(view, width, start))
    const right = Math.min(width, Math.max(xOf(view, width, end), left + least))
    const last = drawn[drawn.length - 1]
    if (last && left <= last[0] + last[1] + 0.5) last[1] = Math.max(last[1], right - last[0])
    else drawn.push([left, right - left])
  }
  return drawn
}
