import { SiteZone } from '../core/time'
import type { Site, User } from '../core/types'
import { route } from './route.svelte'
import { api } from './server'

/** Who is signed in, and the site they are at. */
class Session {
  user = $state.raw<User | null>(null)
  site = $state.raw<Site>({ name: '', time_zone: 'UTC' })
  version = $state('')
  ready = $state(false)
  /** The first question could not be asked at all: the server does not answer. */
  failure = $state.raw<Error | null>(null)
  /** "Later" was chosen on the password page; asked again with the next sign-in. */
  postponed = $state(sessionStorage.getItem('beholden.password-later') === 'yes')
  zone = $derived(new SiteZone(this.site.time_zone))

  get admin(): boolean {
    return this.user?.role === 'admin'
  }

  /** Whether people are hidden in every still this user is shown. */
  get blurred(): boolean {
    return !this.admin && !this.user?.grants.some((grant) => grant.action === 'clear')
  }

  get choosesPassword(): boolean {
    return Boolean(this.user?.must_set_password) && !this.postponed
  }

  async load(): Promise<void> {
    try {
      const answer = await api.session()
      this.user = answer.user
      if (answer.site) this.site = answer.site
      this.version = answer.version ?? ''
      this.failure = null
    } catch (error) {
      this.failure = error as Error
    }
    this.ready = true
  }

  postpone(): void {
    sessionStorage.setItem('beholden.password-later', 'yes')
    this.postponed = true
  }

  async signOut(): Promise<void> {
    await api.signOut()
    sessionStorage.removeItem('beholden.password-later')
    this.postponed = false
    this.user = null
    route.go('/sign-in')
  }

  /** The server no longer knows this session. */
  lost(): void {
    if (!this.user) return
    this.user = null
    const here = location.pathname + location.search
    route.go(`/sign-in?next=${encodeURIComponent(here)}`)
  }
}

export const session = new Session()
api.onSignedOut = () => session.lost()
