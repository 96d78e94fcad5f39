/** Single-key shortcuts of the page that is open. */

export interface KeyBinding {
  /** As `KeyboardEvent.key` gives it; `Shift+` in front where it matters for letters. */
  keys: readonly string[]
  /** What it does, for the key map. */
  label: string
  run: () => void
}

/** True where keys belong to what has the focus, not to the page. */
export function isTyping(target: EventTarget | null): boolean {
  if (typeof HTMLElement === 'undefined' || !(target instanceof HTMLElement)) return false
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true
  return target instanceof HTMLInputElement && !['checkbox', 'radio', 'button', 'submit', 'range'].includes(target.type)
}

interface Pressed {
  key: string
  ctrlKey: boolean
  metaKey: boolean
  altKey: boolean
}

/** The binding a key press means, or null. Combinations with Ctrl, Alt and Meta belong to the browser. */
export function bindingFor(event: Pressed, bindings: readonly KeyBinding[]): KeyBinding | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
  return bindings.find((binding) => binding.keys.includes(event.key) || binding.keys.includes(key)) ?? null
}

const NAMES: Record<string, string> = { ' ': 'Space', ArrowLeft: '←', ArrowRight: '→', ArrowUp: '↑', ArrowDown: '↓' }

/** How a key is written on the key map. */
export const keyName = (key: string): string => NAMES[key] ?? key
