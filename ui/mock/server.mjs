// A stand-in for the server while working on the pages: the shapes of docs/reference/api.md with invented cameras
// and events, and real video out of .cache/mock (made by mock/clips.py). Development only; no dependency.
//   python mock/clips.py && npm run build && npm run mock      → http://127.0.0.1:8799  (admin / correct horse battery)
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'

const PORT = Number(process.env.PORT ?? 8799)
const STATIC = new URL('../../src/beholden/web/static/', import.meta.url).pathname
const CLIPS = new URL('../.cache/mock/', import.meta.url).pathname
const FPS = 15
const SEGMENT = 10_000
const BORN = Date.now()
const OLDEST = BORN - 3 * 86_400_000
const iso = (ms) => new Date(ms).toISOString()

// --- clips ------------------------------------------------------------------------------------------------------------
function* boxes(data, from = 0, to = data.length) {
  for (let at = from; at + 8 <= to; ) {
    const size = data.readUInt32BE(at)
    yield { type: data.toString('latin1', at + 4, at + 8), at, start: at + 8, end: at + size }
    at += size
  }
}

function find(data, path, from, to) {
  for (const box of boxes(data, from, to)) {
    if (box.type === path[0]) return path.length === 1 ? box : find(data, path.slice(1), box.start, box.end)
  }
}

function loadClip(index) {
  const data = readFileSync(join(CLIPS, `${index}.mp4`))
  const top = [...boxes(data)]
  const moov = top.find((box) => box.type === 'moov')
  const init = data.subarray(0, moov.end)
  const mdhd = find(data, ['moov', 'trak', 'mdia', 'mdhd'])
  const timescale = data.readUInt32BE(mdhd.start + (data[mdhd.start] ? 20 : 12))
  const avcC = data.indexOf('avcC')
  const codec = `avc1.${data.subarray(avcC + 5, avcC + 8).toString('hex').toUpperCase()}`
  const fragments = []
  top.forEach((box, n) => {
    if (box.type !== 'moof') return
    const bytes = Buffer.from(data.subarray(box.at, top[n + 1].end))
    fragments.push({ bytes, tfdt: find(bytes, ['moof', 'traf', 'tfdt']).start + 4 })
  })
  return { init, timescale, codec, fragments, jpeg: readFileSync(join(CLIPS, `${index}.jpg`)) }
}
const clips = [0, 1, 2, 3, 4].map(loadClip)

/** Picture number n (counted at 15 a second since 1970) as a fragment on the epoch clock. */
function fragment(clip, n) {
  const { bytes, tfdt } = clip.fragments[n % clip.fragments.length]
  const copy = Buffer.from(bytes)
  copy.writeBigUInt64BE(BigInt(Math.round((n / FPS) * clip.timescale)), tfdt)
  return copy
}

// --- what the site has ------------------------------------------------------------------------------------------------
const names = ['Front drive', 'Car park', 'Loading bay', 'Rear garden', 'Lobby', 'Bike store']
const stream = (over = {}) => ({
  state: 'live', reason: null, next_step: null, codec: 'h264', audio_codec: 'aac', width: 1920, height: 1080, fps: 25, gop_seconds: 2,
  kbps: 3120, lost_packets: 0, reconnects: 0, clock_offset_ms: 12, live_codec: 'avc1.640028,mp4a.40.2', ...over,
})
const address = (path) => ({ url: `rtsp://192.168.1.20:554/${path}`, username: 'viewer', has_password: true })
let nextId = 7
const cameras = names.map((name, index) => ({
  id: index + 1, name, enabled: true, record: true, record_audio: index === 0, listen: false, analyse: 'balanced', detect_main: false, keep_days: 30, transport: 'auto',
  certificate: 'verify', mode: 'continuous', pre_seconds: 5, post_seconds: 10, windows: [], keep_event_days: null, max_days: null, max_bytes: null, memory_bytes: null, main: address(`ch${index + 1}/main`),
  sub: index === 4 ? null : address(`ch${index + 1}/sub`), created: iso(OLDEST), state: 'live',
  told: { reason: null, next_step: null }, since: iso(OLDEST),
}))
cameras[3].state = 'offline'
cameras[3].since = iso(BORN - 11 * 60_000)
cameras[3].told = { reason: 'Nothing answers at 192.168.1.23 port 554.', next_step: 'Check its power and network cable; it is tried again every 10 seconds.' }
cameras[5].state = 'refused'
cameras[5].since = iso(BORN - 3 * 3_600_000)
cameras[5].told = { reason: 'The camera refused the user name or password.', next_step: 'Open Cameras, Edit, and enter them again.' }

