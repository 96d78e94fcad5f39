import { Arrivals } from './arrivals'
import { mediaSource, supportedCodecs } from './codecs'
import { codecName } from './format'
import { fragmentInfo, timescale } from './fmp4'
import { Hold, pace } from './pace'
import { t } from './text'
import type { CameraState } from './types'

/** What a tile says. `lost` is this browser's connection to the server, not the camera's to the recorder. */
export type LiveState = CameraState | 'lost' | 'paused'

export interface LiveStatus {
  state: LiveState
  reason: string
  nextStep: string
  /** Epoch ms since when there are no new pictures, if known. */
  since: number | null
  /** Milliseconds since the picture on screen reached the recorder; null before the first one. */
  age: number | null
  /** Median of that figure when pictures were put on screen, over the last second or so; null before. */
  latency: number | null
  stream: string
  choice: string
  choiceReason: string
  mime: string
  width: number
  height: number
  kbps: number
  dropped: number
  hasAudio: boolean
  reconnects: number
}

export interface LiveOptions {
  camera: number
  prefer: 'main' | 'sub'
  /** Seconds kept between the picture shown and the newest one. */
  hold: number
  /** The server's time, epoch ms. */
  now: () => number
  onStatus: (status: LiveStatus) => void
  onSignedOut?: () => void
}

interface StartMessage {
  kind: 'start'
  stream: string
  mime: string
  width: number
  height: number
  choice?: string
  reason?: string
}

const STALL_MS = 2500
const TICK_MS = 250
/** How long after its first fragment a stream counts as starting. */
const START_MS = 2500
const MAX_QUEUE_BYTES = 16 << 20
const KEEP_BEHIND = 6
const BACKOFF_MS = [300, 800, 1500, 3000, 5000, 8000]
const PREFIX = 8

/** `H.265` of `video/mp4; codecs="hvc1…"`. */
export const videoCodec = (mime: string): string => codecName(/codecs="([^",]+)/.exec(mime)?.[1])

const fresh = (): LiveStatus => ({
  state: 'connecting', reason: '', nextStep: '', since: null, age: null, latency: null, stream: '', choice: '',
  choiceReason: '', mime: '', width: 0, height: 0, kbps: 0, dropped: 0, hasAudio: false, reconnects: 0,
})

/**
 * Plays one camera's live fragments in one `<video>` through Media Source Extensions.
 *
 * The server sends text messages that say what comes and binary ones that carry it: 8 bytes of arrival time, then an
 * init segment (arrival 0) or a fragment. The player stays `hold` seconds behind the newest picture by playing a
 * little faster or slower, jumps when it is more than a second behind, and says how old the picture shown is:
 * an old picture is never passed off as a live one.
 */
export class LivePlayer {
  private status = fresh()
  private socket: WebSocket | null = null
  private source: MediaSource | null = null
  private buffer: SourceBuffer | null = null
  private objectUrl = ''
  private queue: Uint8Array<ArrayBuffer>[] = []
  private queued = 0
  private waitsForKey = false
  private scale = 0
  private offset: number | null = null
  private readonly arrivals = new Arrivals()
  private readonly hold: Hold
  private floor = Infinity
  private lastFragment = 0
  private firstFragment = 0
  private shownArrival: number | null = null
  private ages: number[] = []
  private bytesSince = { at: 0, bytes: 0 }
  private retry = 0
  private broken = 0
  private timer: ReturnType<typeof setInterval> | undefined
  private reconnect: ReturnType<typeof setTimeout> | undefined
  private ticks = 0
  private running = false
  private serverSays: { state: CameraState; reason: string; nextStep: string; since: number | null } | null = null

  constructor(private readonly video: HTMLVideoElement, private readonly options: LiveOptions) {
    this.hold = new Hold(options.hold)
    video.muted = true
    video.playsInline = true
    video.addEventListener('waiting', this.onWaiting)
    video.addEventListener('error', this.onVideoError)
    video.addEventListener('pause', this.onPause)
  }

  start(): void {
    if (this.running) return
    this.running = true
    this.timer = setInterval(this.tick, TICK_MS)
    document.addEventListener('visibilitychange', this.onVisibility)
    this.connect()
    this.watchFrames()
  }

