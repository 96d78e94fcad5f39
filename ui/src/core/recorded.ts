import type Hls from 'hls.js'
import type { ErrorData, LevelLoadedData } from 'hls.js'
import { mediaSource } from './codecs'
import { MediaMap } from './media-map'
import type { Stretch } from './timeline'
import { t } from './text'
import { MINUTE } from './time'
import type { PlaybackAnswer } from './types'

/** `end`: everything recorded so far has been shown. */
export type Phase = 'idle' | 'loading' | 'ready' | 'gap' | 'end' | 'failed'

export interface RecordedStatus {
  phase: Phase
  camera: number | null
  /** The instant shown (or asked for), epoch ms. */
  at: number
  /** How the footage is given to this browser, in the server's words. */
  video: string
  audio: string
  reason: string
  nextStep: string
}

interface Seams {
  playback: (camera: number, from: number, to: number, signal: AbortSignal) => Promise<PlaybackAnswer>
  hls: () => Promise<typeof Hls>
  now: () => number
  onStatus: (status: RecordedStatus) => void
  /** Playback ran over a hole in the footage. */
  onSkip: (hole: Stretch) => void
}

const BEFORE = 10 * MINUTE
const AFTER = 20 * MINUTE
const TAIL_RETRY_MS = 1500
/** How near to the present the end of a window counts as "being written right now". */
const NEAR_NOW_MS = 60_000

/**
 * Plays recorded footage of one camera at any instant. A playlist covers a window around the instant; a seek outside
 * it, or playing to its end, opens the next one. Media time and wall time are kept apart by a `MediaMap`.
 */
export class RecordedPlayer {
  readonly status: RecordedStatus = { phase: 'idle', camera: null, at: 0, video: '', audio: '', reason: '', nextStep: '' }
  wantsPlay = false
  private hls: Hls | null = null
  private map = new MediaMap([])
  private abort: AbortController | null = null
  private lastMedia = 0
  private pending: number | null = null
  private timer: ReturnType<typeof setTimeout> | undefined
  private recovered = 0

  constructor(private readonly video: HTMLVideoElement, private readonly seams: Seams) {
    video.addEventListener('timeupdate', this.onTime)
    video.addEventListener('seeked', this.onSeeked)
    video.addEventListener('ended', this.onEnded)
    video.addEventListener('canplay', this.onReady)
  }

  destroy(): void {
    this.video.removeEventListener('timeupdate', this.onTime)
    this.video.removeEventListener('seeked', this.onSeeked)
    this.video.removeEventListener('ended', this.onEnded)
    this.video.removeEventListener('canplay', this.onReady)
    this.close()
  }

  /** The instant of the picture on screen; while a seek is under way, the instant asked for. */
  get at(): number {
    const busy = this.status.phase !== 'ready' || this.map.empty || this.video.seeking || this.pending !== null
    return busy ? this.status.at : this.map.wallAt(this.video.currentTime)
  }

  /** Show an instant of a camera. Seeks within the window at hand; opens another when it lies outside. */
  show(camera: number, at: number): void {
    const wanted = Math.min(at, this.seams.now())
    if (camera === this.status.camera && this.status.phase !== 'failed') {
      const media = this.hls ? this.map.mediaAt(wanted) : null
      if (media !== null) return this.seek(media, wanted)
    }
    void this.open(camera, wanted)
  }

  play(): void {
    this.wantsPlay = true
    if (this.status.phase === 'ready') void this.video.play().catch(() => {})
  }

  pause(): void {
    this.wantsPlay = false
    this.video.pause()
  }

  /** One picture on or back; `fps` of the recording. */
  step(direction: 1 | -1, fps: number): void {
    this.pause()
    if (this.status.phase === 'ready') this.seek(Math.max(0, this.video.currentTime + direction / fps), null)
  }

  /** Seeks are coalesced: one under way, the newest waits. */
  private seek(media: number, wall: number | null): void {
    this.tell({ at: wall ?? this.map.wallAt(media), phase: 'ready' })
    this.lastMedia = media
    if (this.video.seeking) this.pending = media
    else this.video.currentTime = media
  }

  private onSeeked = (): void => {
    const next = this.pending
    this.pending = null
    if (next !== null) this.video.currentTime = next
    else if (this.wantsPlay && this.video.paused && this.status.phase === 'ready') void this.video.play().catch(() => {})
  }

  private async open(camera: number, at: number): Promise<void> {
    this.abort?.abort()
    clearTimeout(this.timer)
    const abort = (this.abort = new AbortController())
    this.tell({ phase: 'loading', camera, at, reason: '', nextStep: '' })
    try {
      const to = Math.min(at + AFTER, this.seams.now())
      const [answer, hls] = await Promise.all([
        this.seams.playback(camera, at - BEFORE, to, abort.signal), this.seams.hls(),
      ])
      if (abort.signal.aborted) return
      this.take(answer, hls, at)
    } catch (error) {
      if (abort.signal.aborted) return
      const { message, nextStep } = error as { message: string; nextStep?: string }
      this.close()
      this.tell({ phase: 'failed', reason: message, nextStep: nextStep ?? '' })
    }
  }

