import { api } from './server'

/** The server's present, one step a second: for ages in words. */
class Clock {
  now = $state(Date.now())

  constructor() {
    setInterval(() => (this.now = api.clock.now()), 1000)
  }
}

export const clock = new Clock()
