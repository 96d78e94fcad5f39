import { describe, expect, it } from 'vitest'
import { DAY, HOUR, SiteZone, toRfc3339 } from '../src/core/time'

const london = new SiteZone('Europe/London')
const kolkata = new SiteZone('Asia/Kolkata')
const utc = (text: string) => Date.parse(text)

describe('the site zone', () => {
  it('writes instants on the site’s clock, not the browser’s', () => {
    expect(london.clock(utc('2026-07-01T12:00:05Z'))).toBe('13:00:05')
    expect(kolkata.clock(utc('2026-07-01T12:00:05Z'), false)).toBe('17:30')
    expect(london.isoDate(utc('2026-07-01T23:30:00Z'))).toBe('2026-07-02')
  })

  it('falls back to UTC, by name, for a zone the browser does not know', () => {
    expect(new SiteZone('Atlantis/Poseidonis').name).toBe('UTC')
  })

  it('knows days of 23 and 25 hours', () => {
    const spring = london.startOfDay(utc('2026-03-29T12:00:00Z'))
    const autumn = london.startOfDay(utc('2026-10-25T12:00:00Z'))
    expect(london.startOfDay(spring, 1) - spring).toBe(23 * HOUR)
    expect(london.startOfDay(autumn, 1) - autumn).toBe(25 * HOUR)
  })

  it('takes the first of a wall time that occurs twice, and says that it is ambiguous', () => {
    const first = london.instant(2026, 10, 25, 1, 30)
    expect(toRfc3339(first)).toBe('2026-10-25T00:30:00.000Z')
    expect(london.isAmbiguous(first)).toBe(true)
    expect(london.isAmbiguous(first + HOUR)).toBe(true)
    expect(london.isAmbiguous(first + 2 * HOUR)).toBe(false)
    expect(london.isAmbiguous(first - HOUR)).toBe(false)
    expect([london.abbreviation(first), london.abbreviation(first + HOUR)]).toEqual(['BST', 'GMT'])
  })

  it('moves a wall time that never occurs past the jump', () => {
    expect(london.clock(london.instant(2026, 3, 29, 1, 30))).toBe('02:30:00')
  })

  it('round-trips every quarter of an hour of the days around both changes', () => {
    for (const day of ['2026-03-28', '2026-10-24']) {
      for (let ms = utc(`${day}T00:00:00Z`); ms < utc(`${day}T00:00:00Z`) + 3 * DAY; ms += HOUR / 4) {
        const { year, month, day: date, hour, minute, second } = london.fields(ms)
        const back = london.instant(year, month, date, hour, minute, second)
        expect([ms, ms - HOUR]).toContain(back) // the second of a doubled hour reads back as the first
      }
    }
  })

  it('starts hours on the half hour where the zone does', () => {
    expect(toRfc3339(kolkata.startOfHour(utc('2026-07-01T12:45:00Z')))).toBe('2026-07-01T12:30:00.000Z')
  })

  it('reads the date fields of forms', () => {
    expect(toRfc3339(london.fromIsoDate('2026-07-01')!)).toBe('2026-06-30T23:00:00.000Z')
    expect(toRfc3339(london.fromIsoDate('2026-07-31', 1)!)).toBe('2026-07-31T23:00:00.000Z')
    expect(london.fromIsoDate('yesterday')).toBeNull()
  })
})
