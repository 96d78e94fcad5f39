import { describe, expect, it } from 'vitest'
import { SiteZone } from '../src/core/time'
import { clockOf, hoursOf, keptAt, minutesOf, rulesOf, windowsOf, type WeekRule } from '../src/core/week'
import type { RecordingWindow } from '../src/core/types'

const days = (...which: number[]) => Array.from({ length: 7 }, (_, day) => which.includes(day))
const rule = (which: number[], from: string, to: string, mode: WeekRule['mode'] = 'continuous'): WeekRule => ({
  days: days(...which), from: minutesOf(from)!, to: minutesOf(to)!, mode,
})
const window = (weekday: number, from_minute: number, to_minute: number, mode: WeekRule['mode'] = 'continuous'): RecordingWindow => ({
  weekday, from_minute, to_minute, mode,
})

describe('the windows of a week', () => {
  it('are one a day', () => expect(windowsOf([rule([0, 4], '08:00', '18:30')])).toEqual([window(0, 480, 1110), window(4, 480, 1110)]))

  it('of a night are split at midnight, Sunday night into Monday', () => {
    expect(windowsOf([rule([6], '22:00', '06:00')])).toEqual([window(0, 0, 360), window(6, 1320, 1440)])
  })

  it('from a time to the same time are the whole day', () => {
    expect(windowsOf([rule([2], '08:00', '08:00')])).toEqual([window(2, 0, 1440)])
    expect(windowsOf([rule([2], '00:00', '00:00')])).toEqual([window(2, 0, 1440)])
  })

  it('never overlap, whatever is asked: continuous goes before events', () => {
    const windows = windowsOf([rule([1], '08:00', '18:00', 'events'), rule([1], '12:00', '14:00'), rule([1], '13:00', '15:00')])
    expect(windows).toEqual([window(1, 480, 720, 'events'), window(1, 720, 900), window(1, 900, 1080, 'events')])
  })

  it('come back as they were written', () => {
    const rules = [rule([5, 6], '00:00', '00:00', 'events'), rule([0, 1, 2, 3], '22:00', '06:00'), rule([0, 1, 2], '23:00', '23:30', 'events')]
    const again = rulesOf(windowsOf([rules[1]!]))
    expect(again).toEqual([rules[1]])
    expect(windowsOf(rulesOf(windowsOf(rules)))).toEqual(windowsOf(rules))
  })

  it('that cannot be joined over midnight stay apart', () => {
    const windows = [window(0, 0, 360, 'events'), window(6, 1320, 1440)]
    expect(rulesOf(windows)).toEqual([rule([0], '00:00', '06:00', 'events'), rule([6], '22:00', '00:00')])
    expect(windowsOf(rulesOf(windows))).toEqual(windows)
  })

  it('survive any set of rules read back and written again', () => {
    let seed = 7
    const random = (most: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % most
    for (let round = 0; round < 200; round++) {
      const rules = Array.from({ length: 1 + random(4) }, (): WeekRule => ({
        days: Array.from({ length: 7 }, () => random(2) === 1), from: random(96) * 15, to: random(96) * 15, mode: random(2) ? 'events' : 'continuous',
      }))
      const windows = windowsOf(rules)
      expect(windowsOf(rulesOf(windows))).toEqual(windows)
      for (const [index, one] of windows.entries()) {
        const next = windows[index + 1]
        expect(one.to_minute).toBeGreaterThan(one.from_minute)
        if (next?.weekday === one.weekday) expect(next.from_minute).toBeGreaterThanOrEqual(one.to_minute)
      }
    }
  })

  it('are counted in hours', () => expect(hoursOf(windowsOf([rule([0, 1, 2, 3, 4], '22:00', '06:00')]))).toBe(40))
})

describe('what is kept now', () => {
  const camera = { mode: 'schedule' as const, windows: windowsOf([rule([4], '22:00', '06:00'), rule([5], '12:00', '13:00', 'events')]) }
  const zone = new SiteZone('Europe/Berlin')
  it.each([
    ['2026-11-27T20:59:00Z', 'nothing'], ['2026-11-27T21:00:00Z', 'continuous'], ['2026-11-28T04:59:59Z', 'continuous'],
    ['2026-11-28T05:00:00Z', 'nothing'], ['2026-11-28T11:30:00Z', 'events'], ['2026-11-30T21:30:00Z', 'nothing'],
  ])('at %s: %s', (at, kept) => expect(keptAt(camera, Date.parse(at), zone)).toBe(kept))
  it('is the mode itself without a schedule', () => expect(keptAt({ ...camera, mode: 'events' }, 0, zone)).toBe('events'))
})

describe('minutes of the day', () => {
  it.each([['00:00', 0], ['08:05', 485], ['23:59', 1439]])('%s', (clock, minutes) => {
    expect(minutesOf(clock)).toBe(minutes)
    expect(clockOf(minutes)).toBe(clock)
  })
  it.each([['8', 480], ['8:30', 510], ['0830', 510], [' 22.15 ', 1335], ['24:00', 0]])('are also written %s', (clock, minutes) => expect(minutesOf(clock)).toBe(minutes))
  it.each(['24:01', '25', '12:60', '', 'noon', '1:2'])('%s is none', (clock) => expect(minutesOf(clock)).toBeNull())
})
