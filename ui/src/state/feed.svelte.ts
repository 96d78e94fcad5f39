import { NewsSocket } from '../core/news'
import type { EventItem, HealthStatus, News } from '../core/types'
import { cameras } from './cameras.svelte'
import { api } from './server'
import { session } from './session.svelte'

const KEPT = 40

/** What happens now: the newest events, how many wait for review, and the state of the whole. */
class Feed {
  newest = $state.raw<EventItem[]>([])
  unreviewed = $state(0)
  status = $state<HealthStatus>('ok')
  connected = $state(true)
  private listeners = new Set<(event: EventItem, phase: string) => void>()
  private socket = new NewsSocket(
    () => `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws/events`,
    {
      news: (news) => this.hear(news),
      open: (again) => {
        this.connected = true
        if (again) void cameras.load()
        void this.load()
      },
      lost: () => (this.connected = false),
      signedOut: () => session.lost(),
    },
  )

  start(): void {
    this.socket.start()
  }

  stop(): void {
    this.socket.stop()
    this.newest = []
  }

  async load(): Promise<void> {
    try {
      const answer = await api.events({ limit: KEPT })
      this.newest = answer.events
      this.unreviewed = answer.unreviewed
    } catch {
      // The strip stays as it was; pages say what is wrong themselves.
    }
  }

  /** Hear of each event as it begins, changes and ends; returns how to stop. */
  subscribe(listener: (event: EventItem, phase: string) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  private hear(news: News): void {
    if (news.kind === 'camera') cameras.put(news.camera)
    else if (news.kind === 'health') this.status = news.status
    else this.hearEvent(news.event, news.phase)
  }

  private hearEvent(event: EventItem, phase: string): void {
    const known = this.newest.some((other) => other.id === event.id)
    if (!known && !event.reviewed) this.unreviewed++
    const others = this.newest.filter((other) => other.id !== event.id)
    this.newest = [event, ...others].sort((a, b) => Date.parse(b.start) - Date.parse(a.start)).slice(0, KEPT)
    for (const listener of this.listeners) listener(event, phase)
  }
}

export const feed = new Feed()
