// Amplitude's Export API and Dashboard REST API.
//
//   node server.js        prints "ready PORT"
//
// The API key planted-amplitude with the secret key planted-secret (or a1b2 with c3d4) is good until /control/expire
// (and again with /control/set {"expired": false}). See ../rest/service.js; events are kept by the hour of their server_upload_time, in UTC. Seed:
//   {"events": {"from": "2024-03-05T00", "hours": 48, "perHour": 100}}, or {"events": [...]} as they are, each with server_upload_time
// /control/set:
//   largest   events that an archive holds at most: 400 beyond that, as with 4 GB
//   slowest   hours of one request beyond which it is given up with 504
//   files     files of an hour
//   shape     of archives: stored, streamed, zip64, folders (with one)
//   bad       once: checksum, longer, method, encrypted, truncated, overlapping, garbage (no gzip), shortgzip, line (no JSON), bomb,
//             long (an endless line), wide (many members that are folders), name (of a member, besides a checksum)
//   badHours  how many archives in a row are so (default 1)
//   padding   bytes of a member more, in front
//   now       an hour is there two hours after it has ended, by this time in ms
//   series    members of data that figures of days have instead

'use strict'

const zlib = require('node:zlib')
const { Service } = require('../rest/service')
const { archive } = require('./zip')

const HOUR = 3600000

const text = (status, body) => ({ status, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, text: body })
const refused = (status, type, message) => ({ status, body: { error: { http_code: status, type, message } } })

// as exports write times: no zone, microseconds
const time = (ms, micros = 0) => new Date(ms).toISOString().replace('T', ' ').replace('Z', String(micros).padStart(3, '0'))
const hourOf = (event) => Math.floor(Date.parse(event.server_upload_time.replace(' ', 'T').slice(0, 23) + 'Z') / HOUR)

