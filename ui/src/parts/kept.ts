import { t } from '../core/text'
import type { SiteZone } from '../core/time'
import type { Camera } from '../core/types'
import { keptAt } from '../core/week'

/** What a person watching would otherwise take for granted, that all of this is kept, where it is not so; else empty. */
export function keptWords(camera: Camera, now: number, zone: SiteZone): string {
  if (!camera.enabled) return ''
  if (!camera.record) return t('tile.not_recorded')
  return { continuous: '', events: t('tile.on_events'), nothing: t('tile.not_now') }[keptAt(camera, now, zone)]
}
