import { lanesOf, type Lane, type View } from './timeline'
import type { TimelineAnswer } from './types'

type FetchLanes = (cameras: readonly number[], from: number, to: number, signal: AbortSignal) => Promise<TimelineAnswer>

const SETTLE_MS = 120
const FRESH_MS = 5000

/**
 * The lanes a timeline shows. Asks for half a view more on each side, waits until wheel and drag settle, and asks again
 * every few seconds while the view reaches the present.
 */
export class LaneCache {
  lanes: Lane[] = []
  covers: View | null = null
  failure: Error | null = null
  private fetched = 0
  private key = ''
  private timer: ReturnType<typeof setTimeout> | undefined
  private abort: AbortController | null = null

  constructor(
    private readonly fetch: FetchLanes,
    private readonly now: () => number,
    private readonly onChange: () => void,
  ) {}

  /** Say what is on screen; cheap, call as often as it changes and every few seconds. */
  want(cameras: readonly number[], view: View): void {
    if (!cameras.length) return
    const now = this.now()
    const key = cameras.join()
    const { covers } = this
    // What reached the present when it was asked for grows by itself; how soon to ask again is a matter of freshness.
    const reaches = covers !== null && (view.to <= covers.to || covers.to === this.fetched)
    const covered = key === this.key && reaches && covers.from <= view.from
    const stale = view.to >= this.fetched && now - this.fetched > FRESH_MS
    if (covered && !stale) return
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.load(cameras, view), covered ? 0 : SETTLE_MS)
  }

  stop(): void {
    clearTimeout(this.timer)
    this.abort?.abort()
  }

  private async load(cameras: readonly number[], view: View): Promise<void> {
    this.abort?.abort()
    const abort = (this.abort = new AbortController())
    const margin = (view.to - view.from) / 2
    const now = this.now()
    const from = view.from - margin
    const to = Math.min(view.to + margin, now)
    if (to <= from) return
    try {
      const answer = await this.fetch(cameras, from, to, abort.signal)
      if (abort.signal.aborted) return
      this.lanes = lanesOf(answer, now)
      this.covers = { from, to }
      this.fetched = now
      this.key = cameras.join()
      this.failure = null
    } catch (error) {
      if (abort.signal.aborted) return
      this.failure = error as Error
    }
    this.onChange()
  }
}
