import type { Look } from './types'

const TOGETHER_MS = 60_000

/**
 * Looks as rows: a page of review cards is many looks at stills within moments, which would drown the others. Those of one
 * user from one place, each within a minute of the one before, become one row that can be unfolded. Newest first in and out.
 */
export function rowsOf(looks: readonly Look[]): Look[][] {
  const rows: Look[][] = []
  for (const look of looks) {
    const row = rows[rows.length - 1]
    const newer = row?.[row.length - 1]
    if (newer && together(newer, look)) row.push(look)
    else rows.push([look])
  }
  return rows
}

const together = (newer: Look, look: Look): boolean =>
  look.action === 'still' && newer.action === 'still' && look.user === newer.user && look.ip === newer.ip &&
  Date.parse(newer.at) - Date.parse(look.at) <= TOGETHER_MS