const holes = [
  [2, BORN - 5.2 * 3_600_000, BORN - 4.9 * 3_600_000, 'camera_lost', 'The connection to the camera was lost'],
  [1, BORN - 9 * 60_000, BORN - 7.5 * 60_000, 'camera_stalled', 'The camera sent nothing complete'],
  [4, BORN - 11 * 60_000, Infinity, 'camera_lost', 'The connection to the camera was lost'],
  [6, BORN - 3 * 3_600_000, Infinity, 'login_refused', 'The camera refused the sign-in'],
  ...names.map((_, index) => [index + 1, BORN - 26 * 3_600_000, BORN - 25.8 * 3_600_000, 'recorder_stopped', 'The recorder was stopped']),
]
const snap = (ms) => (Number.isFinite(ms) ? Math.round(ms / SEGMENT) * SEGMENT : ms)
for (const hole of holes) [hole[1], hole[2]] = [snap(hole[1]), snap(hole[2])]

function spansOf(camera, from, to) {
  const end = Math.min(to, Math.floor(Date.now() / 1000) * 1000)
  let spans = [[Math.max(snap(OLDEST), from), end]]
  for (const [id, a, b] of holes) {
    if (id === camera) spans = spans.flatMap(([x, y]) => (b <= x || a >= y ? [[x, y]] : [[x, a], [b, y]].filter(([p, q]) => q > p)))
  }
  return spans.filter(([a, b]) => b > a)
}

const kinds = ['person', 'person', 'car', 'person', 'bicycle', 'car', 'animal', 'truck', 'person', 'motorcycle', 'bag', 'bus']
const events = []
for (let n = 0; n < 420; n++) {
  const ago = (n * 9.4 + ((n * 7919) % 13)) * 60_000 + 40_000
  const start = BORN - ago
  const camera = [1, 2, 3, 5][(n * 31) % 4]
  events.push({ id: 10_000 - n, camera, kind: kinds[(n * 17) % kinds.length], start: iso(start), end: iso(start + 4000 + ((n * 613) % 60) * 1000), score: 0.8, box: { left: 0.3, top: 0.4, right: 0.5, bottom: 0.8 }, has_still: n % 29 !== 7, reviewed: n > 45 })
}

const report = (camera) => {
  const live = camera.enabled && camera.state === 'live'
  const state = camera.enabled ? camera.state : 'stopped'
  const main = live ? stream(camera.id === 3 ? { codec: 'h265', live_codec: 'hvc1.1.6.L120.90', audio_codec: 'pcmu' } : {}) : stream({ state, codec: null, audio_codec: null, width: null, height: null, fps: null, gop_seconds: null, kbps: null, live_codec: null, ...camera.told })
  const { told, since, ...rest } = camera
  return {
    ...rest,
    state: { state, ...told, since, last_fragment: iso(live ? Date.now() - 400 : Date.parse(since)), fragment_age_seconds: live ? 0.4 : (Date.now() - Date.parse(since)) / 1000 },
    streams: { main, sub: camera.sub ? stream({ state, width: 640, height: 360, fps: 15, kbps: 420, audio_codec: null, gop_seconds: 1, live_codec: 'avc1.64001E' }) : null },
    analysis: { mode: camera.analyse, state: 'ok', reason: null },
    kept: { oldest: iso(OLDEST), newest: iso(Date.now()), seconds: 258_000, bytes: 96_300_000_000, gaps: holes.filter(([id]) => id === camera.id).length },
  }
}

const site = { name: 'Harbour Yard', time_zone: 'Europe/London' }
const user = { id: 1, name: 'admin', role: 'admin', must_set_password: false, grants: [{ camera: null, action: 'live' }] }
const looks = Array.from({ length: 140 }, (_, n) => ({
  id: 900 - n, at: iso(BORN - n * 7 * 60_000), user: n % 3 ? 'admin' : 'night desk', camera: (n % 5) + 1, action: ['live', 'playback', 'still', 'download'][(n * 7) % 4],
  from: n % 4 ? iso(BORN - n * 9 * 60_000 - 600_000) : null, to: n % 4 ? iso(BORN - n * 9 * 60_000 - 540_000) : null, what: n % 4 === 3 ? 'one MP4 file' : null, ip: '192.168.1.7',
}))

