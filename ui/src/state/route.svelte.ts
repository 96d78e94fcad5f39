import { match, type PageName, type Route } from '../core/router'

/**
 * The current view as a URL. Links are ordinary `<a href>`; a click on one of this site is turned into `go`. Back and
 * Forward restore the scroll position once the page has its content (`settled`).
 */
class CurrentRoute {
  value = $state.raw<Route>(match(location.pathname + location.search))
  private scrolls = new Map<string, number>()
  private key = (history.state as { key?: string } | null)?.key ?? newKey()
  private wantedScroll: number | null = null

  listen(): void {
    history.scrollRestoration = 'manual'
    history.replaceState({ key: this.key }, '')
    addEventListener('popstate', (event) => {
      this.remember()
      this.key = (event.state as { key?: string } | null)?.key ?? newKey()
      this.wantedScroll = this.scrolls.get(this.key) ?? 0
      this.value = match(location.pathname + location.search)
    })
    document.addEventListener('click', (event) => this.onClick(event))
  }

  /** Open a view. `replace` corrects the current entry (the instant while playing) instead of adding one. */
  go(url: string, { replace = false } = {}): void {
    if (replace) {
      history.replaceState({ key: this.key }, '', url)
    } else {
      this.remember()
      this.key = newKey()
      history.pushState({ key: this.key }, '', url)
      this.wantedScroll = 0
    }
    this.value = match(url)
  }

  /** Write the URL without telling the page, which is already there. */
  note(url: string): void {
    history.replaceState({ key: this.key }, '', url)
  }

  /** A page shows its content: put the scroll where it was. A page that is being left has no say. */
  settled(page: PageName): void {
    if (this.wantedScroll === null || page !== this.value.page) return
    const top = this.wantedScroll
    this.wantedScroll = null
    requestAnimationFrame(() => scrollTo({ top, behavior: 'instant' }))
  }

  private remember(): void {
    this.scrolls.set(this.key, scrollY)
  }

  private onClick(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
    const link = (event.target as Element | null)?.closest('a')
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return
    if (/^\/(media|api)\//.test(link.pathname)) return
    event.preventDefault()
    if (link.hash && link.pathname === location.pathname) return
    this.go(link.pathname + link.search)
  }
}

const newKey = () => Math.random().toString(36).slice(2)

export const route = new CurrentRoute()
