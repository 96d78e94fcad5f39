import { hoursOf, rulesOf, windowsOf, type WeekRule } from './week'
import type { Camera, CameraDraft, CameraSettings, RecordingMode, Transport } from './types'

const GB = 1_000_000_000
const MB = 1_000_000
export const DEFAULT_KEEP_DAYS = 14

/** The camera form as a person sees it: sizes in GB and MB, null for an empty field, the week as rules. */
export interface CameraValues {
  name: string
  url: string
  subUrl: string
  username: string
  password: string
  keepDays: number | null
  analyse: CameraSettings['analyse']
  recordAudio: boolean
  listen: boolean
  detectMain: boolean
  mode: RecordingMode
  preSeconds: number | null
  postSeconds: number | null
  week: WeekRule[]
  keepEventDays: number | null
  maxDays: number | null
  maxGb: number | null
  memoryMb: number | null
  transport: Transport
  certificate: string
}

/** What a new camera begins with; the same as the API's own defaults. */
export const newCamera = (): CameraValues => ({
  name: '', url: '', subUrl: '', username: '', password: '', keepDays: DEFAULT_KEEP_DAYS, analyse: 'balanced', recordAudio: true, listen: false, detectMain: false,
  mode: 'continuous', preSeconds: 5, postSeconds: 10, week: [], keepEventDays: null, maxDays: null, maxGb: null, memoryMb: null,
  transport: 'auto', certificate: 'verify',
})

export const valuesOf = (camera: Camera): CameraValues => ({
  name: camera.name, url: camera.main.url, subUrl: camera.sub?.url ?? '', username: camera.main.username, password: '',
  keepDays: camera.keep_days, analyse: camera.analyse, recordAudio: camera.record_audio, listen: camera.listen, detectMain: camera.detect_main, mode: camera.mode,
  preSeconds: camera.pre_seconds, postSeconds: camera.post_seconds, week: rulesOf(camera.windows), keepEventDays: camera.keep_event_days,
  maxDays: camera.max_days, maxGb: camera.max_bytes === null ? null : camera.max_bytes / GB,
  memoryMb: camera.memory_bytes === null ? null : camera.memory_bytes / MB, transport: camera.transport, certificate: camera.certificate,
})

/**
 * What to send: everything for a new camera, else only what differs from `before`, so that two people changing different
 * things do not undo each other.
 */
export function draftOf(values: CameraValues, before: CameraValues | null): CameraDraft {
  const now = sent(values)
  if (!before) return { ...now, ...(now.sub_url ? {} : { sub_url: undefined }) }
  const then = sent(before)
  const changed = Object.entries(now).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(then[name as keyof CameraDraft]))
  return Object.fromEntries(changed)
}

function sent(values: CameraValues): CameraDraft {
  return {
    name: values.name.trim(), url: values.url.trim(), sub_url: values.subUrl.trim() || null, username: values.username,
    ...(values.password ? { password: values.password } : {}), record_audio: values.recordAudio, listen: values.listen, analyse: values.analyse, detect_main: values.detectMain,
    keep_days: values.keepDays ?? undefined, mode: values.mode, pre_seconds: values.preSeconds ?? 0, post_seconds: values.postSeconds ?? 0,
    windows: windowsOf(values.week), keep_event_days: values.keepEventDays, max_days: values.maxDays,
    max_bytes: values.maxGb === null ? null : Math.round(values.maxGb * GB),
    memory_bytes: values.memoryMb === null ? null : Math.round(values.memoryMb * MB),
    transport: values.transport, certificate: values.certificate.trim(),
  }
}

/** What contradicts itself before the server has to say so; null when all is well. */
export function faultOf(values: CameraValues): 'no_windows' | 'max_below_keep' | 'max_below_event_keep' | null {
  if (values.mode === 'schedule' && hoursOf(windowsOf(values.week)) === 0) return 'no_windows'
  if (values.maxDays !== null && values.keepDays !== null && values.maxDays < values.keepDays) return 'max_below_keep'
  if (values.maxDays !== null && values.keepEventDays !== null && values.maxDays < values.keepEventDays) return 'max_below_event_keep'
  return null
}
