import type { News } from './types'

const BACKOFF_MS = [500, 1000, 2000, 4000, 8000, 15_000]

/**
 * The one events socket of this tab. It reconnects by itself; `onOpen` runs after every (re)connection so that
 * what was missed can be fetched.
 */
export class NewsSocket {
  private socket: WebSocket | null = null
  private timer: ReturnType<typeof setTimeout> | undefined
  private tries = 0
  private wanted = false

  constructor(
    private readonly url: () => string,
    private readonly on: {
      news: (news: News) => void
      open: (again: boolean) => void
      lost: () => void
      signedOut: () => void
    },
    private readonly make: (url: string) => WebSocket = (url) => new WebSocket(url),
  ) {}

  start(): void {
    if (this.wanted) return
    this.wanted = true
    this.connect()
  }

  stop(): void {
    this.wanted = false
    clearTimeout(this.timer)
    this.socket?.close()
    this.socket = null
    this.tries = 0
  }

  private connect(): void {
    const socket = this.make(this.url())
    this.socket = socket
    socket.onopen = () => {
      const again = this.tries > 0
      this.tries = 0
      this.on.open(again)
    }
    socket.onmessage = (message) => {
      const news = parseNews(String(message.data))
      if (news) this.on.news(news)
    }
    socket.onclose = (event) => {
      if (socket !== this.socket) return
      this.socket = null
      if (event.code === 4401) return this.on.signedOut()
      this.on.lost()
      if (this.wanted) this.timer = setTimeout(() => this.connect(), BACKOFF_MS[Math.min(this.tries++, BACKOFF_MS.length - 1)])
    }
  }
}

/** A message of a kind this version knows, else null: a newer server may say more. */
export function parseNews(text: string): News | null {
  try {
    const value = JSON.parse(text) as News
    return value && ['event', 'camera', 'health'].includes(value.kind) ? value : null
  } catch {
    return null
  }
}