  private take(answer: PlaybackAnswer, Library: typeof Hls, at: number): void {
    const spans = answer.spans.map((span) => ({ start: Date.parse(span.start), end: Date.parse(span.end) }))
    this.tell({ video: answer.video ?? '', audio: answer.audio ?? '' })
    // The last picture of a span has an instant a little before its end, and the index lags the file by a fragment.
    const near = spans.some((span) => span.start - 250 <= at && at <= span.end + 250)
    if (!near) {
      this.close()
      const last = spans[spans.length - 1]
      const awaited = at > this.seams.now() - NEAR_NOW_MS && last !== undefined && at - last.end < NEAR_NOW_MS
      return this.tell({ phase: awaited ? 'end' : 'gap' })
    }
    this.load(Library, answer.playlist, spans, at)
  }

  private load(Library: typeof Hls, playlist: string, spans: Stretch[], at: number): void {
    this.close()
    if (!Library.isSupported()) return this.loadNative(playlist, spans, at)
    const hls = new Library({
      autoStartLoad: false, enableWorker: false, lowLatencyMode: false, maxBufferLength: 20, maxMaxBufferLength: 60,
      backBufferLength: 60, nudgeMaxRetry: 8,
    })
    this.hls = hls
    hls.on(Library.Events.LEVEL_LOADED, (_name: string, data: LevelLoadedData) => {
      if (this.hls !== hls || !this.map.empty) return
      this.map = MediaMap.from(data.details.fragments, spans)
      const media = this.map.mediaAt(at, 2000) ?? 0
      this.lastMedia = media
      hls.startLoad(media)
    })
    hls.on(Library.Events.ERROR, (_name: string, data: ErrorData) => this.onHlsError(hls, Library, data))
    hls.loadSource(playlist)
    hls.attachMedia(this.video)
  }

  private loadNative(playlist: string, spans: Stretch[], at: number): void {
    if (mediaSource() || !this.video.canPlayType('application/vnd.apple.mpegurl')) {
      return this.tell({ phase: 'failed', reason: t('player.recorded_none'), nextStep: t('player.none_next') })
    }
    this.map = MediaMap.from([], spans)
    this.video.src = playlist
    this.video.currentTime = this.map.mediaAt(at, 2000) ?? 0
  }

  private onHlsError(hls: Hls, Library: typeof Hls, data: ErrorData): void {
    if (this.hls !== hls || !data.fatal) return
    if (data.type === Library.ErrorTypes.MEDIA_ERROR && this.recovered++ < 2) return hls.recoverMediaError()
    const status = data.response?.code ?? 0
    const at = this.at
    this.close()
    const missing = status === 404 || status === 410
    this.tell({
      phase: 'failed', at,
      reason: missing ? t('player.missing') : status ? t('player.refused', { status }) : t('player.failed'),
      nextStep: missing ? t('player.missing_next') : t('player.failed_next'),
    })
  }

  private close(): void {
    this.hls?.destroy()
    this.hls = null
    this.map = new MediaMap([])
    this.pending = null
  }

  private onReady = (): void => {
    if (this.map.empty) return
    this.recovered = 0
    if (this.status.phase === 'loading') this.tell({ phase: 'ready', at: this.map.wallAt(this.video.currentTime) })
    if (this.wantsPlay && this.video.paused) void this.video.play().catch(() => {})
  }

  private onTime = (): void => {
    if (this.status.phase !== 'ready' || this.map.empty || this.video.seeking || this.pending !== null) return
    const media = this.video.currentTime
    if (!this.video.paused && media > this.lastMedia) {
      const hole = this.map.holeBetween(this.lastMedia, media)
      if (hole) this.seams.onSkip(hole)
    }
    this.lastMedia = media
    this.tell({ at: this.map.wallAt(media) })
  }

  /** The window is played out: go on in the next one, or wait for what is being written. */
  private onEnded = (): void => {
    const { camera } = this.status
    const end = this.map.range.to
    if (camera === null || !end || !this.wantsPlay) return
    if (end < this.seams.now() - NEAR_NOW_MS) return void this.open(camera, end + 300)
    this.tell({ phase: 'end', at: end })
    this.timer = setTimeout(() => void this.continueAt(camera, end), TAIL_RETRY_MS)
  }

  private async continueAt(camera: number, end: number): Promise<void> {
    if (this.status.phase !== 'end' || this.status.camera !== camera) return
    const now = this.seams.now()
    const answer = await this.seams.playback(camera, end - MINUTE, now, new AbortController().signal).catch(() => null)
    if (this.status.phase !== 'end' || !this.wantsPlay) return
    const more = answer?.spans.some((span) => Date.parse(span.end) > end + 2000)
    if (more) return void this.open(camera, end + 50)
    this.timer = setTimeout(() => void this.continueAt(camera, end), TAIL_RETRY_MS)
  }

  private tell(change: Partial<RecordedStatus>): void {
    Object.assign(this.status, change)
    this.seams.onStatus({ ...this.status })
  }
}

