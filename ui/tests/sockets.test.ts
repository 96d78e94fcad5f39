import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LaneCache } from '../src/core/lanes'
import { NewsSocket } from '../src/core/news'
import type { TimelineAnswer } from '../src/core/types'

beforeEach(() => void vi.useFakeTimers({ now: 1_800_000_000_000 }))
afterEach(() => void vi.useRealTimers())

class FakeSocket {
  onopen: (() => void) | null = null
  onmessage: ((event: { data: string }) => void) | null = null
  onclose: ((event: { code: number }) => void) | null = null
  close() {}
}

describe('the events socket', () => {
  function start() {
    const made: FakeSocket[] = []
    const on = { news: vi.fn(), open: vi.fn(), lost: vi.fn(), signedOut: vi.fn() }
    const news = new NewsSocket(() => 'ws://x', on, () => {
      made.push(new FakeSocket())
      return made[made.length - 1] as unknown as WebSocket
    })
    news.start()
    return { made, on, news }
  }

  it('connects once, passes on what it knows, and reconnects with growing patience', () => {
    const { made, on, news } = start()
    news.start()
    expect(made).toHaveLength(1)
    made[0]!.onopen!()
    made[0]!.onmessage!({ data: '{"kind":"health","status":"ok"}' })
    made[0]!.onmessage!({ data: '{"kind":"unknown"}' })
    expect(on.news).toHaveBeenCalledOnce()
    made[0]!.onclose!({ code: 1006 })
    expect(on.lost).toHaveBeenCalledOnce()
    vi.advanceTimersByTime(500)
    made[1]!.onclose!({ code: 1006 })
    vi.advanceTimersByTime(500)
    expect(made).toHaveLength(2)
    vi.advanceTimersByTime(500)
    made[2]!.onopen!()
    expect(on.open.mock.calls).toEqual([[false], [true]]) // the second time: fetch what was missed
  })

  it('stops for good when signed out or told to', () => {
    const { made, on } = start()
    made[0]!.onclose!({ code: 4401 })
    vi.advanceTimersByTime(60_000)
    expect(on.signedOut).toHaveBeenCalledOnce()
    expect(made).toHaveLength(1)
    const other = start()
    other.news.stop()
    vi.advanceTimersByTime(60_000)
    expect(other.made).toHaveLength(1)
  })
})

describe('the lanes of a timeline', () => {
  const answer: TimelineAnswer = { from: '', to: '', lanes: [{ camera: 1, spans: [], gaps: [], events: [] }] }
  function make() {
    const fetch = vi.fn(async (_cameras: readonly number[], _from: number, _to: number, _signal: AbortSignal) => answer)
    const changed = vi.fn()
    return { cache: new LaneCache(fetch, () => Date.now(), changed), fetch, changed }
  }
  const HOUR = 3_600_000
  const past = () => ({ from: Date.now() - 10 * HOUR, to: Date.now() - 9 * HOUR })

  it('are asked for once a gesture settles, with room on both sides', async () => {
    const { cache, fetch, changed } = make()
    for (let step = 0; step < 20; step++) cache.want([1], { from: past().from + step, to: past().to + step })
    await vi.advanceTimersByTimeAsync(200)
    expect(fetch).toHaveBeenCalledOnce()
    expect(changed).toHaveBeenCalledOnce()
    expect(fetch.mock.calls[0]![2] - fetch.mock.calls[0]![1]).toBe(2 * HOUR)
    cache.want([1], { from: past().from + HOUR / 4, to: past().to + HOUR / 4 })
    await vi.advanceTimersByTimeAsync(200)
    expect(fetch).toHaveBeenCalledOnce()
  })

  it('are asked for again when the view leaves them or the cameras change', async () => {
    const { cache, fetch } = make()
    const view = past()
    cache.want([1], view)
    await vi.advanceTimersByTimeAsync(200)
    cache.want([1], { from: view.from - HOUR, to: view.to - HOUR })
    await vi.advanceTimersByTimeAsync(200)
    cache.want([1, 2], { from: view.from - HOUR, to: view.to - HOUR })
    await vi.advanceTimersByTimeAsync(200)
    expect(fetch).toHaveBeenCalledTimes(3)
  })

  it('follow the present every few seconds, and never ask for the future', async () => {
    const { cache, fetch } = make()
    for (let second = 0; second < 20; second++) {
      cache.want([1], { from: Date.now() - HOUR, to: Date.now() + HOUR / 10 })
      await vi.advanceTimersByTimeAsync(1000)
    }
    expect(fetch.mock.calls.length).toBeGreaterThanOrEqual(3)
    expect(fetch.mock.calls.length).toBeLessThanOrEqual(5)
    for (const [, , to] of fetch.mock.calls) expect(to).toBeLessThanOrEqual(Date.now())
  })

  it('keep what was there when an answer fails, and tell why', async () => {
    const { cache, fetch } = make()
    cache.want([1], past())
    await vi.advanceTimersByTimeAsync(200)
    fetch.mockRejectedValueOnce(new Error('no'))
    cache.want([1], { from: past().from - 5 * HOUR, to: past().to - 5 * HOUR })
    await vi.advanceTimersByTimeAsync(200)
    expect(cache.lanes).toHaveLength(1)
    expect(cache.failure?.message).toBe('no')
  })
})
