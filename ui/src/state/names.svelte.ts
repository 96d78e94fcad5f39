import { api } from './server'

const AGAIN_MS = 60_000

/** What rules and places are called. Asked for once when the first name is wanted, and again when one is not known. */
class Names {
  private rules = $state.raw<ReadonlyMap<number, string>>(new Map())
  private places = $state.raw<ReadonlyMap<number, string>>(new Map())
  private asked = new Map<string, number>()

  /** The name of a rule, or empty while it is not known. */
  rule(id: number | null): string {
    if (id === null) return ''
    const name = this.rules.get(id)
    if (name === undefined) this.once('rules', async () => {
      this.rules = new Map((await api.rules()).rules.map((rule) => [rule.id, rule.name]))
    })
    return name ?? ''
  }

  /** The name of a place of a camera, or empty while it is not known. */
  place(camera: number, id: number | null): string {
    if (id === null) return ''
    const name = this.places.get(id)
    if (name === undefined) this.once(`places ${camera}`, async () => {
      const { places } = await api.places(camera)
      this.places = new Map([...this.places, ...places.map((place) => [place.id, place.name] as const)])
    })
    return name ?? ''
  }

  private once(what: string, ask: () => Promise<void>): void {
    const now = Date.now()
    if (now - (this.asked.get(what) ?? 0) < AGAIN_MS) return
    this.asked.set(what, now)
    // Not within what is being drawn: the answer changes what it reads.
    queueMicrotask(() => void ask().catch(() => {}))
  }
}

export const names = new Names()