function makeEvent(n, at) {
  return {
    $insert_id: `i-${n}`, $schema: 13, adid: null, amplitude_attribution_ids: null, amplitude_event_type: null, amplitude_id: 912345678900000000 + 0, app: 187520,
    city: n % 3 ? 'Zürich' : null, client_event_time: time(at - 5000), client_upload_time: time(at - 1000), country: 'Switzerland', data: {}, data_type: 'event',
    device_brand: null, device_carrier: null, device_family: 'Mac', device_id: `d-${n % 50}`, device_manufacturer: null, device_model: null, device_type: 'Apple', dma: null,
    event_id: n, event_properties: { total: n / 2, item: `Größe "${n}"`, nested: { list: [n, null, true] } }, event_time: time(at - 4000, 123), event_type: n % 2 ? 'checkout' : 'view',
    group_properties: {}, groups: {}, idfa: null, ip_address: '127.0.0.1', is_attribution_event: false, language: 'German', library: 'http/2.0', location_lat: 47.3769, location_lng: null,
    os_name: 'macosx', os_version: '10', partner_id: null, paying: n % 5 === 0 ? true : null, platform: 'Web', processed_time: time(at + 2000), region: 'Zurich', sample_rate: null,
    server_received_time: time(at - 500), server_upload_time: time(at, 1), session_id: 1709625600000 + n, start_version: null, user_creation_time: null, user_id: n % 7 ? `u-${n % 50}` : null,
    user_properties: { plan: 'free' }, uuid: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`, version_name: '1.0', future_member: n % 100 === 0 ? 'new' : undefined
  }
}

function hour(name) {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)$/.exec(name || '')
  if (!match) return null
  const at = Date.UTC(match[1], match[2] - 1, match[3], match[4])
  return time(at).startsWith(`${match[1]}-${match[2]}-${match[3]} ${match[4]}`) ? at / HOUR : null
}

function day(name) {
  const match = /^(\d{4})(\d\d)(\d\d)$/.exec(name || '')
  return match ? Date.UTC(match[1], match[2] - 1, match[3]) / (24 * HOUR) : null
}

class Project {
  constructor() {
    this.settings = { largest: 1e9, slowest: 8760, files: 2, shape: null, bad: null, badHours: 1, series: null, padding: 0, now: Infinity }
    this.keys = new Map([['planted-amplitude', 'planted-secret'], ['a1b2', 'c3d4']])
    this.hours = new Map() // hour => events
    this.types = []
  }

  expire() {
    this.settings.expired = true
  }

  seed(what) {
    if (what.types) this.types = Array.from({ length: what.types }, (_, i) => ({ id: i + 1, value: `event ${i + 1}`, name: `Event ${i + 1}`, display: `Event ${i + 1}`, totals: (i + 1) * 10, totals_delta: i / 2, hidden: false, deleted: false, non_active: i % 2 === 0, autohidden: false, clusters_hidden: false, flow_hidden: false, timeline_hidden: false, in_waitroom: false }))
    if (!what.events) return {}
    this.hours.clear()
    let events = what.events
    if (!Array.isArray(events)) {
      const start = Date.parse(`${events.from}:00:00Z`)
      const { hours, perHour } = events
      events = []
      for (let h = 0; h < hours; h++) {
        for (let i = 0; i < perHour; i++) events.push(makeEvent(h * perHour + i + 1, start + h * HOUR + Math.floor(i * HOUR / perHour)))
      }
    }
    for (const event of events) {
      const key = hourOf(event)
      if (!this.hours.has(key)) this.hours.set(key, [])
      this.hours.get(key).push(event)
    }
    return {}
  }

  records() {
    return [...this.hours.values()].flat()
  }

  throttled() {
    return { ...text(429, 'Exceeded concurrent limit: 5 requests'), headers: { 'Content-Type': 'text/plain', 'Retry-After': '1' } }
  }

  async handle(request) {
    const match = /^Basic (.+)$/.exec(request.headers.authorization || '')
    const [key, secret] = match ? Buffer.from(match[1], 'base64').toString().split(':') : []
    if (this.settings.expired || !this.keys.has(key) || this.keys.get(key) !== secret) return text(403, 'Invalid API Key')
    if (request.method !== 'GET') return refused(405, 'method_not_allowed', 'Method not allowed')
    const { path, query } = request
    if (path === '/api/2/export') return this.export(query)
    if (path === '/api/2/events/list') return { status: 200, body: { data: this.types } }
    if (path === '/api/2/users' || path === '/api/2/sessions/average') return this.days(path, query)
    const chart = /^\/api\/3\/chart\/(\w+)\/query$/.exec(path)
    if (chart) return this.chart(chart[1])
    return { status: 404, headers: { 'Content-Type': 'text/html' }, text: '<html><head><title>404 Not Found</title></head></html>' }
  }

  export(query) {
    const unknown = [...query.keys()].find((key) => key !== 'start' && key !== 'end')
    const start = hour(query.get('start'))
    const end = hour(query.get('end'))
    if (unknown || start === null || end === null) return refused(400, 'invalid_request', 'start and end must be hours, formatted YYYYMMDDTHH')
    if (end < start) return refused(400, 'invalid_request', 'end is before start')
    if (end - start + 1 > 8760) return refused(400, 'invalid_request', 'the time range must not exceed 365 days')
    if (end - start + 1 > this.settings.slowest) return { status: 504, headers: { 'Content-Type': 'text/html' }, text: '<html><h1>504 Gateway Time-out</h1></html>' }
    const hours = [...this.hours.keys()].filter((h) => h >= start && h <= end && (h + 3) * HOUR <= (this.settings.now ?? Infinity)).sort((a, b) => a - b)
    if (hours.length === 0) return text(404, 'Raw data files were not found.')
    if (hours.reduce((sum, h) => sum + this.hours.get(h).length, 0) > this.settings.largest) return text(400, 'The file size of the exported data is too large. Shorten the time ranges and try again. The limit size is 4GB.')
    return { status: 200, headers: { 'Content-Type': 'application/zip' }, bytes: this.archive(hours) }
  }

  archive(hours) {
    const { files, shape } = this.settings
    let bad = null
    if (this.settings.bad && this.settings.badHours-- > 0) bad = this.settings.bad
    const members = []
    if (shape === 'folders') members.push({ name: '187520/', data: Buffer.alloc(0), stored: true })
    for (const h of hours) {
      const events = this.hours.get(h)
      const at = time(h * HOUR)
      const per = Math.ceil(events.length / files)
      for (let f = 0; f < files; f++) {
        const part = events.slice(f * per, (f + 1) * per)
        const lines = part.map((event) => JSON.stringify(event).replace('912345678900000000', `9123456789${String(event.event_id).padStart(8, '0')}`) + '\n').join('')
        // a file may be of several pieces, one behind the other
        const middle = lines.indexOf('\n', lines.length / 2) + 1
        const data = f % 2 ? Buffer.concat([zlib.gzipSync(lines.slice(0, middle)), zlib.gzipSync(lines.slice(middle))]) : zlib.gzipSync(lines)
        members.push({ name: `187520/187520_${at.slice(0, 10)}_${Number(at.slice(11, 13))}#${f}.json.gz`, data, stored: shape === 'stored', streamed: shape === 'streamed' })
      }
    }
    const last = members[members.length - 1]
    if (this.settings.padding > 0) members.unshift({ name: 'padding.json.gz', data: Buffer.alloc(this.settings.padding), stored: true })
    switch (bad) {
      case 'checksum': case 'longer': case 'method': case 'encrypted': last.wrong = bad; break
      case 'garbage': last.data = Buffer.from('no gzip at all'); break
      case 'shortgzip': last.data = last.data.subarray(0, last.data.length - 6); break
      case 'line': last.data = zlib.gzipSync('{"uuid": "a", "server_upload_time": "2024-03-05 08:00:00.000001"}\n<html>oops</html>\n'); break
      case 'bomb': last.data = zlib.gzipSync(Buffer.alloc(600e6, 10)); break
      case 'long': last.data = zlib.gzipSync(Buffer.concat([Buffer.from('{"uuid": "'), Buffer.from(Array.from({ length: 4e5 }, (_, i) => String(Math.random()).padEnd(250, 'a')).join(''))])); break
      case 'name': last.name = '../../../../etc/passwd\n\x1b[31m' + 'x'.repeat(5000); last.wrong = 'checksum'; break
      case 'wide': for (let i = 0; i < 200000; i++) members.unshift({ name: `d${i}/`, data: Buffer.alloc(0), stored: true }); break
    }
    const bytes = archive(members, { zip64: shape === 'zip64' || bad === 'wide', repeat: bad === 'overlapping' ? 50 : 1 })
    return bad === 'truncated' ? bytes.subarray(0, Math.floor(bytes.length * 2 / 3)) : bytes
  }

  // a figure for each day: of users the number of the day, of sessions 60 seconds more each day
  days(path, query) {
    const start = day(query.get('start'))
    const end = day(query.get('end'))
    if (start === null || end === null || end < start) return refused(400, 'invalid_request', 'start and end must be days, formatted YYYYMMDD')
    if (end - start + 1 > 365) return refused(400, 'invalid_request', 'the time range must not exceed 365 days')
    if (path === '/api/2/users' && (!['active', 'new'].includes(query.get('m')) || query.get('i') !== '1')) return refused(400, 'invalid_request', 'm and i')
    const days = Array.from({ length: end - start + 1 }, (_, i) => start + i)
    const value = (d) => path === '/api/2/users' ? (query.get('m') === 'new' ? 1 : 1000) + d % 100 : 60.5 + d % 100
    const data = { series: [days.map(value)], seriesCollapsed: [[0]], seriesLabels: [0], seriesMeta: [{ segmentIndex: 0 }], xValues: days.map((d) => time(d * 24 * HOUR).slice(0, 10)) }
    return { status: 200, body: { data: { ...data, ...this.settings.series } } }
  }

  chart(id) {
    if (id === 'abc123') return { status: 200, body: { data: { series: [[{ setId: '', value: 5 }, { setId: '', value: 7.5 }], [{ setId: '', value: 1 }, { setId: '', value: null }]], seriesCollapsed: [], seriesLabels: [[0, 'Free'], [0, 'Paid']], xValues: ['2024-03-05T00:00:00', '2024-03-06T00:00:00'] } } }
    if (id === 'lines') return { status: 200, body: { data: { series: [[1, 2, 3]], seriesLabels: ['All'], xValues: ['a', 'b', 'c'] } } }
    if (id === 'funnel') return { status: 200, body: { data: [{ events: ['a', 'b'], cumulative: [1, 0.5] }] } }
    return refused(404, 'not_found', 'Chart not found')
  }
}

new Service(new Project()).start()
