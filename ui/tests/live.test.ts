import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LivePlayer, type LiveStatus } from '../src/core/live'

// Fakes of the browser's parts the player drives. Media time advances when a test says so.

class FakeBuffer extends EventTarget {
  updating = false
  mode = ''
  timestampOffset = 0
  appended: Uint8Array[] = []
  removed: [number, number][] = []
  ranges: [number, number][] = []
  types: string[] = []
  failing: string | null = null
  get buffered() {
    return { length: this.ranges.length, start: (i: number) => this.ranges[i]![0], end: (i: number) => this.ranges[i]![1] }
  }
  appendBuffer(data: Uint8Array) {
    if (this.failing) throw new DOMException('full', this.failing)
    this.appended.push(data)
    this.updating = true
    queueMicrotask(() => {
      this.updating = false
      this.dispatchEvent(new Event('updateend'))
    })
  }
  changeType(mime: string) {
    this.types.push(mime)
  }
  remove(from: number, to: number) {
    this.removed.push([from, to])
  }
  abort() {}
}

class FakeSource extends EventTarget {
  static made: FakeSource[] = []
  static supports = true
  readyState = 'open'
  buffer = new FakeBuffer()
  static isTypeSupported = () => FakeSource.supports
  constructor() {
    super()
    FakeSource.made.push(this)
    queueMicrotask(() => this.dispatchEvent(new Event('sourceopen')))
  }
  addSourceBuffer() {
    return this.buffer
  }
}

class FakeSocket {
  static made: FakeSocket[] = []
  binaryType = ''
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: ((event: { code: number; reason: string }) => void) | null = null
  closed = false
  constructor(readonly url: string) {
    FakeSocket.made.push(this)
  }
  close() {
    this.closed = true
  }
  say(message: object) {
    this.onmessage?.({ data: JSON.stringify(message) })
  }
  send(arrival: number, body = [1, 2, 3]) {
    const data = new ArrayBuffer(8 + body.length)
    new DataView(data).setBigUint64(0, BigInt(arrival))
    new Uint8Array(data, 8).set(body)
    this.onmessage?.({ data })
  }
  end(code = 1006) {
    this.onclose?.({ code, reason: '' })
  }
}

class FakeVideo extends EventTarget {
  muted = false
  playsInline = false
  currentTime = 0
  playbackRate = 1
  paused = true
  seeking = false
  error = null
  src = ''
  play = vi.fn(async () => void (this.paused = false))
  load() {}
  removeAttribute() {}
  frame: ((now: number, frame: { mediaTime: number }) => void) | null = null
  requestVideoFrameCallback(callback: FakeVideo['frame']) {
    this.frame = callback
    return 1
  }
  present(mediaTime: number) {
    this.currentTime = mediaTime
    this.frame?.(0, { mediaTime })
  }
}

const START = { kind: 'start', stream: 'sub', mime: 'video/mp4; codecs="avc1.640028"', width: 640, height: 360, choice: 'sub stream', reason: 'small' }
const u32 = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
const box = (type: string, ...parts: number[][]): number[] => {
  const body = parts.flat()
  return [...u32(body.length + 8), ...[...type].map((letter) => letter.charCodeAt(0)), ...body]
}
const INIT = box('moov', box('trak', box('mdia', box('mdhd', u32(0), u32(0), u32(0), u32(1000), u32(0)))))
const fragment = (ms: number, key: boolean) =>
  box('moof', box('traf', box('tfhd', u32(0x20000), u32(1)), box('tfdt', u32(0), u32(ms)), box('trun', u32(5), u32(1), u32(0), u32(key ? 0x02000000 : 0x01010000))))

let page: EventTarget & { hidden: boolean }
let video: FakeVideo
let told: LiveStatus[]
let signedOut: ReturnType<typeof vi.fn>
const last = () => told[told.length - 1]!
const socket = () => FakeSocket.made[FakeSocket.made.length - 1]!
const buffer = () => FakeSource.made[FakeSource.made.length - 1]!.buffer
const settle = () => vi.advanceTimersByTimeAsync(0)

function make(): LivePlayer {
  const player = new LivePlayer(video as unknown as HTMLVideoElement, {
    camera: 3, prefer: 'sub', hold: 0.2, now: () => Date.now(), onStatus: (status) => told.push({ ...status }), onSignedOut: signedOut as () => void,
  })
  player.start()
  return player
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 })
  FakeSocket.made = []
  FakeSource.made = []
  FakeSource.supports = true
  page = Object.assign(new EventTarget(), { hidden: false })
  vi.stubGlobal('document', page)
  vi.stubGlobal('location', { protocol: 'https:', host: 'site' })
  vi.stubGlobal('WebSocket', FakeSocket)
  vi.stubGlobal('MediaSource', FakeSource)
  vi.spyOn(URL, 'createObjectURL').mockReturnValue('blob:x')
  vi.spyOn(URL, 'revokeObjectURL').mockReturnValue()
  video = new FakeVideo()
  told = []
  signedOut = vi.fn()
})

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

/** A player that has shown its first picture. */
async function live(): Promise<LivePlayer> {
  const player = make()
  socket().say(START)
  await settle()
  socket().send(0, INIT)
  socket().send(Date.now(), fragment(5000, true))
  await settle()
  buffer().ranges = [[1, 1.3]]
  video.present(1)
  await vi.advanceTimersByTimeAsync(250)
  return player
}

