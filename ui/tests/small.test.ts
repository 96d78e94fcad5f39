import { readFileSync, readdirSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { supportedCodecs } from '../src/core/codecs'
import { bitrate, bytes, codecName, duration, short } from '../src/core/format'
import { bindingFor, isTyping, keyName } from '../src/core/keys'
import { parseNews } from '../src/core/news'
import { pack } from '../src/core/pack'
import { match, safeNext } from '../src/core/router'
import { t, tOr } from '../src/core/text'
import en from '../src/i18n/en.json'
import more from '../src/i18n/en-more.json'

describe('paths', () => {
  it.each([
    ['/', 'live', null], ['/live', 'live', null], ['/live/3', 'camera', 3], ['/live/3/', 'camera', 3], ['/playback?camera=3&at=x', 'playback', null],
    ['/review?class=car', 'review', null], ['/cameras', 'cameras', null], ['/cameras/new', 'camera-form', null], ['/cameras/12', 'camera-form', 12], ['/cameras/12/places', 'places', 12],
    ['/health', 'health', null], ['/storage', 'storage', null], ['/rules?camera=3', 'rules', null], ['/rules/new', 'rule-form', null], ['/rules/8', 'rule-form', 8], ['/looks', 'looks', null], ['/settings', 'settings', null], ['/sign-in#token=x', 'sign-in', null], ['/live/x', 'not-found', null],
    ['/nothing', 'not-found', null],
  ])('%s is the page %s', (url, page, id) => expect(match(url)).toMatchObject({ page, id }))

  it('keep their query', () => expect(match('/playback?camera=3').query.get('camera')).toBe('3'))

  it('after sign-in lead nowhere but into this site', () => {
    expect(safeNext('/review?class=car')).toBe('/review?class=car')
    for (const bad of [null, '', 'https://evil.example', '//evil.example', '/\\evil.example', '/sign-in?next=/sign-in']) expect(safeNext(bad)).toBe('/live')
  })
})

describe('texts of rarer pages', () => {
  it('are loaded by every part that says one of them', () => {
    const prefixes = [...new Set(Object.keys(more).map((key) => key.split('.')[0]))].join('|')
    const says = new RegExp(`['\`](?:${prefixes})\\.[a-z_$]`)
    const folders = ['pages', 'parts'].map((name) => new URL(`../src/${name}/`, import.meta.url))
    const files = folders.flatMap((folder) => readdirSync(folder).map((name) => new URL(name, folder)))
    const forgetful = files.filter((file) => says.test(readFileSync(file, 'utf8')) && !readFileSync(file, 'utf8').includes("'../i18n/more'"))
    expect(forgetful.map((file) => file.pathname)).toEqual([])
    expect(Object.keys(more).filter((key) => key in en)).toEqual([])
  })
})

describe('packing', () => {
  it.each([[1, 1], [2, 1], [4, 2], [6, 3], [9, 3], [16, 4]])('%i tiles on a wide wall use %i columns', (count, columns) => {
    expect(pack(count, 1280, count === 2 ? 1400 : 720).columns).toBe(columns)
  })

  it('never overflows the box while tiles are wide enough', () => {
    for (let count = 1; count <= 25; count++) {
      const { columns, rows, width, height } = pack(count, 1300, 800, 16 / 9, 4, 100)
      expect(columns * width + (columns - 1) * 4).toBeLessThanOrEqual(1300)
      expect(rows * height + (rows - 1) * 4).toBeLessThanOrEqual(800)
      expect(columns * rows).toBeGreaterThanOrEqual(count)
    }
  })

  it('scrolls rather than show stamps', () => {
    expect(pack(40, 700, 500, 16 / 9, 4, 240)).toMatchObject({ columns: 2, width: 348 })
    expect(pack(6, 360, 600, 16 / 9, 4, 360).columns).toBe(1)
  })
})

describe('texts', () => {
  it('fill in values and choose the plural form', () => {
    expect(t('review.events', { n: 1 })).toBe('1 event')
    expect(t('review.events', { n: 2 })).toBe('2 events')
    expect(t('tile.since', { state: 'Offline', time: '14:32' })).toBe('Offline since 14:32')
  })

  it('fall back for words of a newer server', () => {
    expect(tOr('kind.person', 'x')).toBe('Person')
    expect(tOr('kind.zeppelin', 'zeppelin')).toBe('zeppelin')
  })

  it('have a word for every gap cause, class and state the server can name', () => {
    for (const key of ['gap.camera_lost', 'gap.file_missing', 'kind.bag', 'state.unsupported', 'state.stopped', 'action.download']) expect(key in en).toBe(true)
  })

  it('offer no way to ask who somebody is', () => {
    const all = JSON.stringify(en).toLowerCase()
    for (const word of ['face', 'identify', 'gender', 'ethnic', 'emotion', 'age group', 'number plate']) expect(all).not.toContain(word)
  })
})

describe('figures', () => {
  it('are written for people', () => {
    expect([bytes(0), bytes(999), bytes(1500), bytes(2.71e12), bytes(512e9)]).toEqual(['0 B', '999 B', '1.5 KB', '2.7 TB', '512 GB'])
    expect([duration(400), duration(8000), duration(192_000), duration(187_200_000), duration(3_600_000)]).toEqual(['0 s', '8 s', '3 min 12 s', '2 d 4 h', '1 h'])
    expect([bitrate(420.4), bitrate(3120)]).toEqual(['420 kb/s', '3.1 Mb/s'])
    expect([codecName('avc1.640028'), codecName('h265'), codecName('pcma'), codecName(null), codecName('weird')]).toEqual(['H.264', 'H.265', 'G.711 A-law', '–', 'weird'])
    expect([short(25), short(12.46), short(6.98)]).toEqual(['25', '12.5', '7'])
  })
})

describe('keys', () => {
  const run = vi.fn()
  const bindings = [{ keys: [' ', 'k'], label: 'play', run }, { keys: ['<'], label: 'slower', run }, { keys: ['End'], label: 'live', run }]
  const press = (key: string, extra = {}) => bindingFor({ key, ctrlKey: false, metaKey: false, altKey: false, ...extra }, bindings)?.label

  it('find their binding, whatever Caps Lock does', () => {
    expect([press(' '), press('K'), press('<'), press('End'), press('x')]).toEqual(['play', 'play', 'slower', 'live', undefined])
  })

  it('leave combinations to the browser', () => expect(press('k', { ctrlKey: true })).toBeUndefined())

  it('have names for the key map, and know no typing outside a page', () => {
    expect([keyName(' '), keyName('ArrowLeft'), keyName('x')]).toEqual(['Space', '←', 'x'])
    expect(isTyping(null)).toBe(false)
  })
})

describe('codecs and news', () => {
  it('tell the server what this browser plays', () => {
    expect(supportedCodecs({ isTypeSupported: (mime) => !mime.includes('hvc1') })).toBe('avc1,av01,mp4a,opus,flac')
    expect(supportedCodecs(undefined)).toBe('')
  })

  it('pass over news of unknown kinds and broken messages', () => {
    expect(parseNews('{"kind":"health","status":"ok"}')).toEqual({ kind: 'health', status: 'ok' })
    for (const text of ['', 'null', '{"kind":"comet"}', '[1']) expect(parseNews(text)).toBeNull()
  })
})