function health() {
  return {
    status: 'degraded',
    problems: [
      { level: 'warning', sentence: 'The disk will be full in about 12 days at today’s rate.', next_step: 'Add space, or keep less: Cameras, Edit, Keep footage for.', camera: null },
      { level: 'alarm', sentence: 'Rear garden sends no pictures since 11 minutes: nothing answers at 192.168.1.23 port 554.', next_step: 'Check its power and network cable.', camera: 4 },
      { level: 'alarm', sentence: 'Bike store refused the user name or password.', next_step: 'Enter them again on its page.', camera: 6 },
    ],
    storage: [{ path: '/srv/beholden/footage', total_bytes: 4e12, free_bytes: 1.18e12, footage_bytes: 2.71e12, state: 'ok', kept_days_forecast: 31.4, full_in_days: 12.2 }],
    roles: ['recorder', 'analyser', 'web'].map((role, n) => ({ role, shard: n ? null : 0, state: 'running', pid: 4100 + n, cpu_percent: [2.4, 11.8, 0.9][n], memory_bytes: [41e6, 212e6, 88e6][n], started: iso(BORN - 86_400_000), restarts: n === 1 ? 1 : 0, note: '' })),
    cameras: cameras.map((camera) => ({ camera: camera.id, name: camera.name, state: camera.state, last_fragment: report(camera).state.last_fragment, kept_seconds: 258_000, bytes: 96_300_000_000, gaps: report(camera).kept.gaps, kbps: camera.state === 'live' ? 3120 : null })),
    detector: { name: 'NanoDet-Plus', backend: 'ONNX Runtime', milliseconds: 21.4 },
  }
}

// --- HTTP -------------------------------------------------------------------------------------------------------------
const fail = (status, code, message, next_step = '') => ({ status, body: { error: { code, message, next_step } } })
const readBody = async (request) => {
  let text = ''
  for await (const part of request) text += part
  return text ? JSON.parse(text) : {}
}
const overlaps = (a, b, from, to) => b > from && a < to

function timeline(query) {
  const from = Date.parse(query.get('from'))
  const to = Date.parse(query.get('to'))
  return {
    from: iso(from), to: iso(to),
    lanes: query.getAll('camera').map(Number).map((camera) => ({
      camera,
      spans: spansOf(camera, from, to).map(([a, b]) => ({ start: iso(a), end: iso(b) })),
      gaps: holes.filter(([id, a, b]) => id === camera && overlaps(a, b, from, to)).map(([, a, b, cause, words]) => ({ start: iso(a), end: iso(Math.min(b, Date.now())), cause, words })),
      events: events.filter((event) => event.camera === camera && overlaps(Date.parse(event.start), Date.parse(event.end ?? iso(Date.now())), from, to)).map(({ id, kind, start, end }) => ({ id, kind, start, end })),
    })),
  }
}

function listEvents(query) {
  const kindsWanted = query.getAll('class')
  const camerasWanted = query.getAll('camera').map(Number)
  const limit = Number(query.get('limit') ?? 60)
  const fitting = events.filter((event) =>
    (!kindsWanted.length || kindsWanted.includes(event.kind)) && (!camerasWanted.length || camerasWanted.includes(event.camera)) &&
    (!query.get('since') || event.start >= query.get('since')) && (!query.get('until') || event.start < query.get('until')) &&
    (query.get('reviewed') === null || String(event.reviewed) === query.get('reviewed')) && (!query.get('before') || event.id < Number(query.get('before'))))
  const page = fitting.slice(0, limit)
  return { events: page, next: fitting.length > limit ? page[page.length - 1].id : null, unreviewed: events.filter((event) => !event.reviewed).length }
}

