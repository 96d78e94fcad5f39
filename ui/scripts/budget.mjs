// Fails when a page grows past its size budget (brotli bytes of script and style it must load).
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

const STATIC = new URL('../../src/beholden/web/static/', import.meta.url).pathname
const ENTRY_KB = 45
const ROUTE_KB = 30
const PLAYBACK_KB = 130

const graph = JSON.parse(readFileSync(new URL('../.cache/graph.json', import.meta.url), 'utf8'))
const size = (file) => statSync(join(STATIC, `${file}.br`)).size

/** All files needed once `file` runs: itself, its static imports, their styles. */
function closure(file, seen = new Set()) {
  if (seen.has(file)) return seen
  seen.add(file)
  const chunk = graph[file]
  if (!chunk) return seen
  for (const css of chunk.css) seen.add(css)
  for (const other of chunk.imports) closure(other, seen)
  return seen
}

const sum = (files) => [...files].reduce((total, file) => total + size(file), 0) / 1024
const entry = Object.keys(graph).find((file) => graph[file].entry)
const shell = closure(entry)
const rows = [['entry', sum(shell), ENTRY_KB]]
for (const [file, chunk] of Object.entries(graph)) {
  if (!chunk.module?.startsWith('pages/')) continue
  const files = closure(file)
  if (chunk.module === 'pages/Playback.svelte') {
    for (const lazy of chunk.dynamic) closure(lazy, files) // hls.js
  }
  const own = [...files].filter((name) => !shell.has(name))
  const limit = chunk.module === 'pages/Playback.svelte' ? PLAYBACK_KB : ROUTE_KB
  rows.push([chunk.module, sum(own), limit])
}
let failed = false
for (const [name, kb, limit] of rows) {
  const over = kb > limit
  failed ||= over
  console.log(`${over ? 'OVER' : 'ok  '} ${name.padEnd(28)} ${kb.toFixed(1).padStart(7)} KB of ${limit} KB br`)
}
process.exit(failed ? 1 : 0)
