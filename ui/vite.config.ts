/// <reference types="vitest/config" />
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'
import { precompress } from './scripts/precompress.ts'

const backend = process.env.BEHOLDEN_BACKEND ?? 'http://127.0.0.1:8799'

export default defineConfig({
  plugins: [svelte(), precompress()],
  build: {
    outDir: '../src/beholden/web/static',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0, // every asset is a file with a hash: nothing needs `data:` in the CSP
    modulePreload: { polyfill: false },
  },
  server: {
    host: '127.0.0.1',
    proxy: {
      '/api': backend,
      '/media': backend,
      '/healthz': backend,
      '/ws': { target: backend, ws: true },
    },
  },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
})
