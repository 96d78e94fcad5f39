import { describe, expect, it, vi } from 'vitest'
import { Api, ApiError, queryText } from '../src/core/api'

const answer = (status: number, body?: unknown, headers: Record<string, string> = {}) =>
  new Response(body === undefined ? null : JSON.stringify(body), { status, headers })

function apiWith(response: Response | Error) {
  const fetch = vi.fn(async (_url: string, _init: RequestInit) => {
    if (response instanceof Error) throw response
    return response
  })
  return { api: new Api(fetch), fetch }
}

describe('the API client', () => {
  it('writes queries: lists repeated, empty values left out', () => {
    expect(queryText({ camera: [1, 2], from: 'a b', before: null, x: undefined, y: '', reviewed: false })).toBe('?camera=1&camera=2&from=a+b&reviewed=false')
    expect(queryText({})).toBe('')
  })

  it('sends JSON from the same origin and never from the cache', async () => {
    const { api, fetch } = apiWith(answer(201, { id: 9 }))
    await api.addCamera({ name: 'Gate', url: 'rtsp://x' })
    const [url, init] = fetch.mock.calls[0]!
    expect(url).toBe('/api/v1/cameras')
    expect(init).toMatchObject({ method: 'POST', credentials: 'same-origin', cache: 'no-store', body: '{"name":"Gate","url":"rtsp://x"}' })
    expect((init.headers as Record<string, string>)['Content-Type']).toBe('application/json')
  })

  it('tells a refusal in the server’s words', async () => {
    const { api } = apiWith(answer(409, { error: { code: 'name_taken', message: 'There is one.', next_step: 'Choose another.' } }))
    await expect(api.addCamera({})).rejects.toMatchObject({ status: 409, code: 'name_taken', message: 'There is one.', nextStep: 'Choose another.' })
  })

  it('has words for an answer without any, and for none at all', async () => {
    await expect(apiWith(answer(500)).api.health()).rejects.toMatchObject({ code: 'http_500' })
    await expect(apiWith(new TypeError('failed')).api.health()).rejects.toBeInstanceOf(ApiError)
    await expect(apiWith(new TypeError('failed')).api.health()).rejects.toMatchObject({ code: 'unreachable' })
  })

  it('passes an abort on as it is', async () => {
    await expect(apiWith(new DOMException('', 'AbortError')).api.health()).rejects.toHaveProperty('name', 'AbortError')
  })

  it('hears of being signed out, but not from a refused sign-in', async () => {
    const refusal = { error: { code: 'sign_in_refused', message: 'No.', next_step: '' } }
    for (const [call, told] of [[(api: Api) => api.signIn('a', 'b'), 0], [(api: Api) => api.cameras(), 1]] as const) {
      const { api } = apiWith(answer(401, refusal))
      api.onSignedOut = vi.fn()
      await expect(call(api)).rejects.toMatchObject({ status: 401 })
      expect(api.onSignedOut).toHaveBeenCalledTimes(told)
    }
  })

  it('accepts an answer without a body', async () => {
    await expect(apiWith(answer(204)).api.signOut()).resolves.toBeUndefined()
  })
})
