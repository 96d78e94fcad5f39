import { describe, expect, it } from 'vitest'
import { ServerClock } from '../src/core/clock'

const header = (ms: number) => new Date(ms).toUTCString()
const T = Date.parse('2026-11-23T12:00:00.000Z')

describe('the server’s clock', () => {
  it('counts as ours while that is possible: ages are not corrected by a guess', () => {
    const clock = new ServerClock()
    clock.hear(T + 100, T + 300, header(T))
    expect(clock.skew).toBe(0)
  })

  it('learns how far a wrong clock is off, to well under a second in a few answers', () => {
    const clock = new ServerClock()
    for (let n = 0; n < 40; n++) {
      const server = T + n * 1137
      clock.hear(server + 90_000, server + 90_020, header(server)) // this device is 90 s ahead
    }
    expect(Math.abs(clock.skew - 90_000)).toBeLessThan(1100)
  })

  it('starts anew when a clock was set in between', () => {
    const clock = new ServerClock()
    clock.hear(T + 90_000, T + 90_020, header(T))
    clock.hear(T + 5000, T + 5020, header(T + 5000))
    expect(clock.skew).toBe(0)
  })

  it('ignores answers without a date', () => {
    const clock = new ServerClock()
    clock.hear(T, T + 1, null)
    clock.hear(T, T + 1, 'nonsense')
    expect(clock.skew).toBe(0)
  })
})