  /** Close the stream; the last picture stays until `start` or `destroy`. */
  stop(): void {
    this.running = false
    clearInterval(this.timer)
    clearTimeout(this.reconnect)
    document.removeEventListener('visibilitychange', this.onVisibility)
    this.dropSocket()
    this.dropSource()
    this.tell({ state: 'paused', age: null, latency: null })
  }

  destroy(): void {
    this.stop()
    this.video.removeEventListener('waiting', this.onWaiting)
    this.video.removeEventListener('error', this.onVideoError)
    this.video.removeEventListener('pause', this.onPause)
    this.video.removeAttribute('src')
    this.video.load()
  }

  private connect(): void {
    this.dropSocket()
    const codecs = supportedCodecs()
    if (!codecs) {
      this.tell({ state: 'unsupported', reason: t('player.none'), nextStep: t('player.none_next') })
      return
    }
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
    const query = new URLSearchParams({ codecs, prefer: this.options.prefer })
    const socket = new WebSocket(`${scheme}://${location.host}/ws/live/${this.options.camera}?${query}`)
    socket.binaryType = 'arraybuffer'
    socket.onmessage = (message) => this.onMessage(message.data as string | ArrayBuffer)
    socket.onclose = (event) => this.onClose(socket, event.code, event.reason)
    this.socket = socket
  }

  private dropSocket(): void {
    if (!this.socket) return
    this.socket.onmessage = this.socket.onclose = null
    this.socket.close()
    this.socket = null
  }

  private onClose(socket: WebSocket, code: number, why: string): void {
    if (socket !== this.socket) return
    this.socket = null
    if (code === 4401) return this.options.onSignedOut?.()
    if (code === 4403 || code === 4404) {
      const key = code === 4403 ? 'player.not_allowed' : 'player.gone'
      this.tell({ state: 'refused', reason: why || t(key), nextStep: t(`${key}_next`) })
      return
    }
    const kept = this.serverSays
    if (!kept || kept.state === 'live') {
      this.tell({ state: this.status.state === 'connecting' && !this.retry ? 'connecting' : 'lost', reason: '', nextStep: '' })
    }
    this.again()
  }

  private again(): void {
    if (!this.running || document.hidden) return
    const wait = BACKOFF_MS[Math.min(this.retry++, BACKOFF_MS.length - 1)]! * (0.8 + Math.random() * 0.4)
    this.status.reconnects++
    clearTimeout(this.reconnect)
    this.reconnect = setTimeout(() => this.running && this.connect(), wait)
  }

  private onMessage(data: string | ArrayBuffer): void {
    if (typeof data === 'string') return this.onText(data)
    if (data.byteLength <= PREFIX) return
    const arrival = Number(new DataView(data).getBigUint64(0))
    const body = new Uint8Array(data, PREFIX)
    this.bytesSince.bytes += body.byteLength
    if (arrival === 0) this.onInit(body)
    else this.onFragment(body, arrival)
  }

  private onText(text: string): void {
    const message = JSON.parse(text) as { kind: string } & Record<string, unknown>
    if (message.kind === 'start') return this.onStart(message as unknown as StartMessage)
    const since = Date.parse(String(message.since ?? ''))
    const state = message.kind === 'stalled' ? 'stalled' : message.kind === 'state' ? message.state : null
    if (!state) return
    this.serverSays = {
      state: state as CameraState, reason: String(message.reason ?? ''), nextStep: String(message.next_step ?? ''),
      since: Number.isNaN(since) ? null : since,
    }
    if (state === 'live') return
    this.tell({ ...this.serverSays })
  }

  private onStart(message: StartMessage): void {
    this.serverSays = null
    const { mime } = message
    this.tell({
      stream: message.stream, choice: message.choice ?? '', choiceReason: message.reason ?? '', mime,
      width: message.width, height: message.height, hasAudio: /mp4a|opus|flac/i.test(mime),
    })
    if (!mediaSource()?.isTypeSupported(mime)) {
      this.tell({
        state: 'unsupported', reason: t('player.cannot_decode', { codec: videoCodec(mime) }),
        nextStep: t('player.cannot_decode_next', { codec: videoCodec(mime) }),
      })
      this.dropSource()
      return
    }
    this.clearQueue()
    if (this.buffer && this.source?.readyState === 'open' && !this.video.error) this.changeFormat(mime)
    else this.openSource(mime)
  }

