import { describe, expect, it } from 'vitest'
import { areaOf, arrowOf, cornersOf, crossesItself, insertAfter, moveAll, movePoint, nearestEdge, removePoint, squared, startShape, type Points } from '../src/core/shape'
import { History } from '../src/core/undo'

const square: Points = [[0.2, 0.2], [0.6, 0.2], [0.6, 0.6], [0.2, 0.6]]
const line: Points = [[0.5, 0.2], [0.5, 0.8]]
const close = (point: readonly number[], to: readonly number[]) => point.forEach((value, at) => expect(value).toBeCloseTo(to[at]!, 5))

describe('a shape on the picture', () => {
  it('has points that stay in the picture', () => {
    expect(movePoint(square, 1, [1.3, -0.2])[1]).toEqual([1, 0])
    expect(square[1]).toEqual([0.6, 0.2])
  })

  it('moves as a whole only as far as the picture goes, and keeps its form', () => {
    const moved = moveAll(square, 0.9, -0.9)
    close(moved[0]!, [0.6, 0])
    expect(areaOf(moved)).toBeCloseTo(areaOf(square), 4)
  })

  it('gets a corner where an edge is clicked', () => {
    const { edge, on } = nearestEdge(square, [0.62, 0.4], true, 16 / 9)
    expect(edge).toBe(1)
    close(on, [0.6, 0.4])
    close(insertAfter(square, edge, true, on)[2]!, [0.6, 0.4])
    expect(nearestEdge(square, [0.1, 0.4], true, 1).edge).toBe(3)
    expect(nearestEdge([[0, 0], [1, 0], [1, 1]], [0, 0.5], false, 1).edge).toBe(0)
  })

  it('gets one in the middle of an edge by key, and a line one more at its end', () => {
    close(insertAfter(square, 3, true)[4]!, [0.2, 0.4])
    close(insertAfter(line, 1, false)[2]!, [0.55, 0.8])
  })

  it('never loses so many points that it is none', () => {
    expect(removePoint(square, 0, true)).toHaveLength(3)
    expect(removePoint(square.slice(1), 0, true)).toHaveLength(3)
    expect(removePoint(line, 0, false)).toHaveLength(2)
  })

  it('knows when its edges cross', () => {
    expect(crossesItself(square)).toBe(false)
    expect(crossesItself([[0.2, 0.2], [0.6, 0.6], [0.6, 0.2], [0.2, 0.6]])).toBe(true)
    expect(crossesItself([[0, 0], [1, 0], [0.5, 0.4], [1, 1], [0, 1]])).toBe(false)
  })

  it('that is a line points to the right as one looks along it', () => {
    // Looking down the picture, the right hand is at its left edge.
    close(arrowOf(line, 0.1, 16 / 9).to, [0.5 - 0.1 / (16 / 9), 0.5])
    close(arrowOf([...line].reverse(), 0.1, 1).to, [0.6, 0.5])
    close(arrowOf([[0.2, 0.5], [0.8, 0.5]], 0.1, 1).to, [0.5, 0.6])
  })

  it('that is a box stays one when a corner is moved, even past the one opposite', () => {
    const box = cornersOf(0.2, 0.2, 0.6, 0.6)
    expect(squared(box, movePoint(box, 1, [0.8, 0.1]))).toEqual(cornersOf(0.2, 0.1, 0.8, 0.6))
    expect(squared(box, movePoint(box, 0, [0.7, 0.9]))).toEqual(cornersOf(0.6, 0.6, 0.7, 0.9))
    const moved = moveAll(box, 0.1, 0)
    expect(squared(box, moved)).toEqual(moved)
  })

  it('begins inside the picture, however many there are', () => {
    for (let others = 0; others < 12; others++) for (const point of [...startShape(false, others), ...startShape(true, others)].flat()) expect(point).toBeLessThan(1)
  })
})

describe('undo', () => {
  it('goes back and forth, and forgets the future when something new is done', () => {
    const history = new History(0)
    history.push(1)
    history.push(2)
    expect([history.undo(), history.undo(), history.undo(), history.redo()]).toEqual([1, 0, 0, 1])
    history.push(9)
    expect([history.canRedo, history.redo(), history.undo(), history.undo()]).toEqual([false, 9, 1, 0])
  })

  it('takes a drag as one step', () => {
    const history = new History(0)
    history.push(1)
    for (let at = 2; at < 30; at++) history.push(at, true)
    expect([history.present, history.undo(), history.canUndo]).toEqual([29, 0, false])
  })

  it('is fifty deep', () => {
    const history = new History(0)
    for (let at = 1; at <= 80; at++) history.push(at)
    let steps = 0
    while (history.canUndo) { history.undo(); steps++ }
    expect([steps, history.present]).toEqual([50, 30])
  })
})
