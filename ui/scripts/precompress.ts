import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import type { Plugin } from 'vite'

const TEXT = /\.(js|css|html|svg|json|webmanifest)$/

/** Which chunk loads which, for the size budget; kept out of what is served. */
export interface ChunkGraph {
  [file: string]: { entry: boolean; module: string | null; imports: string[]; dynamic: string[]; css: string[] }
}

/**
 * Writes `.br` and `.gz` beside every text file of the build, so that the server never compresses,
 * and the chunk graph to `.cache/graph.json` for `npm run budget`.
 */
export function precompress(): Plugin {
  let outDir = ''
  let graph: ChunkGraph = {}
  return {
    name: 'precompress',
    apply: 'build',
    configResolved(config) {
      outDir = join(config.root, config.build.outDir)
    },
    generateBundle(_options, bundle) {
      graph = {}
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue
        graph[chunk.fileName] = {
          entry: chunk.isEntry,
          module: chunk.facadeModuleId?.replace(/^.*\/src\//, '') ?? null,
          imports: chunk.imports,
          dynamic: chunk.dynamicImports,
          css: [...(chunk.viteMetadata?.importedCss ?? [])],
        }
      }
    },
    closeBundle() {
      for (const name of readdirSync(outDir, { recursive: true, encoding: 'utf8' })) {
        const path = join(outDir, name)
        if (TEXT.test(name) && statSync(path).isFile()) compress(path)
      }
      mkdirSync('.cache', { recursive: true })
      writeFileSync('.cache/graph.json', JSON.stringify(graph, null, 1))
    },
  }
}

function compress(path: string): void {
  const raw = readFileSync(path)
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: raw.length,
  }
  writeFileSync(`${path}.br`, brotliCompressSync(raw, { params }))
  writeFileSync(`${path}.gz`, gzipSync(raw, { level: 9 }))
}
