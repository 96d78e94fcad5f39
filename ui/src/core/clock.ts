/**
 * How far this device's clock is from the server's, learnt from the `Date` header of ordinary answers.
 *
 * One answer says: the server's time was in [date, date + 1 s] at an instant between `sent` and `received`
 * here (servers refresh that header about once a second, so one more second of staleness is allowed for).
 * The intervals of many answers are intersected. While zero is possible the clocks count as equal:
 * ages of pictures must not be "corrected" by a guess.
 */
export class ServerClock {
  private low = -Infinity
  private high = Infinity

  /** Take one answer into account. Times in epoch milliseconds of this device. */
  hear(sent: number, received: number, dateHeader: string | null): void {
    const date = dateHeader ? Date.parse(dateHeader) : NaN
    if (Number.isNaN(date) || received < sent) return
    const low = sent - (date + STALE_MS)
    const high = received - date
    if (low > this.high || high < this.low) {
      // A clock was set in between: what was known no longer holds.
      this.low = low
      this.high = high
      return
    }
    this.low = Math.max(this.low, low)
    this.high = Math.min(this.high, high)
  }

  /** This device minus server, milliseconds; 0 while that cannot be ruled out. */
  get skew(): number {
    if (!Number.isFinite(this.low) || (this.low <= 0 && this.high >= 0)) return 0
    return Math.round((this.low + this.high) / 2)
  }

  /** The server's time now, epoch milliseconds. */
  now(): number {
    return Date.now() - this.skew
  }
}

const STALE_MS = 2100
