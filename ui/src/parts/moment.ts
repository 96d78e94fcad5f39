import { queryText } from '../core/api'
import type { EventItem } from '../core/types'

/** Playback opens a little before what it is about, so that the eye is ready. */
export const LEAD_MS = 2000

/** The playback view of a camera at an instant (epoch ms). */
export const playbackUrl = (camera: number, at: number): string =>
  `/playback${queryText({ camera, at: new Date(at).toISOString() })}`

/** The playback view of an event's beginning. */
export const momentUrl = (event: Pick<EventItem, 'camera' | 'start'>): string =>
  playbackUrl(event.camera, Date.parse(event.start) - LEAD_MS)
