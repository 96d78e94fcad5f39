/**
 * Time as people at the site read it. All instants are epoch milliseconds; the site's zone (an IANA name)
 * decides how they are written. The browser's own zone is never used.
 */

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** Wall-clock fields in the site's zone; `month` 1..12, `weekday` 0 = Sunday. */
export interface Fields {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  weekday: number
}

// Zone rules change offset only at multiples of this, so one look-up serves a whole quarter of an hour.
const QUARTER = 15 * MINUTE
const two = (n: number) => String(n).padStart(2, '0')

export class SiteZone {
  private readonly known = new Map<number, number>()
  private readonly format: Intl.DateTimeFormat
  readonly name: string

  /** Falls back to UTC, by name, when the browser does not know the zone. */
  constructor(name: string, private readonly locale = 'en-GB') {
    let zone = name
    try {
      new Intl.DateTimeFormat('en', { timeZone: zone })
    } catch {
      zone = 'UTC'
    }
    this.name = zone
    this.format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric',
      hour: 'numeric', minute: 'numeric', second: 'numeric',
    })
  }

  /** Milliseconds east of UTC at an instant. */
  offset(ms: number): number {
    const quarter = Math.floor(ms / QUARTER)
    const cached = this.known.get(quarter)
    if (cached !== undefined) return cached
    if (this.known.size > 5000) this.known.clear()
    const at = quarter * QUARTER
    const part: Record<string, number> = {}
    for (const { type, value } of this.format.formatToParts(at)) part[type] = Number(value)
    const wall = Date.UTC(part.year!, part.month! - 1, part.day!, part.hour!, part.minute!, part.second!)
    const offset = wall - at
    this.known.set(quarter, offset)
    return offset
  }

  fields(ms: number): Fields {
    const wall = new Date(ms + this.offset(ms))
    return {
      year: wall.getUTCFullYear(), month: wall.getUTCMonth() + 1, day: wall.getUTCDate(),
      hour: wall.getUTCHours(), minute: wall.getUTCMinutes(), second: wall.getUTCSeconds(),
      weekday: wall.getUTCDay(),
    }
  }

  /**
   * The instant of a wall-clock time; fields may overflow (day 32, hour 25). A time that occurs twice gives
   * the first; one that the clocks jump over gives the instant that far after the jump.
   */
  instant(year: number, month: number, day: number, hour = 0, minute = 0, second = 0): number {
    const wall = Date.UTC(year, month - 1, day, hour, minute, second)
    const before = wall - this.offset(wall - DAY)
    const after = wall - this.offset(wall + DAY)
    const fits = [before, after].filter((at) => at + this.offset(at) === wall)
    return fits.length ? Math.min(...fits) : before
  }

  startOfDay(ms: number, plusDays = 0): number {
    const { year, month, day } = this.fields(ms)
    return this.instant(year, month, day + plusDays)
  }

  startOfHour(ms: number): number {
    const offset = this.offset(ms)
    return Math.floor((ms + offset) / HOUR) * HOUR - offset
  }

  /** `22:36:44`, or `22:36` without seconds. */
  clock(ms: number, seconds = true): string {
    const at = this.fields(ms)
    return `${two(at.hour)}:${two(at.minute)}${seconds ? `:${two(at.second)}` : ''}`
  }

  /** `22:36:44.250` */
  clockMs(ms: number): string {
    return `${this.clock(ms)}.${String(((ms % 1000) + 1000) % 1000 | 0).padStart(3, '0')}`
  }

  /** `Mon 23 Nov 2026` */
  date(ms: number): string {
    return this.words(ms, { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' })
  }

  /** `23 Nov` */
  shortDate(ms: number): string {
    return this.words(ms, { day: 'numeric', month: 'short' })
  }

  /** `2026-11-23`, as `<input type=date>` wants it. */
  isoDate(ms: number): string {
    const at = this.fields(ms)
    return `${at.year}-${two(at.month)}-${two(at.day)}`
  }

  /** The instant at which a `2026-11-23` begins here, or null. */
  fromIsoDate(text: string, plusDays = 0): number | null {
    const found = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text)
    return found ? this.instant(Number(found[1]), Number(found[2]), Number(found[3]) + plusDays) : null
  }

  /** Short name in force at an instant, `GMT` or `CEST` or `GMT+5:30`. */
  abbreviation(ms: number): string {
    const parts = new Intl.DateTimeFormat(this.locale, { timeZone: this.name, timeZoneName: 'short' }).formatToParts(ms)
    return parts.find((part) => part.type === 'timeZoneName')?.value ?? this.name
  }

  /** True within the hour that the clock shows twice when it is set back. */
  isAmbiguous(ms: number): boolean {
    const wall = ms + this.offset(ms)
    return [this.offset(ms - DAY), this.offset(ms + DAY)].some(
      (offset) => offset !== this.offset(ms) && this.offset(wall - offset) === offset,
    )
  }

  private words(ms: number, options: Intl.DateTimeFormatOptions): string {
    return new Intl.DateTimeFormat(this.locale, { ...options, timeZone: this.name }).format(ms).replace(',', '')
  }
}

/** Epoch milliseconds of an RFC 3339 text; NaN when it is not one. */
export const parseInstant = (text: string | null | undefined): number => (text ? Date.parse(text) : NaN)

/** RFC 3339 in UTC, as the API takes it. */
export const toRfc3339 = (ms: number): string => new Date(ms).toISOString()
