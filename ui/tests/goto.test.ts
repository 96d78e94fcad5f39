import { describe, expect, it } from 'vitest'
import { parseGoTo } from '../src/core/goto'
import { SiteZone } from '../src/core/time'

const zone = new SiteZone('Europe/London')
const now = Date.parse('2026-07-15T12:00:00Z') // 13:00 at the site
const here = Date.parse('2026-07-10T20:00:00Z')
const go = (text: string, from = here) => {
  const ms = parseGoTo(text, zone, from, now)
  return ms === null ? null : new Date(ms).toISOString()
}

describe('go to', () => {
  it.each([
    ['14:32', '2026-07-10T13:32:00.000Z'],
    ['14.32.10', '2026-07-10T13:32:10.000Z'],
    ['9pm', '2026-07-10T20:00:00.000Z'],
    ['12am', '2026-07-09T23:00:00.000Z'],
    ['Yesterday 9pm', '2026-07-14T20:00:00.000Z'],
    ['today 10:00', '2026-07-15T09:00:00.000Z'],
    ['today', '2026-07-14T23:00:00.000Z'],
    ['2026-06-01 14:32', '2026-06-01T13:32:00.000Z'],
    ['2026-01-01 14:32', '2026-01-01T14:32:00.000Z'],
    ['2026-06-01T14:32:00Z', '2026-06-01T14:32:00.000Z'],
    ['2026-06-01T14:32:00+02:00', '2026-06-01T12:32:00.000Z'],
    ['23 nov 14:32', '2025-11-23T14:32:00.000Z'],
    ['3 July, 8:05', '2026-07-03T07:05:00.000Z'],
    ['5 min ago', '2026-07-15T11:55:00.000Z'],
    ['1.5h ago', '2026-07-15T10:30:00.000Z'],
    ['now', '2026-07-15T12:00:00.000Z'],
  ])('understands “%s”', (text, expected) => expect(go(text)).toBe(expected))

  it('means the day before when a bare time today is still to come', () => {
    expect(go('23:00', now)).toBe('2026-07-14T22:00:00.000Z')
  })

  it.each(['', '25:00', '14:61', '13pm', 'tomorrow', '2026-02-30 10:00', '12', 'x'])('refuses “%s”', (text) => expect(go(text)).toBeNull())
})
