import { describe, expect, it } from 'vitest'
import { draftOf, faultOf, newCamera, valuesOf } from '../src/core/camera-draft'
import type { Camera } from '../src/core/types'

const camera = {
  id: 3, name: 'Gate', enabled: true, record: true, record_audio: false, listen: false, analyse: 'always', detect_main: false, transport: 'tcp', certificate: 'verify',
  mode: 'schedule', pre_seconds: 8, post_seconds: 20, windows: [{ weekday: 6, from_minute: 1320, to_minute: 1440, mode: 'events' }, { weekday: 0, from_minute: 0, to_minute: 360, mode: 'events' }],
  keep_days: 30, keep_event_days: 90, max_days: null, max_bytes: 250_000_000_000, memory_bytes: 24_000_000,
  main: { url: 'rtsps://cam/1', username: 'viewer', has_password: true }, sub: null,
} as unknown as Camera

describe('a camera form', () => {
  it('sends nothing of a camera that was not touched', () => expect(draftOf(valuesOf(camera), valuesOf(camera))).toEqual({}))

  it('sends only what was changed', () => {
    const values = { ...valuesOf(camera), mode: 'events' as const, maxGb: null, subUrl: ' rtsps://cam/2 ', password: 'secret' }
    expect(draftOf(values, valuesOf(camera))).toEqual({ mode: 'events', max_bytes: null, sub_url: 'rtsps://cam/2', password: 'secret' })
  })

  it('asks for close-ups of the big stream', () => {
    expect(draftOf({ ...valuesOf(camera), detectMain: true }, valuesOf(camera))).toEqual({ detect_main: true })
  })

  it('removes a sub stream whose address is emptied', () => {
    const before = { ...valuesOf(camera), subUrl: 'rtsps://cam/2' }
    expect(draftOf({ ...before, subUrl: '' }, before)).toEqual({ sub_url: null })
  })

  it('sends all of a new one, sizes in bytes, the week as windows', () => {
    const week = [{ days: [true, false, false, false, false, false, false], from: 480, to: 540, mode: 'continuous' as const }]
    const draft = draftOf({ ...newCamera(), name: ' Gate ', url: ' rtsp://x/1 ', maxGb: 1.5, memoryMb: 8, mode: 'schedule', week }, null)
    expect(draft).toMatchObject({
      name: 'Gate', url: 'rtsp://x/1', keep_days: 14, max_bytes: 1_500_000_000, memory_bytes: 8_000_000, mode: 'schedule', keep_event_days: null,
      windows: [{ weekday: 0, from_minute: 480, to_minute: 540, mode: 'continuous' }],
    })
    expect(draft.sub_url).toBeUndefined()
    expect('password' in draft).toBe(false)
  })

  it('says what contradicts itself', () => {
    expect(faultOf(newCamera())).toBeNull()
    expect(faultOf({ ...newCamera(), mode: 'schedule' })).toBe('no_windows')
    expect(faultOf({ ...newCamera(), maxDays: 7 })).toBe('max_below_keep')
    expect(faultOf({ ...newCamera(), keepEventDays: 60, maxDays: 30 })).toBe('max_below_event_keep')
  })
})
