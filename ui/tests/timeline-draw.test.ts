import { describe, expect, it } from 'vitest'
import { AXIS_HEIGHT, LANE_HEIGHT, draw, laneAt, sceneHeight, type Palette, type Scene } from '../src/core/timeline-draw'
import { DAY, SiteZone } from '../src/core/time'
import type { Lane } from '../src/core/timeline'

/** A canvas that notes what is painted with which colour. */
function fakeContext() {
  const painted: { style: string; box: number[] }[] = []
  const texts: string[] = []
  const context = {
    fillStyle: '', strokeStyle: '', globalAlpha: 1, font: '', textAlign: '', textBaseline: '', lineWidth: 1,
    fillRect: (...box: number[]) => painted.push({ style: context.fillStyle, box }),
    fillText: (text: string) => texts.push(text), measureText: (text: string) => ({ width: text.length * 7 }),
    clearRect() {}, beginPath() {}, rect() {}, roundRect() {}, clip() {}, fill() {}, save() {}, restore() {}, moveTo() {}, lineTo() {},
    stroke: () => painted.push({ style: context.strokeStyle, box: [] }),
  }
  return { context: context as unknown as CanvasRenderingContext2D, painted, texts }
}

const palette = new Proxy({} as Palette, { get: (_target, name) => String(name) })
const now = Date.parse('2026-11-23T12:00:00Z')
const scene = (over: Partial<Scene> = {}): Scene => ({
  view: { from: now - 3_600_000, to: now }, width: 1000, height: sceneHeight(1), names: new Map([[3, 'Front drive']]), chosen: 3,
  lanes: [{
    camera: 3, spans: [{ start: now - 3_600_000, end: now - 1_800_000 }],
    gaps: [{ start: now - 1_800_000, end: now, cause: 'disk_full', words: '' }],
    marks: [{ id: 1, kind: 'car', start: now - 3_000_000, end: now - 2_990_000 }],
  }],
  cursor: now - 60_000, now, zone: new SiteZone('UTC'), palette, selection: null, hover: null, font: 'x', mono: 'x', ...over,
})

describe('the timeline picture', () => {
  it('shows footage where it is, gaps hatched, events in their colour, and the time of the head', () => {
    const { context, painted, texts } = fakeContext()
    draw(context, scene())
    expect(painted.find(({ style }) => style === 'footageChosen')!.box.slice(0, 3)).toEqual([0, expect.any(Number), 500])
    expect(painted.some(({ style }) => style === 'gap')).toBe(true)
    expect(painted.some(({ style }) => style === 'vehicle')).toBe(true)
    expect(texts).toEqual(expect.arrayContaining(['Front drive', '11:59:00']))
  })

  it('shows a hole that the recording mode wanted as a thin line, not as a fault', () => {
    const { context, painted } = fakeContext()
    const [lane] = scene().lanes
    draw(context, scene({ lanes: [{ ...lane!, gaps: [{ start: now - 1_800_000, end: now, cause: 'rule_off', words: '' }] }] }))
    expect(painted.some(({ style }) => style === 'gap')).toBe(false)
    expect(painted.some(({ style, box }) => style === 'textQuiet' && box[2] === 500 && box[3] === 1)).toBe(true)
  })

  it('paints a month of sixteen busy cameras in bounded work', () => {
    const stretch = (n: number) => ({ start: now - 30 * DAY + n * 60_000, end: now - 30 * DAY + n * 60_000 + 50_000 })
    const lanes: Lane[] = Array.from({ length: 16 }, (_, camera) => ({
      camera, spans: Array.from({ length: 20_000 }, (_, n) => stretch(n * 2)), gaps: Array.from({ length: 20_000 }, (_, n) => ({ ...stretch(n * 2 + 1), cause: '', words: '' })), marks: [],
    }))
    const { context, painted } = fakeContext()
    draw(context, scene({ lanes, view: { from: now - 30 * DAY, to: now } }))
    expect(painted.length).toBeLessThan(16 * 2 * 1000 * 2)
  }, 30_000)

  it('knows the lane under a pointer', () => {
    expect(laneAt(AXIS_HEIGHT - 1, 2)).toBe(-1)
    expect(laneAt(AXIS_HEIGHT + LANE_HEIGHT + 1, 2)).toBe(1)
    expect(laneAt(AXIS_HEIGHT + 2 * LANE_HEIGHT + 1, 2)).toBe(-1)
  })
})
