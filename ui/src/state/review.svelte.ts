import type { Query } from '../core/api'
import { merge } from '../core/review'
import type { EventItem } from '../core/types'
import { feed } from './feed.svelte'
import { api } from './server'

const PAGE = 60

/** The list the review page shows. It outlives the page, so that Back finds it as it was left. */
class ReviewList {
  events = $state.raw<EventItem[]>([])
  next = $state<number | null>(null)
  unreviewed = $state(0)
  loading = $state(false)
  loaded = $state(false)
  failure = $state.raw<Error | null>(null)
  /** Heard of while the person was reading further down; shown when asked for. */
  waiting = $state.raw<EventItem[]>([])
  chosen = $state<number | null>(null)
  private key = ''
  private query: Query = {}
  private at = 0

  /** Show what a query names; the same query soon again keeps what is there. */
  async open(key: string, query: Query): Promise<void> {
    if (key === this.key && this.loaded && Date.now() - this.at < 60_000) return
    if (key !== this.key) {
      this.events = []
      this.loaded = false
      this.chosen = null
    }
    this.key = key
    this.query = query
    await this.fetch(null)
  }

  async more(): Promise<void> {
    if (this.next !== null && !this.loading) await this.fetch(this.next)
  }

  reload(): Promise<void> {
    return this.fetch(null)
  }

  hear(event: EventItem, atTop: boolean): void {
    this.at = Date.now()
    const known = this.events.some((other) => other.id === event.id)
    if (known || atTop) this.events = merge(this.events, event)
    else this.waiting = merge(this.waiting, event)
  }

  showWaiting(): void {
    for (const event of [...this.waiting].reverse()) this.events = merge(this.events, event)
    this.waiting = []
  }

  async setReviewed(ids: number[], reviewed: boolean): Promise<void> {
    await api.setReviewed({ ids }, reviewed)
    const touched = new Set(ids)
    this.events = this.events.map((event) => (touched.has(event.id) ? { ...event, reviewed } : event))
    const change = reviewed ? -ids.length : ids.length
    this.unreviewed = Math.max(0, this.unreviewed + change)
    void feed.load()
  }

  /** What a person says of an event; null takes it back. */
  async setVerdict(event: EventItem, verdict: EventItem['verdict']): Promise<void> {
    await api.setVerdict(event.id, verdict)
    this.events = this.events.map((other) => (other.id === event.id ? { ...other, verdict } : other))
  }

  /** Every event up to now, also those not loaded. */
  async setAllReviewed(): Promise<void> {
    await api.setReviewed({ until: new Date(api.clock.now()).toISOString() }, true)
    this.events = this.events.map((event) => ({ ...event, reviewed: true }))
    this.unreviewed = 0
    void feed.load()
  }

  private async fetch(before: number | null): Promise<void> {
    const { key } = this
    this.loading = true
    try {
      const answer = await api.events({ ...this.query, before, limit: PAGE })
      if (key !== this.key) return
      this.events = before === null ? answer.events : [...this.events, ...answer.events]
      this.next = answer.next
      this.unreviewed = answer.unreviewed
      this.failure = null
      if (before === null) this.waiting = []
    } catch (error) {
      if (key === this.key) this.failure = error as Error
    }
    this.loading = false
    this.loaded = true
    this.at = Date.now()
  }
}

export const review = new ReviewList()
