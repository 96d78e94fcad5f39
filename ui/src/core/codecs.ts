/** What this browser can play, as the server asks it: short names, comma separated. */

const CANDIDATES: readonly [string, string][] = [
  ['avc1', 'video/mp4; codecs="avc1.640028"'],
  ['hvc1', 'video/mp4; codecs="hvc1.1.6.L120.90"'],
  ['av01', 'video/mp4; codecs="av01.0.08M.08"'],
  ['mp4a', 'audio/mp4; codecs="mp4a.40.2"'],
  ['opus', 'audio/mp4; codecs="opus"'],
  ['flac', 'audio/mp4; codecs="flac"'],
]

type Support = { isTypeSupported(mime: string): boolean }

/** The MediaSource of this browser; iPhones have only the managed one. */
export function mediaSource(): (typeof MediaSource & Support) | undefined {
  const scope = globalThis as { MediaSource?: typeof MediaSource; ManagedMediaSource?: typeof MediaSource }
  return scope.MediaSource ?? scope.ManagedMediaSource
}

/** E.g. `avc1,av01,mp4a,opus,flac`; empty when the browser has no MediaSource at all. */
export function supportedCodecs(support: Support | undefined = mediaSource()): string {
  if (!support) return ''
  return CANDIDATES.filter(([, mime]) => support.isTypeSupported(mime)).map(([name]) => name).join(',')
}
