import { areaOf, crossesItself, type Point, type Points } from './shape'
import type { Ground, Place, PlaceKind } from './types'

/** A place as it is being drawn; `id` is null until it is saved. `key` names it on the page. */
export interface Drawn {
  key: string
  id: number | null
  rev: number
  kind: PlaceKind
  name: string
  points: Points
}

export const PLACE_KINDS: readonly PlaceKind[] = ['zone', 'line', 'privacy', 'motion']
const LEAST_AREA = 0.0001
const MOST_NAME = 200

export const isClosed = (kind: PlaceKind): boolean => kind !== 'line'

export const drawnOf = (places: readonly Place[]): Drawn[] =>
  places.map(({ id, rev, kind, name, points }) => ({ key: `p${id}`, id, rev, kind, name, points }))

/** What is wrong with a place before the server says so, or null. */
export function placeFault(place: Drawn, all: readonly Drawn[]): 'no_name' | 'name_taken' | 'crosses' | 'too_small' | null {
  const name = place.name.trim()
  if (!name || name.length > MOST_NAME) return 'no_name'
  if (all.some((other) => other !== place && other.name.trim().toLowerCase() === name.toLowerCase())) return 'name_taken'
  if (!isClosed(place.kind)) return null
  if (crossesItself(place.points)) return 'crosses'
  return areaOf(place.points) < LEAST_AREA ? 'too_small' : null
}

/** A name nobody has yet: `Zone 2`. */
export function freshName(word: string, all: readonly Drawn[]): string {
  for (let number = 1; ; number++) {
    const name = `${word} ${number}`
    if (!all.some((place) => place.name.toLowerCase() === name.toLowerCase())) return name
  }
}

export interface PlaceChanges {
  added: Drawn[]
  changed: { place: Drawn; name?: string; points?: Points }[]
  removed: Drawn[]
}

/** What has to be sent to come from what is stored to what is drawn. */
export function changesOf(stored: readonly Drawn[], drawn: readonly Drawn[]): PlaceChanges {
  const changed = drawn.flatMap((place) => {
    const before = stored.find((other) => other.id === place.id && place.id !== null)
    if (!before) return []
    const change = {
      ...(before.name !== place.name ? { name: place.name } : {}), ...(samePoints(before.points, place.points) ? {} : { points: place.points }),
    }
    return Object.keys(change).length ? [{ place, ...change }] : []
  })
  return {
    added: drawn.filter((place) => place.id === null), changed,
    removed: stored.filter((before) => !drawn.some((place) => place.id === before.id)),
  }
}

export const samePoints = (one: Points, other: Points): boolean =>
  one.length === other.length && one.every(([x, y], at) => x === other[at]![0] && y === other[at]![1])

/** The ground as a person measures it: four corners of a rectangle lying on it, near left first, round to far left. */
export interface MeasuredGround {
  points: Points
  width: number | null
  depth: number | null
}

export const startGround = (): MeasuredGround => ({ points: [[0.25, 0.85], [0.75, 0.85], [0.65, 0.55], [0.35, 0.55]], width: null, depth: null })

export const metresOf = (width: number, depth: number): Point[] => [[0, 0], [width, 0], [width, depth], [0, depth]]

/** The stored ground, if it is such a rectangle; another (set by command) has no width and depth to show. */
export function groundOf(ground: Pick<Ground, 'points' | 'metres'> | null): MeasuredGround | null {
  if (!ground) return null
  const [, near, far] = ground.metres
  const [width, depth] = [near![0]!, far![1]!]
  const rectangle = JSON.stringify(ground.metres) === JSON.stringify(metresOf(width, depth))
  return { points: ground.points, width: rectangle ? width : null, depth: rectangle ? depth : null }
}
