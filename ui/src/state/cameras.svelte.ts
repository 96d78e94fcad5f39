import type { Camera } from '../core/types'
import { api } from './server'

/** The cameras this user may see, kept fresh by the events socket. */
class Cameras {
  list = $state.raw<Camera[]>([])
  loaded = $state(false)
  failure = $state.raw<Error | null>(null)
  names = $derived(new Map(this.list.map((camera) => [camera.id, camera.name])))
  ids = $derived(this.list.map((camera) => camera.id))

  async load(): Promise<void> {
    try {
      const { cameras } = await api.cameras()
      this.list = cameras
      this.failure = null
    } catch (error) {
      this.failure = error as Error
    }
    this.loaded = true
  }

  byId(id: number | null): Camera | undefined {
    return this.list.find((camera) => camera.id === id)
  }

  name(id: number): string {
    return this.names.get(id) ?? `#${id}`
  }

  put(camera: Camera): void {
    const known = this.list.some((other) => other.id === camera.id)
    // A message may carry only what changed.
    this.list = known
      ? this.list.map((other) => (other.id === camera.id ? { ...other, ...camera } : other))
      : [...this.list, camera]
  }

  drop(id: number): void {
    this.list = this.list.filter((camera) => camera.id !== id)
  }
}

export const cameras = new Cameras()
