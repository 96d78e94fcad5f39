import type { SiteMode } from '../core/types'
import { api } from './server'

const AGAIN_MS = 30_000

/** What the site is set to. Somebody else may set it, so it is asked for again while a page is open. */
class Mode {
  value = $state<SiteMode | null>(null)
  private timer: ReturnType<typeof setInterval> | undefined

  start(): void {
    if (this.timer) return
    void this.load()
    this.timer = setInterval(() => void this.load(), AGAIN_MS)
  }

  stop(): void {
    clearInterval(this.timer)
    this.timer = undefined
    this.value = null
  }

  async load(): Promise<void> {
    try {
      this.value = (await api.siteMode()).mode
    } catch {
      // The pages say themselves when the server is out of reach.
    }
  }

  async set(mode: SiteMode): Promise<void> {
    this.value = (await api.setSiteMode(mode)).mode
  }
}

export const mode = new Mode()