  private changeFormat(mime: string): void {
    try {
      if (this.buffer!.updating) this.buffer!.abort()
      this.buffer!.changeType(mime)
    } catch {
      this.openSource(mime)
    }
  }

  private openSource(mime: string): void {
    this.dropSource()
    const Source = mediaSource()!
    const source = new Source()
    this.source = source
    if (!('MediaSource' in globalThis)) this.video.disableRemotePlayback = true // the managed kind asks for it
    source.addEventListener('sourceopen', () => {
      if (this.source !== source) return
      URL.revokeObjectURL(this.objectUrl)
      const buffer = source.addSourceBuffer(mime)
      buffer.mode = 'segments'
      buffer.addEventListener('updateend', this.pump)
      buffer.addEventListener('error', () => this.rebuild())
      this.buffer = buffer
      this.pump()
    }, { once: true })
    this.objectUrl = URL.createObjectURL(source)
    this.video.src = this.objectUrl
  }

  private dropSource(): void {
    this.clearQueue()
    this.buffer?.removeEventListener('updateend', this.pump)
    this.buffer = null
    this.source = null
    this.offset = null
    this.arrivals.clear()
    if (this.objectUrl) URL.revokeObjectURL(this.objectUrl)
    this.objectUrl = ''
  }

  private onInit(body: Uint8Array<ArrayBuffer>): void {
    this.scale = timescale(body) ?? 0
    this.waitsForKey = false
    this.firstFragment = 0
    this.push(body)
  }

  private onFragment(body: Uint8Array<ArrayBuffer>, arrival: number): void {
    this.lastFragment = Date.now()
    this.firstFragment ||= this.lastFragment
    this.retry = 0
    this.serverSays = null
    const info = this.scale ? fragmentInfo(body, this.scale) : null
    if (this.queued > MAX_QUEUE_BYTES) {
      // The decoder does not keep up, or the tab slept: whole GOPs go, never parts of one.
      this.clearQueue()
      this.waitsForKey = true
    }
    if (this.waitsForKey && info && !info.key) return
    this.waitsForKey = false
    if (info) {
      // A small media clock: some players lose precision with seconds since 1970.
      this.offset ??= Math.floor(info.start) - 1
      this.arrivals.add(info.start - this.offset, arrival, info.key)
    }
    this.push(body)
  }

  private push(body: Uint8Array<ArrayBuffer>): void {
    this.queue.push(body)
    this.queued += body.byteLength
    this.pump()
  }

  private clearQueue(): void {
    this.queue = []
    this.queued = 0
  }

  private pump = (): void => {
    const { buffer, source } = this
    if (!buffer || buffer.updating || source?.readyState !== 'open' || this.video.error) return
    this.steer()
    const next = this.queue[0]
    if (!next) return
    try {
      if (this.offset !== null && buffer.timestampOffset !== -this.offset) buffer.timestampOffset = -this.offset
      buffer.appendBuffer(next)
      this.queue.shift()
      this.queued -= next.byteLength
    } catch (error) {
      if (error instanceof DOMException && error.name === 'QuotaExceededError') this.trim(1)
      else this.rebuild()
    }
  }

  /** Keep the head where it should be; called after each append. */
  private steer(): void {
    const ranges = this.buffer!.buffered
    if (!ranges.length) return
    const start = ranges.start(ranges.length - 1)
    const end = ranges.end(ranges.length - 1)
    const { video } = this
    if (video.currentTime < start || video.currentTime > end + 0.5) {
      video.currentTime = Math.max(start, end - this.hold.seconds)
      this.floor = Infinity
    }
    if (video.paused && !document.hidden) void video.play().catch(() => {})
    this.floor = Math.min(this.floor, end - video.currentTime)
  }

  private tick = (): void => {
    this.ticks++
    const ranges = this.buffer?.buffered
    if (ranges?.length && !this.video.seeking) this.keepPace(ranges.end(ranges.length - 1))
    if (this.ticks % 8 === 0) this.trim(KEEP_BEHIND)
    if (this.ticks % 4 === 0) this.hold.ranSmoothly()
    this.measure()
    this.judge()
    this.options.onStatus(this.status)
  }

