import type { SiteZone } from './time'
import { columns, isMeant, ticks, xOf, type Lane, type Stretch, type View } from './timeline'
import type { EventKind } from './types'

/** Colours as the page's tokens say, read once per theme. */
export interface Palette {
  lane: string
  laneChosen: string
  footage: string
  footageChosen: string
  gap: string
  line: string
  text: string
  textQuiet: string
  accent: string
  head: string
  headText: string
  person: string
  vehicle: string
  animal: string
  other: string
}

export interface Scene {
  view: View
  width: number
  height: number
  lanes: readonly Lane[]
  names: ReadonlyMap<number, string>
  chosen: number | null
  cursor: number
  now: number
  zone: SiteZone
  palette: Palette
  /** The stretch marked for download, or null. */
  selection: Stretch | null
  /** The pointer's instant, or null. */
  hover: number | null
  font: string
  mono: string
}

export const AXIS_HEIGHT = 26
export const LANE_HEIGHT = 34
const LANE_GAP = 3
const BAR = 12

/** The lane at a vertical position, or -1 above the first and below the last. */
export function laneAt(y: number, lanes: number): number {
  const index = Math.floor((y - AXIS_HEIGHT) / LANE_HEIGHT)
  return index >= 0 && index < lanes ? index : -1
}

export const sceneHeight = (lanes: number): number => AXIS_HEIGHT + Math.max(1, lanes) * LANE_HEIGHT

const GROUP: Record<EventKind, 'person' | 'vehicle' | 'animal' | 'other'> = {
  person: 'person', bicycle: 'vehicle', car: 'vehicle', motorcycle: 'vehicle', bus: 'vehicle', truck: 'vehicle',
  animal: 'animal', bag: 'other', camera: 'other', sound: 'other',
}

export function draw(ctx: CanvasRenderingContext2D, scene: Scene): void {
  ctx.clearRect(0, 0, scene.width, scene.height)
  drawAxis(ctx, scene)
  scene.lanes.forEach((lane, index) => drawLane(ctx, scene, lane, AXIS_HEIGHT + index * LANE_HEIGHT))
  drawFuture(ctx, scene)
  if (scene.selection) drawSelection(ctx, scene, scene.selection)
  if (scene.hover !== null) drawHover(ctx, scene, scene.hover)
  drawHead(ctx, scene)
}

function drawAxis(ctx: CanvasRenderingContext2D, { view, width, height, zone, palette, font }: Scene): void {
  ctx.font = `11px ${font}`
  ctx.textBaseline = 'middle'
  ctx.textAlign = 'center'
  for (const { ms, label, major } of ticks(view, width, zone)) {
    const x = Math.round(xOf(view, width, ms)) + 0.5
    ctx.fillStyle = palette.line
    ctx.fillRect(x - 0.5, AXIS_HEIGHT - 5, 1, height - AXIS_HEIGHT + 5)
    const half = ctx.measureText(label).width / 2
    if (x < half || x > width - half) continue
    ctx.fillStyle = major ? palette.text : palette.textQuiet
    ctx.fillText(label, x, AXIS_HEIGHT / 2 - 1)
  }
}

function drawLane(ctx: CanvasRenderingContext2D, scene: Scene, lane: Lane, top: number): void {
  const { view, width, palette, now } = scene
  const chosen = lane.camera === scene.chosen
  const height = LANE_HEIGHT - LANE_GAP
  ctx.fillStyle = chosen ? palette.laneChosen : palette.lane
  ctx.fillRect(0, top, Math.min(width, Math.max(0, xOf(view, width, now))), height)
  ctx.fillStyle = chosen ? palette.footageChosen : palette.footage
  const bar = top + height - BAR
  for (const [x, wide] of columns(lane.spans, view, width)) ctx.fillRect(x, bar, wide, BAR)
  // Where nothing was to be recorded nothing is wrong: a thin line says so, and is no cause for alarm.
  ctx.fillStyle = palette.textQuiet
  for (const [x, wide] of columns(lane.gaps.filter(isMeant), view, width)) ctx.fillRect(x, bar + BAR - 1, wide, 1)
  for (const [x, wide] of columns(lane.gaps.filter((gap) => !isMeant(gap)), view, width, 1.5)) hatch(ctx, x, bar, wide, BAR, palette)
  for (const mark of lane.marks) {
    if (mark.end < view.from || mark.start > view.to) continue
    const left = Math.max(0, xOf(view, width, mark.start))
    ctx.fillStyle = palette[GROUP[mark.kind] ?? 'other']
    ctx.fillRect(left, bar - 6, Math.max(3, Math.min(width, xOf(view, width, mark.end)) - left), 5)
  }
  drawName(ctx, scene, scene.names.get(lane.camera) ?? '', top, chosen)
}

