/** How tiles fill a wall. */
export interface Packing {
  columns: number
  rows: number
  /** Size of one tile, CSS pixels. */
  width: number
  height: number
}

/**
 * The number of columns that shows `count` tiles of `aspect` (width / height) largest in a box of
 * `width` x `height` pixels with `gap` between them. When even the best would make tiles narrower than
 * `minWidth`, the wall scrolls instead: as many columns as fit at that width.
 */
export function pack(count: number, width: number, height: number, aspect = 16 / 9, gap = 4, minWidth = 200): Packing {
  let best: Packing = { columns: 1, rows: count, width: 0, height: 0 }
  for (let columns = 1; columns <= Math.max(1, count); columns++) {
    const rows = Math.ceil(count / columns) || 1
    const wide = (width - gap * (columns - 1)) / columns
    const fit = Math.min(wide, ((height - gap * (rows - 1)) / rows) * aspect)
    if (fit > best.width) best = { columns, rows, width: Math.floor(fit), height: Math.floor(fit / aspect) }
  }
  const floor = Math.min(minWidth, width)
  return best.width >= floor ? best : scrolling(count, width, aspect, gap, floor)
}

function scrolling(count: number, width: number, aspect: number, gap: number, minWidth: number): Packing {
  const columns = Math.max(1, Math.floor((width + gap) / (minWidth + gap)))
  const wide = Math.floor((width - gap * (columns - 1)) / columns)
  return { columns, rows: Math.ceil(count / columns), width: wide, height: Math.floor(wide / aspect) }
}
