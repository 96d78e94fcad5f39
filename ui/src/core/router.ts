/** Every view is a URL. This file maps paths to pages; it knows nothing of the DOM. */

export type PageName =
  | 'sign-in' | 'live' | 'camera' | 'playback' | 'review' | 'cameras' | 'camera-form' | 'insights' | 'health' | 'storage'
  | 'looks' | 'places' | 'rules' | 'rule-form'
  | 'settings' | 'not-found'

export interface Route {
  page: PageName
  /** The camera or rule named in the path, if any. */
  id: number | null
  path: string
  query: URLSearchParams
}

const PATHS: readonly [RegExp, PageName][] = [
  [/^\/sign-in$/, 'sign-in'],
  [/^\/(?:live)?$/, 'live'],
  [/^\/live\/(\d+)$/, 'camera'],
  [/^\/playback$/, 'playback'],
  [/^\/review$/, 'review'],
  [/^\/cameras$/, 'cameras'],
  [/^\/cameras\/new$/, 'camera-form'],
  [/^\/cameras\/(\d+)$/, 'camera-form'],
  [/^\/insights$/, 'insights'],
  [/^\/cameras\/(\d+)\/places$/, 'places'],
  [/^\/rules$/, 'rules'],
  [/^\/rules\/new$/, 'rule-form'],
  [/^\/rules\/(\d+)$/, 'rule-form'],
  [/^\/health$/, 'health'],
  [/^\/storage$/, 'storage'],
  [/^\/looks$/, 'looks'],
  [/^\/settings$/, 'settings'],
]

/** The page a URL (path with optional query) names. */
export function match(url: string): Route {
  const [rawPath = '/', rest = ''] = url.split('#')[0]!.split('?')
  const path = rawPath.length > 1 ? rawPath.replace(/\/+$/, '') : rawPath
  const query = new URLSearchParams(rest)
  for (const [pattern, page] of PATHS) {
    const found = pattern.exec(path)
    if (found) return { page, id: found[1] ? Number(found[1]) : null, path, query }
  }
  return { page: 'not-found', id: null, path, query }
}

/** Where to go after sign-in: a path of this site, never another host (`//host`, `/\host`). */
export function safeNext(next: string | null): string {
  return next && /^\/(?![/\\])/.test(next) && !next.startsWith('/sign-in') ? next : '/live'
}