function playlist(camera, from, to) {
  const clip = clips[(camera - 1) % clips.length]
  const lines = ['#EXTM3U', '#EXT-X-VERSION:7', '#EXT-X-TARGETDURATION:1', '#EXT-X-PLAYLIST-TYPE:VOD']
  const sizes = clip.fragments.map(({ bytes }) => bytes.length)
  for (const [a, b] of spansOf(camera, from, to)) {
    let last = null
    for (let at = Math.floor(a / 1000) * 1000; at < b; at += 1000) {
      const segment = Math.floor(at / SEGMENT) * SEGMENT
      const url = `/media/segments/${camera}/main/${segment}-0.mp4`
      if (segment !== last) {
        lines.push(...(at === Math.floor(a / 1000) * 1000 ? ['#EXT-X-DISCONTINUITY'] : []), `#EXT-X-MAP:URI="${url}",BYTERANGE="${clip.init.length}@0"`, `#EXT-X-PROGRAM-DATE-TIME:${iso(at)}`)
        last = segment
      }
      const first = ((at - segment) / 1000) * FPS
      const phase = ((segment / 1000) * FPS) % sizes.length
      let offset = clip.init.length
      let size = 0
      for (let n = 0; n < first + FPS; n++) {
        const bytes = sizes[(phase + n) % sizes.length]
        if (n < first) offset += bytes
        else size += bytes
      }
      lines.push('#EXTINF:1.000,', `#EXT-X-BYTERANGE:${size}@${offset}`, url)
    }
  }
  return [...lines, '#EXT-X-ENDLIST', ''].join('\n')
}

function segmentBytes(camera, start) {
  const clip = clips[(camera - 1) % clips.length]
  const first = (start / 1000) * FPS
  return Buffer.concat([clip.init, ...Array.from({ length: (SEGMENT / 1000) * FPS }, (_, n) => fragment(clip, first + n))])
}

const sessionsSeen = new Map()
const later = (ms, value) => new Promise((resolve) => setTimeout(() => resolve(value), ms))

