import { isMeant, lanesOf, type Gap } from './timeline'
import type { TimelineAnswer, Volume, VolumeSettings } from './types'

const GB = 1_000_000_000

/** A hole in one camera's footage. */
export interface CameraGap extends Gap {
  camera: number
}

/** The holes of a timeline answer, newest first; those that somebody wanted only with `meant`. */
export function gapsOf(answer: TimelineAnswer, now: number, meant: boolean): CameraGap[] {
  return lanesOf(answer, now)
    .flatMap((lane) => lane.gaps.map((gap) => ({ ...gap, camera: lane.camera })))
    .filter((gap) => meant || !isMeant(gap))
    .sort((a, b) => b.start - a.start || a.camera - b.camera)
}

/** A storage directory as a person sets it: sizes in GB, null for an empty field. */
export interface VolumeValues {
  path: string
  adopt: boolean
  /** Recorders write here. */
  first: boolean
  tier: number
  floorGb: number | null
  limitGb: number | null
  moveAfterDays: number | null
  syncSeconds: number | null
}

export const newVolume = (): VolumeValues => ({
  path: '', adopt: false, first: false, tier: 1, floorGb: 2, limitGb: null, moveAfterDays: null, syncSeconds: 0.5,
})

export const volumeValues = (volume: Volume): VolumeValues => ({
  path: volume.path, adopt: false, first: volume.tier === 0, tier: Math.max(1, volume.tier), floorGb: volume.floor_bytes / GB,
  limitGb: volume.limit_bytes === null ? null : volume.limit_bytes / GB, moveAfterDays: volume.move_after_days, syncSeconds: volume.sync_seconds,
})

/** What to send: only what differs from `before`, for a change. */
export function volumeDraft(values: VolumeValues, before: VolumeValues | null): Partial<VolumeSettings> {
  const now = sent(values)
  if (!before) return now
  const then = sent(before)
  return Object.fromEntries(Object.entries(now).filter(([name, value]) => value !== then[name as keyof VolumeSettings]))
}

function sent(values: VolumeValues): VolumeSettings {
  return {
    tier: values.first ? 0 : values.tier, floor_bytes: Math.round((values.floorGb ?? 0) * GB),
    limit_bytes: values.limitGb === null ? null : Math.round(values.limitGb * GB), move_after_days: values.moveAfterDays,
    sync_seconds: values.syncSeconds ?? 0,
  }
}
