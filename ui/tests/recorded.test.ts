import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type Hls from 'hls.js'
import { RecordedPlayer, type RecordedStatus } from '../src/core/recorded'
import type { PlaybackAnswer } from '../src/core/types'

const NOW = Date.parse('2026-11-23T12:00:00Z')
const HOUR = 3_600_000
const iso = (ms: number) => new Date(ms).toISOString()

class FakeVideo extends EventTarget {
  currentTime = 0
  paused = true
  seeking = false
  src = ''
  play = vi.fn(async () => void (this.paused = false))
  pause = vi.fn(() => void (this.paused = true))
  fire(...names: string[]) {
    for (const name of names) this.dispatchEvent(new Event(name))
  }
}

class FakeHls {
  static made: FakeHls[] = []
  static isSupported = () => true
  static Events = { LEVEL_LOADED: 'level', ERROR: 'error' }
  static ErrorTypes = { MEDIA_ERROR: 'media', NETWORK_ERROR: 'network' }
  handlers = new Map<string, (name: string, data: unknown) => void>()
  startLoad = vi.fn()
  destroy = vi.fn()
  recoverMediaError = vi.fn()
  attachMedia() {}
  loadSource() {
    FakeHls.made.push(this)
  }
  on(name: string, handler: (name: string, data: unknown) => void) {
    this.handlers.set(name, handler)
  }
  emit(name: string, data: unknown) {
    this.handlers.get(name)!(name, data)
  }
}
let video: FakeVideo
let told: RecordedStatus[]
let asked: { camera: number; from: number; to: number }[]
let skipped: { start: number; end: number }[]
let spans: [number, number][]
let player: RecordedPlayer
const last = () => told[told.length - 1]!
const hls = () => FakeHls.made[FakeHls.made.length - 1]!

beforeEach(() => {
  vi.useFakeTimers({ now: NOW })
  FakeHls.made = []
  video = new FakeVideo()
  told = []
  asked = []
  skipped = []
  spans = [[NOW - 24 * HOUR, NOW - 2 * HOUR], [NOW - 1.9 * HOUR, NOW]]
  player = new RecordedPlayer(video as unknown as HTMLVideoElement, {
    playback: async (camera, from, to) => {
      asked.push({ camera, from, to })
      const inside = spans.map(([a, b]) => [Math.max(a, from), Math.min(b, to)] as const).filter(([a, b]) => b > a)
      return { playlist: `/p?${from}`, from: iso(from), to: iso(to), video: 'as recorded', audio: '', spans: inside.map(([a, b]) => ({ start: iso(a), end: iso(b) })) } satisfies PlaybackAnswer
    },
    hls: async () => FakeHls as unknown as typeof Hls,
    now: () => Date.now(),
    onStatus: (status) => told.push(status),
    onSkip: (hole) => skipped.push(hole),
  })
})

afterEach(() => {
  player.destroy()
  vi.useRealTimers()
})

const settle = () => vi.advanceTimersByTimeAsync(0)

/** Let the playlist of the newest window arrive: one dated fragment a span. */
async function loaded(): Promise<void> {
  await settle()
  const window = asked[asked.length - 1]!
  let start = 0
  const fragments = spans.flatMap(([a, b]) => {
    const [from, to] = [Math.max(a, window.from), Math.min(b, window.to)]
    if (to <= from) return []
    const fragment = { start, duration: (to - from) / 1000, programDateTime: from }
    start += fragment.duration
    return [fragment]
  })
  hls().emit('level', { details: { fragments } })
  video.currentTime = hls().startLoad.mock.calls[0]![0] as number
  video.fire('canplay')
}

