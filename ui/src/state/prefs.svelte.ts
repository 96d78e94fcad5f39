/** Choices of this browser, kept in its local storage. */

export type Theme = 'system' | 'dark' | 'light'
export type Density = 'comfortable' | 'compact'

const read = (name: string): string | null => {
  try {
    return localStorage.getItem(`beholden.${name}`)
  } catch {
    return null // storage can be forbidden; choices then last as long as the page
  }
}

const write = (name: string, value: string): void => {
  try {
    localStorage.setItem(`beholden.${name}`, value)
  } catch {
    // see above
  }
}

class Preferences {
  theme = $state<Theme>((read('theme') as Theme) ?? 'system')
  density = $state<Density>((read('density') as Density) ?? 'comfortable')
  shortcuts = $state(read('shortcuts') !== 'off')
  stats = $state(read('stats') === 'on')
  strip = $state(read('strip') !== 'off')
  /** Rises when colours change, so that canvases are drawn again. */
  colours = $state(0)

  constructor() {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.colours++)
    this.apply()
  }

  setTheme(theme: Theme): void {
    this.theme = theme
    write('theme', theme)
    this.apply()
  }

  setDensity(density: Density): void {
    this.density = density
    write('density', density)
    this.apply()
  }

  set(name: 'shortcuts' | 'stats' | 'strip', on: boolean): void {
    this[name] = on
    write(name, on ? 'on' : 'off')
  }

  private apply(): void {
    const root = document.documentElement
    if (this.theme === 'system') delete root.dataset.theme
    else root.dataset.theme = this.theme
    root.dataset.density = this.density
    this.colours++
  }
}

export const prefs = new Preferences()
