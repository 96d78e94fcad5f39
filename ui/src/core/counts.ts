import { DAY, HOUR, type SiteZone } from './time'
import { EVENT_KINDS, type CountsAnswer } from './types'

export type Step = 'hour' | 'day'

/** Bars by the hour while they are wide enough to be told apart. */
export const stepOf = ([from, to]: readonly [number, number]): Step => (to - from <= 8 * DAY ? 'hour' : 'day')

/** When each hour or day of the site begins, from the one that holds `from` on. */
export function begins([from, to]: readonly [number, number], step: Step, zone: SiteZone): number[] {
  const found: number[] = []
  let at = step === 'hour' ? zone.startOfHour(from) : zone.startOfDay(from)
  while (at < to) {
    found.push(at)
    // A day has 23 to 25 hours; from well within the next one its beginning is found.
    at = step === 'hour' ? at + HOUR : zone.startOfDay(at + DAY + 2 * HOUR)
  }
  return found
}

export interface CountRow {
  kind: string
  total: number
  /** One for each step. */
  values: number[]
  most: number
}

/** One row for each class that was counted, people first, each with a value for every step. */
export function rowsOf(answer: CountsAnswer, steps: readonly number[]): CountRow[] {
  const place = new Map(steps.map((at, index) => [at, index]))
  const rows = new Map<string, CountRow>()
  for (const series of answer.series) {
    const row = rows.get(series.kind) ?? { kind: series.kind, total: 0, values: steps.map(() => 0), most: 0 }
    for (const { at, count } of series.counts) {
      const index = place.get(Date.parse(at))
      if (index === undefined) continue
      row.values[index]! += count
      row.total += count
      row.most = Math.max(row.most, row.values[index]!)
    }
    if (row.total) rows.set(series.kind, row)
  }
  const order = (kind: string) => (EVENT_KINDS as readonly string[]).indexOf(kind) + 1 || 99
  return [...rows.values()].sort((a, b) => order(a.kind) - order(b.kind))
}
