import { describe, expect, it } from 'vitest'
import { Arrivals } from '../src/core/arrivals'
import { Hold, pace } from '../src/core/pace'

describe('pace', () => {
  it('plays at 1 while the distance is as wanted', () => {
    expect(pace(0.2, 0.2)).toEqual({ rate: 1, jump: false })
  })

  it('catches up faster the later it is, never above a quarter, and jumps beyond a second', () => {
    expect(pace(0.3, 0.2).rate).toBeGreaterThan(1)
    expect(pace(0.9, 0.2).rate).toBeGreaterThan(pace(0.4, 0.2).rate)
    expect(pace(1.15, 0.2).rate).toBeLessThanOrEqual(1.25)
    expect(pace(1.25, 0.2)).toEqual({ rate: 1, jump: true })
  })

  it('jumps sooner when the stream has just begun', () => {
    expect(pace(0.6, 0.2).jump).toBe(false)
    expect(pace(0.6, 0.2, true).jump).toBe(true)
    expect(pace(0.4, 0.2, true).jump).toBe(false)
  })

  it('slows down gently when the buffer runs low', () => {
    const { rate, jump } = pace(0.05, 0.2)
    expect(rate).toBeLessThan(1)
    expect(rate).toBeGreaterThanOrEqual(0.92)
    expect(jump).toBe(false)
  })

  it('settles: from any start, simulated steps end near the hold', () => {
    for (const start of [0.01, 0.5, 0.99]) {
      let behind = start
      for (let step = 0; step < 400; step++) {
        const { rate, jump } = pace(behind, 0.2)
        behind = jump ? 0.2 : behind - (rate - 1) * 0.25
      }
      expect(Math.abs(behind - 0.2)).toBeLessThan(0.05)
    }
  })

  it('holds back more after running dry, within limits, and less again in time', () => {
    const hold = new Hold(0.2)
    hold.waited()
    expect(hold.seconds).toBeGreaterThan(0.2)
    for (let n = 0; n < 100; n++) hold.waited()
    expect(hold.seconds).toBeLessThanOrEqual(0.7)
    for (let n = 0; n < 1000; n++) hold.ranSmoothly()
    expect(hold.seconds).toBe(0.2)
  })
})

describe('arrivals', () => {
  it('name the moment of the picture on screen', () => {
    const arrivals = new Arrivals()
    arrivals.add(1, 1000, true)
    arrivals.add(2, 2000, false)
    expect(arrivals.at(1.5)).toBe(1000)
    expect(arrivals.at(1.9999)).toBe(2000) // rounding of the browser's clock
    expect(arrivals.at(0.5)).toBeNull()
  })

  it('find the keyframe decoding can begin at, and forget what is behind it', () => {
    const arrivals = new Arrivals()
    ;[true, false, false, true, false].forEach((key, n) => arrivals.add(n, n * 1000, key))
    expect(arrivals.keyBefore(2.5)).toBe(0)
    expect(arrivals.keyBefore(4)).toBe(3)
    arrivals.forgetBefore(3)
    expect(arrivals.size).toBe(2)
    expect(arrivals.keyBefore(2)).toBeNull()
  })

  it('take a media clock that went back as the new truth', () => {
    const arrivals = new Arrivals()
    arrivals.add(100, 1, true)
    arrivals.add(50, 2, true)
    expect(arrivals.at(120)).toBe(2)
  })
})