  private keepPace(end: number): void {
    this.floor = Math.min(this.floor, end - this.video.currentTime)
    if (!Number.isFinite(this.floor)) return
    const { rate, jump } = pace(this.floor, this.hold.seconds, Date.now() - this.firstFragment < START_MS)
    if (jump) this.video.currentTime = end - this.hold.seconds
    if (Math.abs(this.video.playbackRate - rate) > 0.004) this.video.playbackRate = rate
    this.floor = Infinity
  }

  /**
   * Forget old media, only up to a keyframe: removing into a GOP makes the browser drop everything up to the
   * next keyframe, which may be the picture on screen.
   */
  private trim(keep: number): void {
    const { buffer, video } = this
    if (!buffer || buffer.updating || !buffer.buffered.length) return
    const key = this.arrivals.keyBefore(video.currentTime - keep)
    if (key === null || key - buffer.buffered.start(0) < (keep > 1 ? 4 : 0.1)) return
    buffer.remove(0, key)
    this.arrivals.forgetBefore(key)
  }

  private measure(): void {
    const { bytesSince } = this
    const now = Date.now()
    if (now - bytesSince.at >= 2000) {
      if (bytesSince.at) this.status.kbps = Math.round((bytesSince.bytes * 8) / (now - bytesSince.at))
      bytesSince.at = now
      bytesSince.bytes = 0
    }
    if (this.ages.length) {
      const sorted = [...this.ages].sort((a, b) => a - b)
      this.status.latency = Math.round(sorted[sorted.length >> 1]!)
    }
    this.status.dropped = this.video.getVideoPlaybackQuality?.().droppedVideoFrames ?? 0
    const arrival = this.shownArrival
    this.status.age = arrival === null ? null : Math.max(0, Math.round(this.options.now() - arrival))
  }

  /** Live, or not: from what is on screen, not from what was promised. */
  private judge(): void {
    const { status } = this
    if (!this.socket || this.serverSays || status.state === 'unsupported' || status.state === 'paused') return
    if (status.age !== null && status.age < STALL_MS + 1000 * this.options.hold && Date.now() - this.lastFragment < STALL_MS) {
      Object.assign(status, { state: 'live', reason: '', nextStep: '', since: null })
    } else if (status.age !== null) {
      Object.assign(status, { state: 'stalled', since: this.shownArrival })
    }
  }

  private watchFrames(): void {
    const { video } = this
    const shown = (media: number) => {
      const arrival = this.arrivals.at(media)
      if (arrival === null) return
      this.shownArrival = arrival
      this.broken = 0
      if (this.ages.push(this.options.now() - arrival) > 30) this.ages.shift()
    }
    if (!('requestVideoFrameCallback' in video)) {
      ;(video as HTMLVideoElement).addEventListener('timeupdate', () => shown((video as HTMLVideoElement).currentTime))
      return
    }
    const onFrame = (_now: number, frame: { mediaTime: number }) => {
      shown(frame.mediaTime)
      if (this.running) video.requestVideoFrameCallback(onFrame)
    }
    video.requestVideoFrameCallback(onFrame)
  }

  private onWaiting = (): void => {
    if (this.status.state === 'live' && Date.now() - this.lastFragment < 1000) this.hold.waited()
  }

  private onPause = (): void => {
    // Browsers pause muted video to save power; live must go on as soon as it may.
    if (this.running && !document.hidden && this.buffer) void this.video.play().catch(() => {})
  }

  private onVideoError = (): void => {
    if (this.running && this.source) this.rebuild()
  }

  private rebuild(): void {
    this.dropSource()
    this.dropSocket()
    if (++this.broken > 3) {
      this.tell({ state: 'unsupported', reason: t('player.broken', { codec: videoCodec(this.status.mime) }), nextStep: t('player.broken_next') })
    }
    this.again()
  }

  private onVisibility = (): void => {
    if (document.hidden) {
      // A hidden tab shows nothing: leave the stream after a while, and come back at once.
      clearTimeout(this.reconnect)
      this.reconnect = setTimeout(() => document.hidden && this.dropSocket(), 10_000)
      return
    }
    clearTimeout(this.reconnect)
    this.retry = 0
    if (!this.socket) this.connect()
  }

  private tell(change: Partial<LiveStatus>): void {
    Object.assign(this.status, change)
    this.options.onStatus(this.status)
  }
}
