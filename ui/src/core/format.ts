import { DAY, HOUR, MINUTE } from './time'

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB']

/** `1.4 GB`, decimal units as disks are sold. */
export function bytes(count: number): string {
  let unit = 0
  let value = count
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`
}

/** `3.1 Mb/s` or `420 kb/s`. */
export function bitrate(kbps: number): string {
  return kbps >= 1000 ? `${(kbps / 1000).toFixed(1)} Mb/s` : `${Math.round(kbps)} kb/s`
}

/** The two largest units of a stretch of milliseconds: `2 d 4 h`, `3 min 12 s`, `8 s`. */
export function duration(ms: number): string {
  const whole = Math.max(0, Math.round(ms / 1000)) * 1000
  const parts: [number, string][] = [
    [Math.floor(whole / DAY), 'd'],
    [Math.floor((whole % DAY) / HOUR), 'h'],
    [Math.floor((whole % HOUR) / MINUTE), 'min'],
    [Math.floor((whole % MINUTE) / 1000), 's'],
  ]
  const first = parts.findIndex(([count]) => count > 0)
  if (first < 0) return '0 s'
  const shown = parts.slice(first, first + 2).filter(([count]) => count > 0)
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ')
}

/** A plain name of a codec as the API gives it (`h264`) or as browsers do (`avc1.640028`). */
export function codecName(codec: string | null | undefined): string {
  if (!codec) return '–'
  const names: Record<string, string> = {
    h264: 'H.264', avc1: 'H.264', h265: 'H.265', hevc: 'H.265', hvc1: 'H.265', hev1: 'H.265', aac: 'AAC', mp4a: 'AAC',
    pcmu: 'G.711 µ-law', pcma: 'G.711 A-law', ulaw: 'G.711 µ-law', alaw: 'G.711 A-law', l16: 'L16', twos: 'L16', opus: 'Opus', flac: 'FLAC',
    mjpeg: 'Motion JPEG', mp4v: 'Motion JPEG', av1: 'AV1', av01: 'AV1', vp09: 'VP9',
  }
  return names[codec.toLowerCase().split('.')[0]!] ?? codec
}

/** One decimal unless whole: `2`, `12.5`. */
export const short = (value: number): string => String(Math.round(value * 10) / 10)
