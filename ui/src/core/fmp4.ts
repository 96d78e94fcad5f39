/**
 * The few boxes of fragmented MP4 (ISO/IEC 14496-12) the live player needs to know when a picture was taken
 * and where decoding can begin. Anything unexpected gives null: the player then plays without that knowledge.
 */

export interface FragmentInfo {
  /** Decode time of the first video sample, seconds on the media clock. */
  start: number
  /** The first video sample is a keyframe. */
  key: boolean
}

interface Box { type: string; start: number; end: number }

const SAMPLE_IS_NON_SYNC = 0x10000

function* boxes(view: DataView, from: number, to: number): Generator<Box> {
  let at = from
  while (at + 8 <= to) {
    const size = view.getUint32(at)
    const end = size === 0 ? to : at + size
    if (size !== 0 && (size < 8 || end > to)) return
    const type = String.fromCharCode(view.getUint8(at + 4), view.getUint8(at + 5), view.getUint8(at + 6), view.getUint8(at + 7))
    yield { type, start: at + 8, end }
    at = end
  }
}

function find(view: DataView, path: readonly string[], from = 0, to = view.byteLength): Box | null {
  for (const box of boxes(view, from, to)) {
    if (box.type !== path[0]) continue
    if (path.length === 1) return box
    const inner = find(view, path.slice(1), box.start, box.end)
    if (inner) return inner
  }
  return null
}

const viewOf = (data: Uint8Array) => new DataView(data.buffer, data.byteOffset, data.byteLength)

/** Ticks per second of the first track of an init segment; null when there is none. */
export function timescale(init: Uint8Array): number | null {
  const view = viewOf(init)
  const mdhd = find(view, ['moov', 'trak', 'mdia', 'mdhd'])
  if (!mdhd) return null
  const at = mdhd.start + (view.getUint8(mdhd.start) === 1 ? 20 : 12)
  return at + 4 <= mdhd.end ? view.getUint32(at) || null : null
}

/** What the first track fragment of a moof+mdat says; null when it cannot be read. */
export function fragmentInfo(fragment: Uint8Array, ticksPerSecond: number): FragmentInfo | null {
  const view = viewOf(fragment)
  const traf = find(view, ['moof', 'traf'])
  if (!traf) return null
  const tfdt = find(view, ['tfdt'], traf.start, traf.end)
  if (!tfdt || tfdt.end - tfdt.start < 8) return null
  const long = view.getUint8(tfdt.start) === 1
  if (long && tfdt.end - tfdt.start < 12) return null
  const ticks = long ? Number(view.getBigUint64(tfdt.start + 4)) : view.getUint32(tfdt.start + 4)
  return { start: ticks / ticksPerSecond, key: (firstSampleFlags(view, traf) & SAMPLE_IS_NON_SYNC) === 0 }
}

/** Flags of the first sample: trun's first-sample-flags, else its own per-sample flags, else tfhd's default. */
function firstSampleFlags(view: DataView, traf: Box): number {
  const trun = find(view, ['trun'], traf.start, traf.end)
  if (trun && trun.end - trun.start >= 8) {
    const flags = view.getUint32(trun.start) & 0xffffff
    let at = trun.start + 8 + (flags & 0x1 ? 4 : 0)
    if (flags & 0x4 && at + 4 <= trun.end) return view.getUint32(at)
    if (flags & 0x400) {
      at += (flags & 0x100 ? 4 : 0) + (flags & 0x200 ? 4 : 0)
      if (at + 4 <= trun.end) return view.getUint32(at)
    }
  }
  const tfhd = find(view, ['tfhd'], traf.start, traf.end)
  if (!tfhd) return SAMPLE_IS_NON_SYNC
  const flags = view.getUint32(tfhd.start) & 0xffffff
  if (!(flags & 0x20)) return 0
  const at = tfhd.start + 8 + (flags & 0x1 ? 8 : 0) + (flags & 0x2 ? 4 : 0) + (flags & 0x8 ? 4 : 0) + (flags & 0x10 ? 4 : 0)
  return at + 4 <= tfhd.end ? view.getUint32(at) : SAMPLE_IS_NON_SYNC
}