describe('recorded footage', () => {
  it('opens a window around the instant and begins exactly there', async () => {
    player.play()
    player.show(3, NOW - 5 * HOUR)
    await loaded()
    expect(asked[0]).toEqual({ camera: 3, from: NOW - 5 * HOUR - 600_000, to: NOW - 5 * HOUR + 1_200_000 })
    expect(hls().startLoad).toHaveBeenCalledWith(600)
    expect(last()).toMatchObject({ phase: 'ready', at: NOW - 5 * HOUR, video: 'as recorded' })
    expect(video.paused).toBe(false)
  })

  it('seeks within the window without asking again, and opens another outside it', async () => {
    player.show(3, NOW - 5 * HOUR)
    await loaded()
    player.show(3, NOW - 5 * HOUR + 60_000)
    expect(video.currentTime).toBe(660)
    expect(asked).toHaveLength(1)
    player.show(3, NOW - 9 * HOUR)
    await settle()
    expect(asked).toHaveLength(2)
  })

  it('keeps one seek under way while scrubbing; the newest wins', async () => {
    player.show(3, NOW - 5 * HOUR)
    await loaded()
    video.seeking = true
    for (const offset of [1, 2, 3]) player.show(3, NOW - 5 * HOUR + offset * 1000)
    expect(video.currentTime).toBe(600)
    expect(player.at).toBe(NOW - 5 * HOUR + 3000)
    video.seeking = false
    video.fire('seeked')
    expect(video.currentTime).toBe(603)
  })

  it('says that there is no footage where there is none', async () => {
    player.show(3, NOW - 1.95 * HOUR)
    await settle()
    expect(last()).toMatchObject({ phase: 'gap', at: NOW - 1.95 * HOUR })
    expect(FakeHls.made).toHaveLength(0)
  })

  it('tells of a hole that playing passed over', async () => {
    player.play()
    player.show(3, NOW - 2 * HOUR - 5000)
    await loaded()
    video.currentTime += 4.9
    video.fire('timeupdate')
    video.currentTime += 0.3
    video.fire('timeupdate')
    expect(skipped).toEqual([{ start: NOW - 2 * HOUR, end: NOW - 1.9 * HOUR }])
    expect(last().at).toBeGreaterThan(NOW - 1.9 * HOUR)
  })

  it('goes on in the next window at the end of one', async () => {
    player.play()
    player.show(3, NOW - 5 * HOUR)
    await loaded()
    video.fire('ended')
    await settle()
    expect(asked[1]!.from).toBeLessThan(NOW - 5 * HOUR + 1_200_000)
    expect(asked[1]!.to).toBeGreaterThan(NOW - 5 * HOUR + 1_200_000)
    expect(last().phase).toBe('loading')
  })

  it('waits at the newest footage and goes on when more is written', async () => {
    player.play()
    player.show(3, NOW - 20_000)
    await loaded()
    video.fire('ended')
    expect(last().phase).toBe('end')
    const before = asked.length
    await vi.advanceTimersByTimeAsync(1600)
    expect(last().phase).toBe('end')
    spans[1]![1] = NOW + 8000
    await vi.advanceTimersByTimeAsync(6000)
    expect(asked.length).toBeGreaterThan(before)
    expect(last().phase).toBe('loading')
  })

  it('never asks for the future', async () => {
    player.show(3, NOW + HOUR)
    await settle()
    expect(asked[0]!.to).toBe(NOW)
  })

  it('recovers from a decoder’s fault, and says in words what cannot be played', async () => {
    player.show(3, NOW - 5 * HOUR)
    await loaded()
    hls().emit('error', { fatal: false, type: 'media' })
    hls().emit('error', { fatal: true, type: 'media' })
    expect(hls().recoverMediaError).toHaveBeenCalledOnce()
    hls().emit('error', { fatal: true, type: 'network', response: { code: 404 } })
    expect(last()).toMatchObject({ phase: 'failed', at: NOW - 5 * HOUR })
    expect(last().reason).toContain('not there any more')
  })

  it('drops an answer that came too late', async () => {
    player.show(3, NOW - 5 * HOUR)
    player.show(4, NOW - 6 * HOUR)
    await settle()
    expect(FakeHls.made).toHaveLength(1)
    expect(last()).toMatchObject({ camera: 4, at: NOW - 6 * HOUR })
  })

  it('steps one picture at a time, paused', async () => {
    player.play()
    player.show(3, NOW - 5 * HOUR)
    await loaded()
    player.step(1, 25)
    expect(video.paused).toBe(true)
    expect(video.currentTime).toBeCloseTo(600.04)
    player.step(-1, 25)
    expect(video.currentTime).toBeCloseTo(600)
  })
})
