import { t, tOr } from '../core/text'
import type { EventDetail } from '../core/types'

/** What a rule measured, in a few words: `in, 43 km/h`. */
export function detailWords({ direction, speed_kmh, count, level_db, fault }: EventDetail): string {
  return [
    direction && t(`what.${direction}wards`), speed_kmh !== undefined && `${Math.round(speed_kmh)} km/h`, count !== undefined && `${count}×`,
    level_db !== undefined && `${Math.round(level_db)} dB`, fault && tOr(`what.${fault}`, fault),
  ].filter(Boolean).join(', ')
}
