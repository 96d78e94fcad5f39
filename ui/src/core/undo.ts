/** What was drawn before, so that a slip costs one key. The present is always known; at most `depth` steps back are kept. */
export class History<T> {
  private past: T[] = []
  private future: T[] = []

  constructor(public present: T, private readonly depth = 50) {}

  get canUndo(): boolean {
    return this.past.length > 0
  }

  get canRedo(): boolean {
    return this.future.length > 0
  }

  /** A new present. With `join` it replaces the last step, for a drag or a held key is one step to a person. */
  push(next: T, join = false): void {
    if (!join || !this.past.length) this.past.push(this.present)
    if (this.past.length > this.depth) this.past.shift()
    this.present = next
    this.future = []
  }

  undo(): T {
    const before = this.past.pop()
    if (before === undefined) return this.present
    this.future.push(this.present)
    return (this.present = before)
  }

  redo(): T {
    const after = this.future.pop()
    if (after === undefined) return this.present
    this.past.push(this.present)
    return (this.present = after)
  }
}
