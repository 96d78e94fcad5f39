import { ServerClock } from './clock'
import type { Points } from './shape'
import { t } from './text'
import type {
  Backtest, BacktestHit, Camera, CameraDraft, CameraTest, CardRow, CountsAnswer, DownloadPart, EventItem, EventsAnswer, Ground,
  HealthAnswer, HeatAnswer, Hold, Look, MotionAnswer, OwnSession, Place, PlaceKind, PlacesAnswer, PlaybackAnswer, Rule,
  RuleDraft, SessionAnswer, Site, SiteMode, StreamName, TimelineAnswer, Transport, User, Volume, VolumeSettings,
} from './types'

/** An answer that is not a success: what happened and the next step, in the server's own words. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly nextStep = '',
  ) {
    super(message)
  }
}

/** Query values; lists repeat the name, null and undefined are left out. */
export type Query = Record<string, string | number | boolean | null | undefined | readonly (string | number)[]>

/** `?a=1&b=2` of the given values, or an empty text. */
export function queryText(query: Query): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === '') continue
    if (typeof value === 'object') for (const one of value) params.append(name, String(one))
    else params.set(name, String(value))
  }
  const text = params.toString()
  return text && `?${text}`
}

type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** The typed client. `fetch` is a seam for tests; `onSignedOut` hears of every 401 outside sign-in. */
export class Api {
  readonly clock = new ServerClock()
  onSignedOut: () => void = () => {}

  constructor(private readonly fetch: Fetch = (url, init) => globalThis.fetch(url, init)) {}

  session = () => this.send<SessionAnswer>('GET', '/api/v1/session')
  signIn = (username: string, password: string) =>
    this.send<{ user: User }>('POST', '/api/v1/session', { username, password })
  signInByToken = (token: string) => this.send<{ user: User }>('POST', '/api/v1/session', { token })
  signOut = () => this.send<void>('DELETE', '/api/v1/session')
  sessions = () => this.send<{ sessions: OwnSession[] }>('GET', '/api/v1/sessions')
  revoke = (id: string) => this.send<void>('DELETE', `/api/v1/sessions/${encodeURIComponent(id)}`)
  setPassword = (next: string, current?: string) =>
    this.send<void>('PUT', '/api/v1/password', current === undefined ? { new: next } : { current, new: next })
  setSite = (site: Site) => this.send<Site>('PUT', '/api/v1/site', site)

  cameras = () => this.send<{ cameras: Camera[] }>('GET', '/api/v1/cameras')
  addCamera = (draft: CameraDraft) => this.send<Camera>('POST', '/api/v1/cameras', draft)
  changeCamera = (id: number, draft: CameraDraft) => this.send<Camera>('PATCH', `/api/v1/cameras/${id}`, draft)
  removeCamera = (id: number, footage: 'keep' | 'delete') =>
    this.send<void>('DELETE', `/api/v1/cameras/${id}${queryText({ footage })}`)
  testCamera = (
    what: ({ url: string; username?: string; password?: string } | { camera: number; stream: StreamName }) & { transport?: Transport; certificate?: string },
    signal?: AbortSignal,
  ) => this.send<CameraTest>('POST', '/api/v1/cameras/test', what, signal)

  timeline = (query: { camera: readonly number[]; from: string; to: string }, signal?: AbortSignal) =>
    this.send<TimelineAnswer>('GET', `/api/v1/timeline${queryText(query)}`, undefined, signal)
  playback = (camera: number, query: { from: string; to: string; codecs: string }, signal?: AbortSignal) =>
    this.send<PlaybackAnswer>('GET', `/api/v1/cameras/${camera}/playback${queryText(query)}`, undefined, signal)

  downloads = (camera: number, query: { from: string; to: string }, signal?: AbortSignal) =>
    this.send<{ parts: DownloadPart[] }>('GET', `/media/cameras/${camera}/downloads${queryText(query)}`, undefined, signal)

  motion = (camera: number, query: Query, signal?: AbortSignal) =>
    this.send<MotionAnswer>('GET', `/api/v1/cameras/${camera}/motion${queryText(query)}`, undefined, signal)
  counts = (query: Query, signal?: AbortSignal) =>
    this.send<CountsAnswer>('GET', `/api/v1/counts${queryText(query)}`, undefined, signal)
  motionHeat = (camera: number, query: Query, signal?: AbortSignal) =>
    this.send<HeatAnswer>('GET', `/api/v1/cameras/${camera}/motion/heat${queryText(query)}`, undefined, signal)

  events = (query: Query, signal?: AbortSignal) =>
    this.send<EventsAnswer>('GET', `/api/v1/events${queryText(query)}`, undefined, signal)
  event = (id: number) => this.send<EventItem>('GET', `/api/v1/events/${id}`)
  setReviewed = (what: { ids: number[] } | { until: string }, reviewed: boolean) =>
    this.send<unknown>('POST', '/api/v1/events/reviewed', { ...what, reviewed })

  places = (camera: number) => this.send<PlacesAnswer>('GET', `/api/v1/cameras/${camera}/places`)
  addPlace = (camera: number, what: { kind: PlaceKind; name: string; points: Points }) => this.send<Place>('POST', `/api/v1/cameras/${camera}/places`, what)
  changePlace = (id: number, what: { name?: string; points?: Points; rev?: number }) => this.send<Place>('PATCH', `/api/v1/places/${id}`, what)
  removePlace = (id: number) => this.send<void>('DELETE', `/api/v1/places/${id}`)
  setGround = (camera: number, what: { points: Points; metres: Points }) => this.send<{ ground: Ground }>('PUT', `/api/v1/cameras/${camera}/ground`, what)
  removeGround = (camera: number) => this.send<void>('DELETE', `/api/v1/cameras/${camera}/ground`)

