import { bindingFor, isTyping, type KeyBinding } from '../core/keys'
import { prefs } from './prefs.svelte'

/** The shortcuts in force: those of the page, in the order they were offered. */
class KeyMap {
  bindings = $state.raw<KeyBinding[]>([])
  open = $state(false)

  listen(): void {
    addEventListener('keydown', (event) => {
      if (event.defaultPrevented || isTyping(event.target)) return
      if (document.querySelector('dialog[open]') && event.key !== '?') return
      if (event.key === '?') this.open = !this.open
      else if (!prefs.shortcuts || !this.run(event)) return
      event.preventDefault()
    })
  }

  /** Offer shortcuts while a page is open; returns how to withdraw them. For use in `$effect`. */
  offer(bindings: KeyBinding[]): () => void {
    this.bindings = bindings
    return () => {
      if (this.bindings === bindings) this.bindings = []
    }
  }

  private run(event: KeyboardEvent): boolean {
    // Enter and Space belong to a focused button or link.
    const focused = event.target instanceof Element && event.target.closest('button, a, summary, [role=switch]')
    if (focused && (event.key === 'Enter' || event.key === ' ')) return false
    const binding = bindingFor(event, this.bindings)
    binding?.run()
    return binding !== null
  }
}

export const keymap = new KeyMap()
