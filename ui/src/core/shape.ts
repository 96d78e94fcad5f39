/** Polygons and lines on a camera's picture: points 0..1 of it, origin top left. Everything returns new points. */

export type Point = readonly [number, number]
export type Points = readonly Point[]

/** `aspect` is width by height of the picture: what is near on it depends on that. */
const near = (a: Point, b: Point, aspect: number) => Math.hypot((a[0] - b[0]) * aspect, a[1] - b[1])

const within = (value: number) => Math.min(1, Math.max(0, Math.round(value * 1e5) / 1e5))

export const clamp = ([x, y]: Point): Point => [within(x), within(y)]

export const movePoint = (points: Points, index: number, to: Point): Points => points.map((point, at) => (at === index ? clamp(to) : point))

/** All points by the same way, as far as none leaves the picture. */
export function moveAll(points: Points, dx: number, dy: number): Points {
  const [xs, ys] = [points.map((point) => point[0]), points.map((point) => point[1])]
  const x = Math.min(1 - Math.max(...xs), Math.max(-Math.min(...xs), dx))
  const y = Math.min(1 - Math.max(...ys), Math.max(-Math.min(...ys), dy))
  return points.map((point) => clamp([point[0] + x, point[1] + y]))
}

/** A point after `index`, in the middle of the edge there unless `at` says where. */
export function insertAfter(points: Points, index: number, closed: boolean, at?: Point): Points {
  const [from, to] = [points[index]!, points[(index + 1) % points.length]!]
  const end = !closed && index === points.length - 1
  const middle: Point = end ? [from[0] + 0.05, from[1]] : [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2]
  return [...points.slice(0, index + 1), clamp(at ?? middle), ...points.slice(index + 1)]
}

/** Without a point, unless too few would be left. */
export function removePoint(points: Points, index: number, closed: boolean): Points {
  return points.length > (closed ? 3 : 2) ? points.filter((_, at) => at !== index) : points
}

/** The edge a click meant: its first point's index and where on it. */
export function nearestEdge(points: Points, at: Point, closed: boolean, aspect: number): { edge: number; on: Point; distance: number } {
  let best = { edge: 0, on: points[0]!, distance: Infinity }
  for (let edge = 0; edge < points.length - (closed ? 0 : 1); edge++) {
    const on = nearestOn(points[edge]!, points[(edge + 1) % points.length]!, at, aspect)
    const distance = near(on, at, aspect)
    if (distance < best.distance) best = { edge, on, distance }
  }
  return best
}

function nearestOn(a: Point, b: Point, at: Point, aspect: number): Point {
  const [dx, dy] = [(b[0] - a[0]) * aspect, b[1] - a[1]]
  const length = dx * dx + dy * dy
  const share = length ? (((at[0] - a[0]) * aspect) * dx + (at[1] - a[1]) * dy) / length : 0
  const kept = Math.min(1, Math.max(0, share))
  return [a[0] + (b[0] - a[0]) * kept, a[1] + (b[1] - a[1]) * kept]
}

const side = (a: Point, b: Point, c: Point) => Math.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))

/** True when two edges of a polygon cross: it has no inside then. */
export function crossesItself(points: Points): boolean {
  const count = points.length
  for (let one = 0; one < count; one++) {
    for (let other = one + 2; other < count; other++) {
      if (one === 0 && other === count - 1) continue
      const [a, b, c, d] = [points[one]!, points[one + 1]!, points[other]!, points[(other + 1) % count]!]
      if (side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0) return true
    }
  }
  return false
}

/** The part of the picture inside a polygon. */
export function areaOf(points: Points): number {
  const twice = points.reduce((sum, [x, y], at) => {
    const [nextX, nextY] = points[(at + 1) % points.length]!
    return sum + x * nextY - nextX * y
  }, 0)
  return Math.abs(twice) / 2
}

/** The middle, for a name: the average of the corners. */
export const middleOf = (points: Points): Point => [
  points.reduce((sum, point) => sum + point[0], 0) / points.length, points.reduce((sum, point) => sum + point[1], 0) / points.length,
]

/**
 * Where the arrow of a line stands and points: in the middle of its middle edge, across it, from left to right as one looks
 * along it from first to last. That is the way *in*. `length` is in parts of the picture's height.
 */
export function arrowOf(points: Points, length: number, aspect: number): { from: Point; to: Point } {
  const edge = Math.floor((points.length - 1) / 2)
  const [a, b] = [points[edge]!, points[edge + 1]!]
  const [dx, dy] = [(b[0] - a[0]) * aspect, b[1] - a[1]]
  const far = Math.hypot(dx, dy) || 1
  const from: Point = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]
  // The picture's y grows downwards: the right of (dx, dy) is (-dy, dx).
  return { from, to: [from[0] + ((-dy / far) * length) / aspect, from[1] + (dx / far) * length] }
}

/** A rectangle or an upright line to begin with, beside others already there. */
export function startShape(line: boolean, others: number): Points {
  const shift = (others % 5) * 0.04
  if (line) return [[0.5 + shift, 0.25], [0.5 + shift, 0.75]]
  return [[0.3 + shift, 0.35 + shift], [0.6 + shift, 0.35 + shift], [0.6 + shift, 0.7 + shift], [0.3 + shift, 0.7 + shift]]
}

/** The four corners of a box, and a box again: a corner that was moved takes its neighbours with it. */
export const cornersOf = (left: number, top: number, right: number, bottom: number): Points => [[left, top], [right, top], [right, bottom], [left, bottom]]

export function squared(before: Points, after: Points): Points {
  const moved = after.findIndex(([x, y], at) => x !== before[at]![0] || y !== before[at]![1])
  const others = after.filter(([x, y], at) => at !== moved && (x !== before[at]![0] || y !== before[at]![1])).length
  if (moved < 0 || others) return after
  const [to, opposite] = [after[moved]!, after[(moved + 2) % 4]!]
  const [left, right] = [Math.min(to[0], opposite[0]), Math.max(to[0], opposite[0])]
  const [top, bottom] = [Math.min(to[1], opposite[1]), Math.max(to[1], opposite[1])]
  return cornersOf(left, top, right, bottom)
}
