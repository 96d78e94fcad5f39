import { describe, expect, it } from 'vitest'
import { fragmentInfo, timescale } from '../src/core/fmp4'

const u32 = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
const u64 = (value: bigint) => [...u32(Number(value >> 32n)), ...u32(Number(value & 0xffffffffn))]
const box = (type: string, ...parts: number[][]): number[] => {
  const body = parts.flat()
  return [...u32(body.length + 8), ...[...type].map((letter) => letter.charCodeAt(0)), ...body]
}
const init = (version: number, scale: number) =>
  new Uint8Array([...box('ftyp', u32(0)), ...box('moov', box('mvhd', u32(0)), box('trak', box('tkhd', u32(0)), box('mdia', box('mdhd', [version, 0, 0, 0], version ? [...u64(0n), ...u64(0n)] : [...u32(0), ...u32(0)], u32(scale), u32(0)))))])
const KEY = 0x02000000
const DELTA = 0x01010000

function fragment(tfdt: bigint, trunFlags: number, samples: number[][], tfhdFlags = 0x020000, tfhdRest: number[] = []): Uint8Array {
  return new Uint8Array([
    ...box('moof', box('mfhd', u32(0), u32(1)), box('traf', box('tfhd', u32(tfhdFlags), u32(1), tfhdRest), box('tfdt', [1, 0, 0, 0], u64(tfdt)), box('trun', u32(trunFlags), u32(samples.length || 1), ...samples))),
    ...box('mdat', [1, 2, 3]),
  ])
}

describe('fragment boxes', () => {
  it('gives the time scale of the first track, both versions of the header', () => {
    expect(timescale(init(0, 90_000))).toBe(90_000)
    expect(timescale(init(1, 12_800))).toBe(12_800)
    expect(timescale(new Uint8Array([0, 0, 0, 9, 1]))).toBeNull()
  })

  it('reads an epoch-sized decode time exactly', () => {
    const ticks = 1_795_472_104_250n * 90n
    const info = fragmentInfo(fragment(ticks, 0x701, [u32(0), u32(3000), u32(9), u32(KEY)]), 90_000)
    expect(info).toEqual({ start: 1_795_472_104.25, key: true })
  })

  it.each([
    ['per-sample flags, keyframe', 0x701, [u32(0), u32(3000), u32(9), u32(KEY)], true],
    ['per-sample flags, delta', 0x701, [u32(0), u32(3000), u32(9), u32(DELTA)], false],
    ['first-sample flags', 0x5, [u32(0), u32(KEY)], true],
    ['first-sample flags, delta', 0x5, [u32(0), u32(DELTA)], false],
  ])('knows keyframes from %s', (_name, flags, samples, key) => {
    expect(fragmentInfo(fragment(0n, flags, samples), 1000)?.key).toBe(key)
  })

  it('falls back to the default flags of the track fragment', () => {
    expect(fragmentInfo(fragment(0n, 0x1, [u32(0)], 0x020020, u32(DELTA)), 1000)?.key).toBe(false)
    expect(fragmentInfo(fragment(0n, 0x1, [u32(0)], 0x020028, [...u32(512), ...u32(KEY)]), 1000)?.key).toBe(true)
  })

  it('never throws or hangs on garbage', () => {
    let seed = 7
    const random = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff)
    const good = fragment(99n, 0x701, [u32(0), u32(3000), u32(9), u32(KEY)])
    for (let round = 0; round < 3000; round++) {
      const bytes = good.slice(0, random() % (good.length + 1))
      for (let n = 0; n < 4 && bytes.length; n++) bytes[random() % bytes.length] = random() & 255
      fragmentInfo(bytes, 90_000)
      timescale(bytes)
    }
  })
})