function drawName(ctx: CanvasRenderingContext2D, { palette, font }: Scene, name: string, top: number, chosen: boolean): void {
  ctx.font = `${chosen ? '600 ' : ''}11px ${font}`
  ctx.textAlign = 'left'
  ctx.fillStyle = chosen ? palette.text : palette.textQuiet
  ctx.fillText(name, 6, top + 8)
}

function hatch(ctx: CanvasRenderingContext2D, x: number, y: number, width: number, height: number, palette: Palette): void {
  ctx.fillStyle = palette.lane
  ctx.fillRect(x, y, width, height)
  ctx.save()
  ctx.beginPath()
  ctx.rect(x, y, width, height)
  ctx.clip()
  ctx.strokeStyle = palette.gap
  ctx.lineWidth = 1
  ctx.beginPath()
  if (width < 6) {
    ctx.rect(x, y, width, height)
  } else {
    for (let at = Math.floor(x / 6) * 6 - height; at < x + width; at += 6) {
      ctx.moveTo(at, y + height)
      ctx.lineTo(at + height, y)
    }
  }
  ctx.stroke()
  ctx.restore()
}

function drawFuture(ctx: CanvasRenderingContext2D, { view, width, height, now, palette }: Scene): void {
  const x = xOf(view, width, now)
  if (x >= width || x < 0) return
  ctx.fillStyle = palette.accent
  ctx.globalAlpha = 0.6
  ctx.fillRect(Math.round(x), AXIS_HEIGHT, 1, height - AXIS_HEIGHT)
  ctx.globalAlpha = 1
}

function drawSelection(ctx: CanvasRenderingContext2D, { view, width, height, palette }: Scene, selection: Stretch): void {
  const left = xOf(view, width, selection.start)
  const right = xOf(view, width, selection.end)
  ctx.fillStyle = palette.accent
  ctx.globalAlpha = 0.18
  ctx.fillRect(left, AXIS_HEIGHT, right - left, height - AXIS_HEIGHT)
  ctx.globalAlpha = 1
  ctx.fillRect(left, AXIS_HEIGHT, 2, height - AXIS_HEIGHT)
  ctx.fillRect(right - 2, AXIS_HEIGHT, 2, height - AXIS_HEIGHT)
}

function drawHover(ctx: CanvasRenderingContext2D, { view, width, height, palette }: Scene, hover: number): void {
  ctx.fillStyle = palette.textQuiet
  ctx.globalAlpha = 0.5
  ctx.fillRect(Math.round(xOf(view, width, hover)), AXIS_HEIGHT, 1, height - AXIS_HEIGHT)
  ctx.globalAlpha = 1
}

function drawHead(ctx: CanvasRenderingContext2D, { view, width, height, cursor, palette, zone, mono }: Scene): void {
  const x = Math.round(xOf(view, width, cursor))
  if (x < -40 || x > width + 40) return
  ctx.fillStyle = palette.head
  ctx.fillRect(x - 1, 20, 2, height - 20)
  const label = zone.clock(cursor)
  ctx.font = `600 11px ${mono}`
  const wide = ctx.measureText(label).width + 14
  const left = Math.min(width - wide, Math.max(0, x - wide / 2))
  ctx.beginPath()
  ctx.roundRect(left, 3, wide, 19, 9)
  ctx.fill()
  ctx.fillStyle = palette.headText
  ctx.textAlign = 'center'
  ctx.fillText(label, left + wide / 2, 13)
}
