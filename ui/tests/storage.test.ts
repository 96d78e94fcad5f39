import { describe, expect, it } from 'vitest'
import { gapsOf, newVolume, volumeDraft, volumeValues } from '../src/core/storage'
import type { TimelineAnswer, Volume } from '../src/core/types'

const now = Date.parse('2026-11-23T12:00:00Z')
const gap = (start: string, end: string | null, cause = 'camera_lost') => ({ start, end, cause, words: '' })
const lane = (camera: number, gaps: ReturnType<typeof gap>[]) => ({ camera, spans: [], gaps, events: [] })

describe('the list of holes', () => {
  const answer: TimelineAnswer = {
    from: '', to: '', lanes: [
      lane(1, [gap('2026-11-23T10:00:00Z', '2026-11-23T10:01:00Z'), gap('2026-11-23T11:00:00Z', null, 'rule_off')]),
      lane(2, [gap('2026-11-23T10:30:00Z', null, 'disk_full')]),
    ],
  }
  it('is newest first over all cameras, an open one lasting until now, without those somebody wanted', () => {
    expect(gapsOf(answer, now, false).map(({ camera, cause, end }) => [camera, cause, end])).toEqual([
      [2, 'disk_full', now], [1, 'camera_lost', Date.parse('2026-11-23T10:01:00Z')],
    ])
  })
  it('has those too when asked', () => expect(gapsOf(answer, now, true)[0]).toMatchObject({ camera: 1, cause: 'rule_off' }))
})

describe('a storage directory', () => {
  const volume = { id: 2, path: '/mnt/slow', tier: 2, floor_bytes: 5e9, limit_bytes: null, move_after_days: null, sync_seconds: 0.5 } as Volume
  it('is sent only where it was changed', () => {
    const before = volumeValues(volume)
    expect(volumeDraft(before, before)).toEqual({})
    expect(volumeDraft({ ...before, limitGb: 1.5, first: true }, before)).toEqual({ limit_bytes: 1_500_000_000, tier: 0 })
    expect(volumeDraft({ ...before, first: false, moveAfterDays: 3 }, before)).toEqual({ move_after_days: 3 })
  })
  it('is sent whole when it is new', () => {
    expect(volumeDraft(newVolume(), null)).toEqual({ tier: 1, floor_bytes: 2_000_000_000, limit_bytes: null, move_after_days: null, sync_seconds: 0.5 })
  })
})
