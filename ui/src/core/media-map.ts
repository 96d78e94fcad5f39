/**
 * Between the two times of playback: seconds on the player's media clock, and the instant that was filmed. The pieces of
 * a playlist lie end to end on the first and have holes on the second.
 */
export interface Piece {
  /** Seconds on the media clock. */
  start: number
  duration: number
  /** Epoch ms of its first picture. */
  wall: number
}

export class MediaMap {
  constructor(private readonly pieces: readonly Piece[]) {}

  /**
   * From a playlist's fragments. Where a fragment has no date of its own, the spans of the answer (end to end, in
   * order) say what was filmed when.
   */
  static from(
    fragments: readonly { start: number; duration: number; programDateTime?: number | null }[],
    spans: readonly { start: number; end: number }[],
  ): MediaMap {
    const dated = fragments.filter((fragment) => fragment.programDateTime)
    if (dated.length) {
      return new MediaMap(dated.map(({ start, duration, programDateTime }) => ({ start, duration, wall: programDateTime! })))
    }
    let start = 0
    return new MediaMap(spans.map((span) => {
      const piece = { start, duration: (span.end - span.start) / 1000, wall: span.start }
      start += piece.duration
      return piece
    }))
  }

  get empty(): boolean {
    return this.pieces.length === 0
  }

  /** First and last instant, epoch ms; zeros when empty. */
  get range(): { from: number; to: number } {
    const first = this.pieces[0]
    const last = this.pieces[this.pieces.length - 1]
    return first && last ? { from: first.wall, to: last.wall + last.duration * 1000 } : { from: 0, to: 0 }
  }

  /** The instant shown at a media time; before the first and after the last piece it runs on. */
  wallAt(media: number): number {
    const piece = this.pieces.findLast((candidate) => candidate.start <= media) ?? this.pieces[0]
    return piece ? piece.wall + (media - piece.start) * 1000 : 0
  }

  /** The media time of an instant; null when nothing of it is here. `slack` ms of rounding are forgiven. */
  mediaAt(wall: number, slack = 120): number | null {
    const piece = this.pieces.findLast((candidate) => candidate.wall <= wall) ?? this.pieces[0]
    if (!piece) return null
    const into = (wall - piece.wall) / 1000
    if (into < -slack / 1000 || into > piece.duration + slack / 1000) return null
    return piece.start + Math.min(Math.max(into, 0), Math.max(0, piece.duration - 0.001))
  }

  /** The hole crossed between two media times while playing on, over `least` ms; null when none. */
  holeBetween(before: number, after: number, least = 1500): { start: number; end: number } | null {
    for (let i = 1; i < this.pieces.length; i++) {
      const piece = this.pieces[i]!
      if (piece.start <= before || piece.start > after) continue
      const previous = this.pieces[i - 1]!
      const end = previous.wall + previous.duration * 1000
      if (piece.wall - end >= least) return { start: end, end: piece.wall }
    }
    return null
  }
}
