/**
 * Which wall-clock instant a picture on screen belongs to: the fragments appended so far, by media time, each with
 * the moment its newest picture reached the recorder.
 */
export class Arrivals {
  private entries: { start: number; arrival: number; key: boolean }[] = []

  /** `start` in seconds on the media clock, `arrival` in epoch milliseconds of the server. */
  add(start: number, arrival: number, key: boolean): void {
    const last = this.entries[this.entries.length - 1]
    if (last && start <= last.start) this.entries = this.entries.filter((entry) => entry.start < start)
    this.entries.push({ start, arrival, key })
  }

  /** Arrival of the fragment that holds the picture at `media` seconds; null when unknown. */
  at(media: number): number | null {
    for (let i = this.entries.length - 1; i >= 0; i--) {
      // Half a millisecond of tolerance: browsers round to microseconds, ticks do not.
      if (this.entries[i]!.start <= media + 0.0005) return this.entries[i]!.arrival
    }
    return null
  }

  /** Media time of the newest keyframe at or before `media`; null when none is known. */
  keyBefore(media: number): number | null {
    for (let i = this.entries.length - 1; i >= 0; i--) {
      const entry = this.entries[i]!
      if (entry.key && entry.start <= media) return entry.start
    }
    return null
  }

  /** Forget what lies before `media`, but the entry that covers it. */
  forgetBefore(media: number): void {
    const keep = this.entries.findLastIndex((entry) => entry.start <= media)
    if (keep > 0) this.entries.splice(0, keep)
  }

  clear(): void {
    this.entries = []
  }

  get size(): number {
    return this.entries.length
  }
}
