/** The shapes of the HTTP API (docs/reference/api.md). Times are RFC 3339 texts with zone. */
import type { Points } from './shape'

export type Role = 'admin' | 'viewer'
export type StreamName = 'main' | 'sub'
export type CameraState = 'connecting' | 'live' | 'stalled' | 'offline' | 'refused' | 'unsupported' | 'stopped'
export type ObjectKind = 'person' | 'bicycle' | 'car' | 'motorcycle' | 'bus' | 'truck' | 'animal' | 'bag'
/** A class of object, or what an event is about that is about none. */
export type EventKind = ObjectKind | 'camera' | 'sound'

export const EVENT_KINDS: readonly ObjectKind[] = [
  'person', 'bicycle', 'car', 'motorcycle', 'bus', 'truck', 'animal', 'bag',
]

/** All that an event can be about. */
export const ALL_KINDS: readonly EventKind[] = [...EVENT_KINDS, 'camera', 'sound']

export interface User {
  id: number
  name: string
  role: Role
  must_set_password: boolean
  grants: { camera: number | null; action: string }[]
}

export interface Site {
  name: string
  time_zone: string
}

export interface SessionAnswer {
  user: User | null
  site?: Site | null
  version?: string
}

export interface StreamAddress {
  url: string
  username: string
  has_password: boolean
}

export interface StreamReport {
  state: CameraState
  reason: string | null
  next_step: string | null
  codec: string | null
  audio_codec: string | null
  width: number | null
  height: number | null
  fps: number | null
  gop_seconds: number | null
  kbps: number | null
  lost_packets: number | null
  reconnects: number | null
  clock_offset_ms: number | null
  live_codec: string | null
  /** Live, but by its recording mode nothing is kept now. */
  resting?: boolean | null
  memory_bytes?: number | null
  memory_limit_bytes?: number | null
}

export interface StateReport {
  state: CameraState
  reason: string | null
  next_step: string | null
  since: string | null
  last_fragment: string | null
  fragment_age_seconds: number | null
}

/** A stretch of each week by the wall clock of the site: `weekday` 0 is Monday, `to_minute` (up to 1440) excluded. */
export interface RecordingWindow {
  weekday: number
  from_minute: number
  to_minute: number
  mode: 'continuous' | 'events'
}

export type RecordingMode = 'continuous' | 'events' | 'schedule'
export type Transport = 'auto' | 'tcp' | 'udp'

/** What a camera is told to do, beside its name and addresses. */
export interface CameraSettings {
  record_audio: boolean
  listen: boolean
  detect_main: boolean
  analyse: 'balanced' | 'always' | 'keyframes' | 'off'
  transport: Transport
  /** `verify`, `any`, or `sha256:` with 64 hexadecimal digits; for rtsps alone. */
  certificate: string
  mode: RecordingMode
  pre_seconds: number
  post_seconds: number
  windows: RecordingWindow[]
  keep_days: number
  keep_event_days: number | null
  max_days: number | null
  max_bytes: number | null
  memory_bytes: number | null
}

export interface Camera extends CameraSettings {
  id: number
  name: string
  enabled: boolean
  record: boolean
  main: StreamAddress
  sub: StreamAddress | null
  created: string
  state: StateReport
  streams: { main: StreamReport | null; sub: StreamReport | null }
  analysis: { mode: string; state: string; reason: string | null } | null
  kept: { oldest: string | null; newest: string | null; seconds: number; bytes: number; gaps: number }
}

/** What a person types into the camera form; absent fields stay as they are. */
export interface CameraDraft extends Partial<CameraSettings> {
  name?: string
  url?: string
  sub_url?: string | null
  username?: string
  password?: string
  enabled?: boolean
  record?: boolean
}

export interface CameraTest {
  verdict: 'good' | 'usable' | 'bad'
  sentence: string
  next_step: string | null
  codec: string | null
  width: number | null
  height: number | null
  fps: number | null
  gop_seconds: number | null
  kbps: number | null
  audio_codec: string | null
  transport: string | null
  clock_offset_ms: number | null
  remarks: { level: string; text: string }[]
  still: string | null
}

export type PlaceKind = 'zone' | 'line' | 'privacy' | 'motion'

/** Something drawn on a camera's picture; points 0..1 of it. */
export interface Place {
  id: number
  camera: number
  kind: PlaceKind
  name: string
  points: Points
  rev: number
  changed: string
}

/** Four points of the picture and where they lie on the ground, in metres. */
export interface Ground {
  points: Points
  metres: Points
  rev: number
  changed: string
}

export type RuleKind =
  | 'enter' | 'leave' | 'loiter' | 'cross' | 'occupancy' | 'left' | 'taken' | 'speed' | 'wrong_way' | 'stopped' | 'camera' | 'sound'
export type Severity = 'alert' | 'note'
export type SiteMode = 'armed' | 'home' | 'away'
export const SITE_MODES: readonly SiteMode[] = ['home', 'away', 'armed']
export type Direction = 'in' | 'out' | 'both'

/** What a rule is told, all of it. */
export interface RuleDraft {
  name: string
  kind: RuleKind
  place: number | null
  severity: Severity
  min_seconds: number
  cooldown_seconds: number
  classes: string[]
  min_size: number
  max_size: number
  min_score: number
  schedule: { weekday: number; from_minute: number; to_minute: number }[]
  modes: SiteMode[]
  direction: Direction
  count: number
  speed_kmh: number
  heading: number | null
  faults: string[]
  level_db: number
}