  rules = (camera?: number | null) => this.send<{ rules: Rule[] }>('GET', `/api/v1/rules${queryText({ camera })}`)
  rule = (id: number) => this.send<Rule>('GET', `/api/v1/rules/${id}`)
  addRule = (camera: number, draft: RuleDraft) => this.send<Rule>('POST', `/api/v1/cameras/${camera}/rules`, draft)
  changeRule = (id: number, what: Partial<RuleDraft> & { enabled?: boolean; untested?: boolean; rev?: number }) => this.send<Rule>('PATCH', `/api/v1/rules/${id}`, what)
  removeRule = (id: number) => this.send<void>('DELETE', `/api/v1/rules/${id}`)

  addBacktest = (what: { camera: number; from: string; to: string; rule: number | RuleDraft }) => this.send<Backtest>('POST', '/api/v1/backtests', what)
  backtests = (query: { camera?: number; rule?: number; limit?: number }) => this.send<{ backtests: Backtest[] }>('GET', `/api/v1/backtests${queryText(query)}`)
  backtest = (id: number) => this.send<Backtest>('GET', `/api/v1/backtests/${id}`)
  backtestHits = (id: number) => this.send<{ events: BacktestHit[]; next: number | null }>('GET', `/api/v1/backtests/${id}/events`)
  cancelBacktest = (id: number) => this.send<Backtest>('POST', `/api/v1/backtests/${id}/cancel`, {})

  setVerdict = (event: number, verdict: 'right' | 'wrong' | null) =>
    verdict ? this.send<EventItem>('PUT', `/api/v1/events/${event}/verdict`, { verdict }) : this.send<void>('DELETE', `/api/v1/events/${event}/verdict`)
  card = (camera: number) => this.send<{ rows: CardRow[] }>('GET', `/api/v1/cameras/${camera}/card`)
  addMissed = (camera: number, what: { at: string; kind: string; box: NonNullable<EventItem['box']> }) => this.send<{ id: number }>('POST', `/api/v1/cameras/${camera}/missed`, what)

  siteMode = () => this.send<{ mode: SiteMode; since: string | null }>('GET', '/api/v1/site/mode')
  setSiteMode = (mode: SiteMode) => this.send<{ mode: SiteMode; since: string | null }>('PUT', '/api/v1/site/mode', { mode })

  health = () => this.send<HealthAnswer>('GET', '/api/v1/health')
  volumes = () => this.send<{ volumes: Volume[] }>('GET', '/api/v1/volumes')
  addVolume = (what: { path: string; adopt?: boolean } & Partial<VolumeSettings>) => this.send<Volume>('POST', '/api/v1/volumes', what)
  changeVolume = (id: number, what: Partial<VolumeSettings>) => this.send<Volume>('PATCH', `/api/v1/volumes/${id}`, what)
  confirmVolume = (id: number, question: 'missing' | 'deletion') =>
    this.send<void>('POST', `/api/v1/volumes/${id}/confirm`, { question })
  holds = (released: boolean) => this.send<{ holds: Hold[] }>('GET', `/api/v1/holds${queryText({ released: released || null })}`)
  addHold = (what: { camera: number | null; from: string; to: string; reason: string }) => this.send<Hold>('POST', '/api/v1/holds', what)
  releaseHold = (id: number) => this.send<Hold>('POST', `/api/v1/holds/${id}/release`, {})
  looks = (query: { before?: number | null; limit?: number }) =>
    this.send<{ looks: Look[]; next: number | null }>('GET', `/api/v1/looks${queryText(query)}`)

  private async send<T>(method: string, url: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    const headers: Record<string, string> = { Accept: 'application/json' }
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    const init: RequestInit = { method, headers, credentials: 'same-origin', cache: 'no-store' }
    if (body !== undefined) init.body = JSON.stringify(body)
    if (signal) init.signal = signal
    const answer = await this.reach(url, init)
    if (!answer.ok) throw await this.refusal(answer, method, url)
    if (answer.status === 204) return undefined as T
    const text = await answer.text()
    return (text ? JSON.parse(text) : undefined) as T
  }

  private async reach(url: string, init: RequestInit): Promise<Response> {
    const sent = Date.now()
    try {
      const answer = await this.fetch(url, init)
      this.clock.hear(sent, Date.now(), answer.headers.get('date'))
      return answer
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') throw error
      throw new ApiError(0, 'unreachable', t('api.unreachable'), t('api.unreachable_next'))
    }
  }

  private async refusal(answer: Response, method: string, url: string): Promise<ApiError> {
    const told = (await answer.json().catch(() => null)) as { error?: { code?: string; message?: string; next_step?: string } } | null
    const error = told?.error
    const signingIn = url === '/api/v1/session' && method === 'POST'
    if (answer.status === 401 && !signingIn) this.onSignedOut()
    return new ApiError(
      answer.status,
      error?.code ?? `http_${answer.status}`,
      error?.message ?? t('api.unexplained', { status: answer.status }),
      error?.next_step ?? '',
    )
  }
}
