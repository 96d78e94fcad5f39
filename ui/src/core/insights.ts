import type { Query } from './api'
import { DAY, toRfc3339, type SiteZone } from './time'
import type { HeatAnswer, MotionStretch, Rectangle } from './types'

/** What the insights page shows, as its URL says it. */
export interface InsightsView {
  camera: number | null
  /** The last so many days up to now; 0 = whole days of the site from `since` to `until`. */
  days: number
  since: string
  until: string
  /** Part of the picture, 0..1; null = all of it. */
  part: Rectangle | null
}

export const PRESETS = [1, 7, 30] as const
export const WHOLE: Rectangle = { left: 0, top: 0, right: 1, bottom: 1 }
/** The least a drawn rectangle measures, in parts of the picture. */
export const LEAST = 0.02

export function readView(query: URLSearchParams): InsightsView {
  const day = (name: string) => (/^\d{4}-\d\d-\d\d$/.test(query.get(name) ?? '') ? query.get(name)! : '')
  const camera = Number(query.get('camera'))
  const [since, until] = [day('since'), day('until')]
  const days = Number(query.get('days'))
  const given = Boolean(since && until)
  return {
    camera: Number.isInteger(camera) && camera > 0 ? camera : null,
    days: given ? 0 : PRESETS.find((preset) => preset === days) ?? 7,
    since: given ? since : '',
    until: given ? until : '',
    part: readPart(query.get('part')),
  }
}

/** The URL's query of a view, always in the same order. */
export function writeView(view: InsightsView): Query {
  const part = view.part && [view.part.left, view.part.top, view.part.right, view.part.bottom].map(short).join('_')
  return {
    camera: view.camera, days: view.days || null, since: view.days ? null : view.since,
    until: view.days ? null : view.until, part,
  }
}

/** [from, to) of a view in epoch ms; null when its days are the wrong way round. */
export function rangeOf(view: InsightsView, zone: SiteZone, now: number): [number, number] | null {
  if (view.days) return [now - view.days * DAY, now]
  const from = zone.fromIsoDate(view.since)
  const to = zone.fromIsoDate(view.until, 1)
  return from !== null && to !== null && from < to ? [from, Math.min(to, Math.max(now, from + 1))] : null
}

export const rangeQuery = ([from, to]: readonly [number, number]): Query => ({ from: toRfc3339(from), to: toRfc3339(to) })

/** A rectangle between two corners, kept within the picture; null when it is too small to be meant. */
export function between(ax: number, ay: number, bx: number, by: number): Rectangle | null {
  const made = {
    left: clamp(Math.min(ax, bx)), top: clamp(Math.min(ay, by)),
    right: clamp(Math.max(ax, bx)), bottom: clamp(Math.max(ay, by)),
  }
  return made.right - made.left < LEAST || made.bottom - made.top < LEAST ? null : made
}

export interface DayGroup {
  /** The day's first instant at the site, epoch ms. */
  day: number
  stretches: MotionStretch[]
}

/** Stretches (newest first) by day of the site. */
export function byDay(stretches: readonly MotionStretch[], zone: SiteZone): DayGroup[] {
  const groups: DayGroup[] = []
  for (const stretch of stretches) {
    const day = zone.startOfDay(Date.parse(stretch.start))
    const last = groups.at(-1)
    if (last?.day === day) last.stretches.push(stretch)
    else groups.push({ day, stretches: [stretch] })
  }
  return groups
}

export interface HeatCell extends Rectangle {
  /** 0..1, of the most. Roots spread what moves seldom. */
  strength: number
}

/** The cells that moved, as rectangles of the picture. */
export function heatCells(heat: HeatAnswer): HeatCell[] {
  const most = Math.max(0, ...heat.seconds)
  if (!most) return []
  return heat.seconds.flatMap((seconds, index) => {
    if (!seconds) return []
    const [row, column] = [Math.floor(index / heat.columns), index % heat.columns]
    return [{
      left: column / heat.columns, right: (column + 1) / heat.columns,
      top: row / heat.rows, bottom: (row + 1) / heat.rows,
      strength: Math.sqrt(seconds / most),
    }]
  })
}

/** Which ninth of the picture moved most, as a key of `insights.ninth`: `top-left` … `bottom-right`. */
export function hottest(heat: HeatAnswer): string | null {
  const sums = new Map<string, number>()
  heat.seconds.forEach((seconds, index) => {
    const row = ['top', 'middle', 'bottom'][Math.floor((Math.floor(index / heat.columns) * 3) / heat.rows)]
    const column = ['left', 'centre', 'right'][Math.floor(((index % heat.columns) * 3) / heat.columns)]
    const key = `${row}-${column}`
    sums.set(key, (sums.get(key) ?? 0) + seconds)
  })
  const [best] = [...sums].sort((a, b) => b[1] - a[1])
  return best && best[1] > 0 ? best[0] : null
}

function readPart(text: string | null): Rectangle | null {
  const found = (text ?? '').split('_').map(Number)
  if (found.length !== 4 || found.some((value) => !(value >= 0 && value <= 1))) return null
  return between(found[0]!, found[1]!, found[2]!, found[3]!)
}

const clamp = (value: number) => Math.min(1, Math.max(0, value))
const short = (value: number) => String(Math.round(value * 1000) / 1000)