export interface Rule extends RuleDraft {
  id: number
  camera: number
  enabled: boolean
  rev: number
  changed: string
  /** The newest finished back-test of it as it is now. */
  tested: { backtest: number; at: string } | null
}

export interface Backtest {
  id: number
  camera: number
  rule: number | null
  from: string
  to: string
  state: 'queued' | 'running' | 'done' | 'cancelled' | 'failed'
  progress: number
  source: 'boxes' | 'decode' | null
  footage_seconds: number
  work_seconds: number
  found: number
  reason: string
  created: string
  ended: string | null
  /** What people marked in that time, and how much of it the test reports; null until done. */
  marks?: {
    right: { marked: number; reported: number }
    wrong: { marked: number; reported: number }
    missed: { marked: number; reported: number }
    unmarked: number
  } | null
}

export interface BacktestHit {
  seq: number
  kind: EventKind
  start: string
  end: string
  score: number
  detail: EventDetail
  event: number | null
  verdict: 'right' | 'wrong' | 'missed' | null
}

/** What a rule measured, as far as it fits. */
export interface EventDetail {
  direction?: 'in' | 'out'
  speed_kmh?: number
  heading?: number
  count?: number
  fault?: string
  level_db?: number
  seconds?: number
}

export interface Share {
  value: number
  low: number
  high: number
  of: number
}

export interface CardRow {
  kind: EventKind
  rule: number | null
  rule_name: string | null
  right: number
  wrong: number
  missed: number
  precision: Share | null
  recall: Share | null
}

export interface PlacesAnswer {
  places: Place[]
  ground: Ground | null
}

export interface TimelineEvent {
  id: number
  kind: EventKind
  start: string
  end: string | null
}

export interface TimelineAnswer {
  from: string
  to: string
  lanes: {
    camera: number
    spans: { start: string; end: string }[]
    gaps: { start: string; end: string | null; cause: string; words: string }[]
    events: TimelineEvent[]
  }[]
}

export interface PlaybackAnswer {
  playlist: string
  from: string
  to: string
  video: string | null
  audio: string | null
  spans: { start: string; end: string }[]
}

/** One file of a download: a stretch whose pictures are of one codec. */
export interface DownloadPart {
  from: string
  to: string
  codec: string
  url: string
}

export interface EventItem {
  id: number
  camera: number
  kind: EventKind
  start: string
  end: string | null
  score: number
  box: { left: number; top: number; right: number; bottom: number } | null
  has_still: boolean
  reviewed: boolean
  /** The rule that asked for it, what it was of, and where; null when an object was simply in view. */
  rule: number | null
  what: RuleKind | null
  place: number | null
  severity: Severity
  detail: EventDetail
  verdict: 'right' | 'wrong' | null
}

export interface EventsAnswer {
  events: EventItem[]
  next: number | null
  unreviewed: number
}

export type HealthStatus = 'ok' | 'degraded' | string

export interface HealthAnswer {
  status: HealthStatus
  problems: { level: 'alarm' | 'warning'; sentence: string; next_step: string; camera: number | null }[]
  storage: Volume[]
  roles: {
    role: string
    shard: number | null
    state: string
    pid: number | null
    cpu_percent: number | null
    memory_bytes: number | null
    started: string | null
    restarts: number
    note: string
  }[]
  cameras: {
    camera: number
    name: string
    state: CameraState
    last_fragment: string | null
    kept_seconds: number
    bytes: number
    gaps: number
    kbps: number | null
    keep_days: number
    kept_days_forecast: number | null
    /** When footage first goes before its days are over; null when all fits, or too little is known. */
    promise_breaks: string | null
  }[]
  detector: { name?: string; backend?: string; milliseconds?: number | null } | null
}

/** A storage directory. Recorders write to tier 0; what is older than `move_after_days` moves to the next tier. */
export interface Volume extends VolumeSettings {
  id: number
  path: string
  total_bytes: number
  free_bytes: number
  footage_bytes: number
  state: string
  reason: string | null
  next_step: string | null
  kept_days_forecast: number | null
  full_in_days: number | null
}

export interface VolumeSettings {
  tier: number
  floor_bytes: number
  limit_bytes: number | null
  move_after_days: number | null
  sync_seconds: number
}

/** A range that nothing may delete; `camera` null means every camera. */
export interface Hold {
  id: number
  camera: number | null
  from: string
  to: string
  reason: string
  created: string
  created_by: string
  released: string | null
  released_by: string | null
}

export interface Look {
  id: number
  at: string
  user: string
  camera: number | null
  action: string
  from: string | null
  to: string | null
  what: string | null
  ip: string | null
}

export interface OwnSession {
  id: string
  created: string
  last_seen: string
  ip: string | null
  agent: string | null
  current: boolean
}

export type News =
  | { kind: 'event'; phase: 'start' | 'update' | 'end'; event: EventItem }
  | { kind: 'camera'; camera: Camera }
  | { kind: 'health'; status: HealthStatus }

/** A part of a picture, 0..1 of its width and height. */
export interface Rectangle {
  left: number
  top: number
  right: number
  bottom: number
}

export interface MotionStretch {
  start: string
  end: string
  seconds: number
}

export interface MotionAnswer {
  watched_seconds: number
  total: number
  stretches: MotionStretch[]
}

/** In how many seconds each cell moved, row by row. */
export interface HeatAnswer {
  columns: number
  rows: number
  seconds: number[]
  watched_seconds: number
}

export interface CountsAnswer {
  step: 'hour' | 'day'
  series: { camera: number; kind: string; counts: { at: string; count: number }[] }[]
}
