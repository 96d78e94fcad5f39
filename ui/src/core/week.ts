/**
 * The windows of a week in which a camera records, as a person edits them: one rule for several days ("Mon to Fri, 22:00
 * to 06:00"). The API knows single days only, Monday first, minutes by the wall clock of the site.
 */
import type { SiteZone } from './time'
import type { CameraSettings, RecordingWindow } from './types'

export const DAY_MINUTES = 1440

export interface WeekRule {
  /** Seven marks, Monday first. */
  days: boolean[]
  /** Minutes of the day. `to` not after `from` means the next day; both equal means the whole day. */
  from: number
  to: number
  mode: 'continuous' | 'events'
}

/** A rule as a person would begin: every night. */
export const newRule = (): WeekRule => ({ days: Array(7).fill(true), from: 20 * 60, to: 6 * 60, mode: 'continuous' })

/** The windows of rules: split at midnight, what touches or overlaps joined, continuous before events. */
export function windowsOf(rules: readonly WeekRule[]): RecordingWindow[] {
  const found: RecordingWindow[] = []
  for (let weekday = 0; weekday < 7; weekday++) {
    const minutes = new Uint8Array(DAY_MINUTES)
    for (const rule of rules) mark(minutes, rule, weekday)
    found.push(...runs(minutes, weekday))
  }
  return found
}

const LEVELS = [null, 'events', 'continuous'] as const

function mark(minutes: Uint8Array, rule: WeekRule, weekday: number): void {
  const level = LEVELS.indexOf(rule.mode)
  const fill = (from: number, to: number) => {
    for (let at = from; at < to; at++) minutes[at] = Math.max(minutes[at]!, level)
  }
  const [today, yesterday] = [rule.days[weekday], rule.days[(weekday + 6) % 7]]
  if (rule.to === rule.from) return void (today && fill(0, DAY_MINUTES))
  if (today) fill(rule.from, rule.to > rule.from ? rule.to : DAY_MINUTES)
  if (yesterday && rule.to < rule.from) fill(0, rule.to)
}

function runs(minutes: Uint8Array, weekday: number): RecordingWindow[] {
  const found: RecordingWindow[] = []
  for (let at = 0; at < DAY_MINUTES; ) {
    const level = minutes[at]!
    let end = at + 1
    while (end < DAY_MINUTES && minutes[end] === level) end++
    const mode = LEVELS[level]
    if (mode) found.push({ weekday, from_minute: at, to_minute: end, mode })
    at = end
  }
  return found
}

/** The rules of stored windows: nights joined over midnight, equal days in one rule, in order of their beginning. */
export function rulesOf(windows: readonly RecordingWindow[]): WeekRule[] {
  const rules: WeekRule[] = []
  for (const { weekday, from, to, mode } of joined(windows)) {
    const same = rules.find((rule) => rule.from === from && rule.to === to && rule.mode === mode)
    if (same) same.days[weekday] = true
    else rules.push({ days: Array.from({ length: 7 }, (_, day) => day === weekday), from, to, mode })
  }
  return rules.sort((a, b) => a.from - b.from || a.to - b.to)
}

interface Piece { weekday: number; from: number; to: number; mode: RecordingWindow['mode'] }

/** An evening up to midnight and the morning after it are one piece that ends the next day. */
function joined(windows: readonly RecordingWindow[]): Piece[] {
  const mornings = new Map(windows.filter((one) => one.from_minute === 0 && one.to_minute < DAY_MINUTES).map((one) => [one.weekday, one]))
  const evenings = windows.filter((one) => one.to_minute === DAY_MINUTES && one.from_minute > 0)
  const taken = new Set<RecordingWindow>()
  const nights = new Map<RecordingWindow, number>()
  for (const evening of evenings) {
    const morning = mornings.get((evening.weekday + 1) % 7)
    if (!morning || morning.mode !== evening.mode || morning.to_minute >= evening.from_minute) continue
    taken.add(morning)
    nights.set(evening, morning.to_minute)
  }
  return windows.filter((one) => !taken.has(one)).map((one) => ({
    weekday: one.weekday, from: one.from_minute, to: (nights.get(one) ?? one.to_minute) % DAY_MINUTES, mode: one.mode,
  }))
}

/** `22:00` of minutes of the day. */
export const clockOf = (minutes: number): string =>
  `${String(Math.floor(minutes / 60) % 24).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`

/** Minutes of the day of `22:00` as people write it (`22`, `8:30`, `0830`; `24:00` is midnight), or null. */
export function minutesOf(clock: string): number | null {
  const found = /^(\d{1,2})(?:[:.h]?(\d\d))?$/.exec(clock.trim())
  if (!found) return null
  const [hour, minute] = [Number(found[1]), Number(found[2] ?? 0)]
  if (minute > 59 || hour > 24 || (hour === 24 && minute)) return null
  return (hour * 60 + minute) % DAY_MINUTES
}

/** How many hours of the week windows cover. */
export const hoursOf = (windows: readonly RecordingWindow[]): number =>
  windows.reduce((sum, one) => sum + one.to_minute - one.from_minute, 0) / 60

/** What a camera that records keeps at an instant: everything, what is around events, or (between its windows) nothing. */
export function keptAt(camera: Pick<CameraSettings, 'mode' | 'windows'>, ms: number, zone: SiteZone): 'continuous' | 'events' | 'nothing' {
  if (camera.mode !== 'schedule') return camera.mode
  const { weekday, hour, minute } = zone.fields(ms)
  const [monday, at] = [(weekday + 6) % 7, hour * 60 + minute]
  return camera.windows.find((one) => one.weekday === monday && one.from_minute <= at && at < one.to_minute)?.mode ?? 'nothing'
}
