import { LaneCache } from '../core/lanes'
import { toRfc3339 } from '../core/time'
import type { Lane, View } from '../core/timeline'
import { api } from './server'
import { session } from './session.svelte'

/** The lanes of one timeline on screen. */
export class LaneFeed {
  lanes = $state.raw<Lane[]>([])
  failure = $state.raw<Error | null>(null)
  private cache: LaneCache

  constructor() {
    this.cache = new LaneCache(
      (camera, from, to, signal) => api.timeline({ camera, from: toRfc3339(from), to: toRfc3339(to) }, signal),
      () => api.clock.now(),
      () => {
        this.lanes = this.cache.lanes
        this.failure = this.cache.failure
      },
    )
  }

  get zone() {
    return session.zone
  }

  want(cameras: readonly number[], view: View): void {
    this.cache.want(cameras, view)
  }

  stop(): void {
    this.cache.stop()
  }
}
