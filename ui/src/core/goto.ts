import { DAY, HOUR, MINUTE, SECOND, type SiteZone } from './time'

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const UNITS: Record<string, number> = { s: SECOND, m: MINUTE, h: HOUR, d: DAY }

interface Day { year: number; month: number; day: number }
interface Clock { hour: number; minute: number; second: number }

/**
 * The instant a person means by `14:32`, `9pm`, `yesterday 21:00`, `23 nov 14:32`, `2026-11-23 14:32`, an RFC 3339
 * text, or `5 min ago`; null when it is none of these. A bare time is meant on the day being looked at,
 * or the day before when that would be in the future.
 *
 * @param here the instant being looked at; `now` the present; both epoch milliseconds.
 */
export function parseGoTo(text: string, zone: SiteZone, here: number, now: number): number | null {
  const said = text.trim().toLowerCase().replace(/\s+/g, ' ')
  if (!said) return null
  if (said === 'now') return now
  if (/^\d{4}-\d\d-\d\dt.*(z|[+-]\d\d:?\d\d)$/.test(said)) {
    const at = Date.parse(said.toUpperCase())
    return Number.isNaN(at) ? null : at
  }
  const ago = /^(\d+(?:\.\d+)?) ?(s|m|h|d)[a-z]* ago$/.exec(said)
  if (ago) return now - Number(ago[1]) * UNITS[ago[2]!]!
  return wallTime(said, zone, here, now)
}

function wallTime(said: string, zone: SiteZone, here: number, now: number): number | null {
  const { day, rest, wrong } = takeDay(said, zone, now)
  if (wrong) return null
  const clock = rest === '' && day ? { hour: 0, minute: 0, second: 0 } : takeClock(rest)
  if (!clock) return null
  const on = day ?? zone.fields(here)
  const at = zone.instant(on.year, on.month, on.day, clock.hour, clock.minute, clock.second)
  if (day || at <= now) return at
  return zone.instant(on.year, on.month, on.day - 1, clock.hour, clock.minute, clock.second)
}

/** The day a text begins with, if any; `wrong` when it names one that does not exist. */
function takeDay(said: string, zone: SiteZone, now: number): { day: Day | null; rest: string; wrong: boolean } {
  const word = /^(today|yesterday)(?: |$)(.*)$/.exec(said)
  if (word) {
    const day = zone.fields(zone.startOfDay(now, word[1] === 'today' ? 0 : -1))
    return { day, rest: word[2]!, wrong: false }
  }
  const iso = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[ t]|$)(.*)$/.exec(said)
  if (iso) return named(valid(Number(iso[1]), Number(iso[2]), Number(iso[3])), iso[4]!)
  const worded = /^(\d{1,2}) ([a-z]{3})[a-z]*(?: (\d{4}))?(?:,? |$)(.*)$/.exec(said)
  const month = worded ? MONTHS.indexOf(worded[2]!) + 1 : 0
  if (worded && month) return named(namedDay(Number(worded[1]), month, worded[3], zone, now), worded[4]!)
  return { day: null, rest: said, wrong: false }
}

const named = (day: Day | null, rest: string) => ({ day, rest, wrong: day === null })

function namedDay(day: number, month: number, year: string | undefined, zone: SiteZone, now: number): Day | null {
  const thisYear = zone.fields(now).year
  if (year) return valid(Number(year), month, day)
  const future = zone.instant(thisYear, month, day) > now
  return valid(future ? thisYear - 1 : thisYear, month, day)
}

function valid(year: number, month: number, day: number): Day | null {
  const date = new Date(Date.UTC(year, month - 1, day))
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? { year, month, day } : null
}

function takeClock(text: string): Clock | null {
  const found = /^(\d{1,2})(?:[:.](\d\d))?(?:[:.](\d\d))? ?(am|pm)?$/.exec(text.trim())
  if (!found || (!found[2] && !found[4])) return null
  let hour = Number(found[1])
  if (found[4]) {
    if (hour < 1 || hour > 12) return null
    hour = (hour % 12) + (found[4] === 'pm' ? 12 : 0)
  }
  const clock = { hour, minute: Number(found[2] ?? 0), second: Number(found[3] ?? 0) }
  return clock.hour < 24 && clock.minute < 60 && clock.second < 60 ? clock : null
}
