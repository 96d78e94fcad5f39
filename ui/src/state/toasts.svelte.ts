export interface Toast {
  id: number
  text: string
  tone: 'plain' | 'bad'
  /** A button, and the key that does the same. */
  action?: { label: string; run: () => void }
}

/** Short messages at the foot of the page, read out politely. */
class Toasts {
  list = $state<Toast[]>([])
  private next = 1

  say(text: string, options: { tone?: Toast['tone']; action?: Toast['action']; seconds?: number } = {}): void {
    const id = this.next++
    this.list = [...this.list.slice(-2), { id, text, tone: options.tone ?? 'plain', action: options.action }]
    setTimeout(() => this.drop(id), (options.seconds ?? (options.tone === 'bad' ? 10 : 5)) * 1000)
  }

  /** An error in its own words: what, why, next step. */
  fail(error: unknown): void {
    const { message, nextStep } = error as { message?: string; nextStep?: string }
    this.say([message ?? String(error), nextStep].filter(Boolean).join(' '), { tone: 'bad' })
  }

  drop(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id)
  }

  /** Run the newest action, as the key `u` does. */
  act(): void {
    const toast = this.list.findLast((candidate) => candidate.action)
    if (!toast) return
    this.drop(toast.id)
    toast.action!.run()
  }
}

export const toasts = new Toasts()