describe('the live player', () => {
  it('asks for its camera with what this browser can play, muted', () => {
    make()
    expect(socket().url).toBe('wss://site/ws/live/3?codecs=avc1%2Chvc1%2Cav01%2Cmp4a%2Copus%2Cflac&prefer=sub')
    expect(video.muted).toBe(true)
  })

  it('is live only once a picture is on screen, and knows its age', async () => {
    await live()
    expect(last()).toMatchObject({ state: 'live', stream: 'sub', choice: 'sub stream', age: 250 })
    expect(buffer().appended).toHaveLength(2)
    expect(buffer().mode).toBe('segments')
    expect(buffer().timestampOffset).toBe(-4) // a small media clock, first picture at 1 s
  })

  it('never passes an old picture off as live', async () => {
    await live()
    await vi.advanceTimersByTimeAsync(4000)
    expect(last().state).toBe('stalled')
    expect(last().age).toBeGreaterThan(4000)
  })

  it('tells what the server says of the camera, and forgets it when pictures come again', async () => {
    await live()
    socket().say({ kind: 'state', state: 'offline', reason: 'Nothing answers.', next_step: 'Check its cable.', since: '2026-11-23T12:00:00Z' })
    await vi.advanceTimersByTimeAsync(300)
    expect(last()).toMatchObject({ state: 'offline', reason: 'Nothing answers.', nextStep: 'Check its cable.' })
    socket().send(Date.now(), fragment(9000, true))
    video.present(5)
    await vi.advanceTimersByTimeAsync(250)
    expect(last()).toMatchObject({ state: 'live', reason: '' })
  })

  it('comes back by itself, ever more patiently', async () => {
    await live()
    socket().end()
    expect(last().state).toBe('lost')
    await vi.advanceTimersByTimeAsync(500)
    expect(FakeSocket.made).toHaveLength(2)
    socket().end()
    await vi.advanceTimersByTimeAsync(500)
    expect(FakeSocket.made).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(600)
    expect(FakeSocket.made).toHaveLength(3)
  })

  it.each([[4403, 'refused'], [4404, 'refused']])('does not try again after close code %i', async (code, state) => {
    make()
    socket().end(code)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(last().state).toBe(state)
    expect(last().nextStep).not.toBe('')
    expect(FakeSocket.made).toHaveLength(1)
  })

  it('hears of being signed out', () => {
    make()
    socket().end(4401)
    expect(signedOut).toHaveBeenCalledOnce()
  })

  it('says in words that the browser lacks a codec', async () => {
    const player = make()
    FakeSource.supports = false
    socket().say({ ...START, mime: 'video/mp4; codecs="hvc1.1.6.L120.90"' })
    expect(last()).toMatchObject({ state: 'unsupported' })
    expect(last().reason).toContain('H.265')
    player.destroy()
  })

  it('jumps when it is more than a second behind and plays faster when it is a little', async () => {
    await live()
    await vi.advanceTimersByTimeAsync(3000) // no longer starting
    buffer().ranges = [[1, 4]]
    video.currentTime = 1.5
    await vi.advanceTimersByTimeAsync(250)
    expect(video.currentTime).toBeCloseTo(3.8, 1)
    buffer().ranges = [[1, 4.5]]
    await vi.advanceTimersByTimeAsync(250)
    expect(video.playbackRate).toBeGreaterThan(1)
  })

  it('starts a new init in the same buffer when the format changes', async () => {
    await live()
    socket().say({ ...START, mime: 'video/mp4; codecs="avc1.4D401F"' })
    socket().send(0, INIT)
    await settle()
    expect(buffer().types).toEqual(['video/mp4; codecs="avc1.4D401F"'])
    expect(FakeSource.made).toHaveLength(1)
  })

  it('forgets old media up to a keyframe only', async () => {
    await live()
    for (let second = 1; second <= 30; second++) {
      socket().send(Date.now(), fragment(5000 + second * 1000, second % 10 === 0))
      await settle()
    }
    buffer().ranges = [[1, 31.2]]
    video.currentTime = 31
    await vi.advanceTimersByTimeAsync(2000)
    expect(buffer().removed[0]).toEqual([0, 21])
  })

  it('builds everything anew when the decoder fails, and says so when that keeps happening', async () => {
    await live()
    for (let round = 0; round < 4; round++) {
      buffer().failing = 'InvalidStateError'
      socket().send(Date.now(), fragment(9000 + round, true))
      await vi.advanceTimersByTimeAsync(8000)
      socket().say(START)
      await settle()
      socket().send(0, INIT)
      await settle()
    }
    expect(FakeSource.made.length).toBeGreaterThan(2)
    expect(told.some(({ state, nextStep }) => state === 'unsupported' && nextStep !== '')).toBe(true)
  })

  it('leaves the stream while the tab is hidden and returns at once', async () => {
    await live()
    page.hidden = true
    page.dispatchEvent(new Event('visibilitychange'))
    await vi.advanceTimersByTimeAsync(10_500)
    expect(socket().closed).toBe(true)
    page.hidden = false
    page.dispatchEvent(new Event('visibilitychange'))
    expect(FakeSocket.made).toHaveLength(2)
  })

  it('leaves nothing running when stopped', async () => {
    const player = await live()
    player.destroy()
    expect(socket().closed).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
    expect(last().state).toBe('paused')
  })
})