async function api(request, url) {
  const { pathname: path, searchParams: query } = url
  const method = request.method
  const key = `${method} ${path}`
  const signedIn = sessionsSeen.has(cookieOf(request))
  if (key === 'GET /api/v1/session') return { body: signedIn ? { user, site, version: '0.1.0' } : { user: null } }
  if (key === 'POST /api/v1/session') {
    const body = await readBody(request)
    if (body.token === 'demo') user.must_set_password = true
    else if (body.username !== 'admin' || body.password !== 'correct horse battery') return fail(401, 'sign_in_refused', 'The user name or the password is wrong.', 'Try again, or ask an administrator for a one-time link.')
    const id = String(Math.random())
    sessionsSeen.set(id, true)
    return { body: { user }, headers: { 'Set-Cookie': `mock=${id}; HttpOnly; SameSite=Lax; Path=/` } }
  }
  if (!signedIn) return fail(401, 'not_signed_in', 'You are not signed in.')
  if (key === 'DELETE /api/v1/session') return sessionsSeen.delete(cookieOf(request)), { status: 204 }
  if (key === 'GET /api/v1/sessions') return { body: { sessions: [
    { id: 'a', created: iso(BORN), last_seen: iso(Date.now()), ip: '192.168.1.7', agent: request.headers['user-agent'], current: true },
    { id: 'b', created: iso(BORN - 9e8), last_seen: iso(BORN - 4e7), ip: '192.168.1.31', agent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) AppleWebKit/605.1.15 Version/18.0 Safari/604', current: false } ] } }
  if (key === 'PUT /api/v1/password') return (user.must_set_password = false), { status: 204 }
  if (key === 'GET /api/v1/site') return { body: site }
  if (key === 'PUT /api/v1/site') return { body: Object.assign(site, await readBody(request)) }
  if (key === 'GET /api/v1/cameras') return { body: { cameras: cameras.map(report) } }
  if (key === 'POST /api/v1/cameras/test') return { body: await later(900, testAnswer(await readBody(request))) }
  if (key === 'POST /api/v1/cameras') {
    const body = await readBody(request)
    if (cameras.some(({ name }) => name === body.name)) return fail(409, 'name_taken', 'There is already a camera of that name.', 'Choose another name.')
    if (!body.url.startsWith('rtsp://')) return fail(422, 'bad_url', 'This is not an RTSP address.', 'It begins with rtsp:// and is in the manual of the camera.')
    cameras.push({ ...structuredClone({ ...cameras[0], told: cameras[0].told }), id: nextId++, name: body.name })
    return { status: 201, body: report(cameras.at(-1)) }
  }
  const one = /^\/api\/v1\/cameras\/(\d+)(\/playback)?$/.exec(path)
  const camera = one && cameras.find(({ id }) => id === Number(one[1]))
  if (one && !camera) return fail(404, 'camera_not_found', 'There is no such camera.')
  if (one && one[2]) {
    const [from, to] = [query.get('from'), query.get('to')]
    const converted = camera.id === 3
    return { body: { playlist: `/media/cameras/${camera.id}/playlist.m3u8?${new URLSearchParams({ from, to })}`, from, to, video: converted ? 'converted to H.264' : 'as recorded', audio: 'none recorded', spans: spansOf(camera.id, Date.parse(from), Date.parse(to)).map(([a, b]) => ({ start: iso(a), end: iso(b) })) } }
  }
  if (one && method === 'PATCH') {
    const { url: main, sub_url, password, username, ...plain } = await readBody(request)
    Object.assign(camera, plain)
    return { body: report(camera) }
  }
  if (one && method === 'DELETE') return cameras.splice(cameras.indexOf(camera), 1), { status: 204 }
  if (key === 'GET /api/v1/timeline') return { body: timeline(query) }
  if (key === 'GET /api/v1/events') return { body: listEvents(query) }
  if (key === 'POST /api/v1/events/reviewed') {
    const body = await readBody(request)
    for (const event of events) if (body.ids ? body.ids.includes(event.id) : event.start <= body.until) event.reviewed = body.reviewed
    return { body: {} }
  }
  if (key === 'GET /api/v1/health') return { body: health() }
  if (key === 'GET /api/v1/looks') {
    const rest = looks.filter(({ id }) => !query.get('before') || id < Number(query.get('before')))
    const page = rest.slice(0, Number(query.get('limit') ?? 50))
    return { body: { looks: page, next: rest.length > page.length ? page.at(-1).id : null } }
  }
  if (/^\/api\/v1\/sessions\//.test(path)) return { status: 204 }
  return fail(404, 'not_found', 'There is nothing here.')
}

function testAnswer({ url = 'rtsp://', camera }) {
  if (!camera && !/192\.168/.test(url)) return { verdict: 'bad', sentence: 'Nothing answers at this address.', next_step: 'Check the address and that the camera is switched on; the port is usually 554.', codec: null, width: null, height: null, fps: null, gop_seconds: null, kbps: null, audio_codec: null, transport: null, clock_offset_ms: null, remarks: [], still: null }
  return {
    verdict: 'usable', sentence: 'It can be recorded, but its keyframes are 8 seconds apart.', next_step: 'Set the keyframe interval (GOP, I-frame interval) to 1–2 seconds on the camera.', codec: 'h265', width: 2560, height: 1440, fps: 20, gop_seconds: 8, kbps: 4210, audio_codec: 'pcmu', transport: 'TCP', clock_offset_ms: 240,
    remarks: [{ level: 'info', text: 'H.265 is recorded as it is; browsers without it get H.264, made when somebody looks.' }, { level: 'warning', text: 'Sound is G.711: it is kept, and converted when played.' }],
    still: `data:image/jpeg;base64,${clips[1].jpeg.toString('base64')}`,
  }
}

const cookieOf = (request) => /mock=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]

function media(request, url, response) {
  const send = (type, body, status = 200, headers = {}) => response.writeHead(status, { 'Content-Type': type, 'Content-Length': body.length, ...headers }).end(body)
  let found = /^\/media\/cameras\/(\d+)\/playlist\.m3u8$/.exec(url.pathname)
  if (found) return send('application/vnd.apple.mpegurl', Buffer.from(playlist(Number(found[1]), Date.parse(url.searchParams.get('from')), Date.parse(url.searchParams.get('to')))))
  found = /^\/media\/segments\/(\d+)\/main\/(\d+)-0\.mp4$/.exec(url.pathname)
  if (found) {
    const data = segmentBytes(Number(found[1]), Number(found[2]))
    const range = /bytes=(\d+)-(\d+)?/.exec(request.headers.range ?? '')
    if (!range) return send('video/mp4', data)
    const [from, to] = [Number(range[1]), Math.min(data.length - 1, Number(range[2] ?? data.length - 1))]
    return send('video/mp4', data.subarray(from, to + 1), 206, { 'Content-Range': `bytes ${from}-${to}/${data.length}` })
  }
  found = /^\/media\/events\/(\d+)\/still\.jpg$/.exec(url.pathname)
  if (found) return send('image/jpeg', clips[((events.find(({ id }) => id === Number(found[1]))?.camera ?? 1) - 1) % clips.length].jpeg)
  return send('application/json', Buffer.from('{}'), 404)
}

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }
const CSP = "default-src 'self'; media-src 'self' blob:; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'"

function page(request, url, response) {
  let file = join(STATIC, normalize(url.pathname))
  if (!existsSync(file) || !statSync(file).isFile()) file = join(STATIC, 'index.html')
  const brotli = request.headers['accept-encoding']?.includes('br') && existsSync(`${file}.br`)
  response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', 'Content-Security-Policy': CSP, 'Cache-Control': 'no-cache', ...(brotli ? { 'Content-Encoding': 'br' } : {}) })
  response.end(readFileSync(brotli ? `${file}.br` : file))
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://mock')
  try {
    if (url.pathname.startsWith('/media/')) return media(request, url, response)
    if (!url.pathname.startsWith('/api/')) return page(request, url, response)
    const { status = 200, body, headers = {} } = await api(request, url)
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(body === undefined ? undefined : JSON.stringify(body))
  } catch (error) {
    console.error(error)
    response.writeHead(500).end()
  }
})

// --- WebSockets (RFC 6455, server to browser only) --------------------------------------------------------------------
function frame(data, opcode) {
  const head = data.length < 126 ? Buffer.from([0x80 | opcode, data.length]) : data.length < 65_536 ? Buffer.from([0x80 | opcode, 126, data.length >> 8, data.length & 255]) : Buffer.alloc(10)
  if (head.length === 10) {
    head.set([0x80 | opcode, 127])
    head.writeBigUInt64BE(BigInt(data.length), 2)
  }
  return Buffer.concat([head, data])
}

server.on('upgrade', (request, socket) => {
  const url = new URL(request.url, 'http://mock')
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
  socket.on('error', () => socket.destroy())
  socket.on('data', (data) => (data[0] & 15) === 8 && socket.end(frame(Buffer.alloc(0), 8)))
  const text = (value) => socket.writable && socket.write(frame(Buffer.from(JSON.stringify(value)), 1))
  const live = /^\/ws\/live\/(\d+)$/.exec(url.pathname)
  if (live) sendLive(socket, text, Number(live[1]), url.searchParams.get('prefer'))
  else newsSockets.add(text), socket.on('close', () => newsSockets.delete(text))
})

function sendLive(socket, text, id, prefer) {
  const camera = cameras.find((one) => one.id === id)
  if (camera?.state !== 'live') return text({ kind: 'state', state: camera.state, reason: camera.told.reason, next_step: camera.told.next_step, since: camera.since })
  const clip = clips[(id - 1) % clips.length]
  const choice = prefer === 'main' ? (id === 3 ? ['sub', 'sub stream', 'this browser cannot play H.265'] : ['main', 'main stream', '']) : camera.sub ? ['sub', 'sub stream', 'small on the wall'] : ['main', 'main stream', 'this camera has no sub stream']
  text({ kind: 'start', stream: choice[0], mime: `video/mp4; codecs="${clip.codec}"`, width: 640, height: 360, choice: choice[1], reason: choice[2] })
  const binary = (arrival, data) => {
    const head = Buffer.alloc(8)
    head.writeBigUInt64BE(BigInt(arrival))
    socket.write(frame(Buffer.concat([head, data]), 2))
  }
  binary(0, clip.init)
  let n = Math.floor(((Date.now() / 1000) * FPS) / FPS) * FPS // the newest keyframe
  const timer = setInterval(() => {
    if (!socket.writable) return clearInterval(timer)
    for (; n <= (Date.now() / 1000) * FPS; n++) binary(Math.round((n / FPS) * 1000), fragment(clip, n))
  }, 1000 / FPS)
  socket.on('close', () => clearInterval(timer))
}

const newsSockets = new Set()
let born = 10_001
setInterval(() => {
  const now = Date.now()
  const event = { id: born++, camera: [1, 2, 3, 5][born % 4], kind: kinds[born % kinds.length], start: iso(now - 1500), end: null, score: 0.7, box: null, has_still: true, reviewed: false }
  events.unshift(event)
  for (const tell of newsSockets) tell({ kind: 'event', phase: 'start', event })
  setTimeout(() => {
    event.end = iso(Date.now())
    for (const tell of newsSockets) tell({ kind: 'event', phase: 'end', event })
  }, 6000)
}, 25_000)

server.listen(PORT, '127.0.0.1', () => console.log(`mock server on port ${PORT}`))
