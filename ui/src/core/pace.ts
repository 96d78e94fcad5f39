/**
 * How the live player keeps close behind the newest picture: a pure decision from a few numbers, made several times a
 * second.
 *
 * `floor` is the least distance to the end of the buffer seen since the last decision, so that the saw-tooth of
 * arriving fragments does not make the rate swing. `hold` is the distance wanted; it grows when the picture had to
 * wait (the network is uneven) and shrinks again slowly.
 */
export interface PaceAnswer {
  rate: number
  /** Jump to `hold` before the end instead of catching up by rate. */
  jump: boolean
}

export const JUMP_BEHIND = 1
const JUMP_AT_START = 0.25
const DEAD_BAND = 0.03

/** `starting`: the stream has just begun with the GOP so far; better one jump now than seconds of catching up. */
export function pace(floor: number, hold: number, starting = false): PaceAnswer {
  const late = floor - hold
  if (late > (starting ? JUMP_AT_START : JUMP_BEHIND)) return { rate: 1, jump: true }
  if (late > DEAD_BAND) return { rate: Math.min(1.25, 1.02 + late * 0.6), jump: false }
  if (late < -DEAD_BAND) return { rate: Math.max(0.92, 1 + late), jump: false }
  return { rate: 1, jump: false }
}

/** The adaptive hold, in seconds. */
export class Hold {
  private extra = 0

  constructor(readonly base: number, private readonly most = 0.5) {}

  get seconds(): number {
    return this.base + this.extra
  }

  /** The picture ran dry. */
  waited(): void {
    this.extra = Math.min(this.most, this.extra + 0.06)
  }

  /** One second passed without running dry. */
  ranSmoothly(): void {
    this.extra = Math.max(0, this.extra - 0.004)
  }
}
