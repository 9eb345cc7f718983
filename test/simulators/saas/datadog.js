// Datadog's API: logs, events, audit trail, metrics and their values, monitors, hosts, users.
//
//   node datadog.js        prints "ready PORT"
//
// The API key planted-api with the application key planted-application (or a1b2 with c3d4) is good until /control/expire. See
// ../rest/service.js; /control/set {"timeouts": n} lets the next n searches give up halfway. "now" is 2024-01-10.

'use strict'

const { Service } = require('../rest/service')

const NOW = Date.UTC(2024, 0, 10)
const START = Date.UTC(2024, 0, 1)
const failed = (status, ...errors) => ({ status, body: { errors } })
const iso = (n) => new Date(START + n * 60000).toISOString()

const makers = {
  logs: (n) => ({ id: `L${String(n).padStart(6, '0')}`, type: 'log', attributes: { timestamp: iso(n), service: n % 2 ? 'web' : 'api', host: `h${n % 5}`, status: n % 10 ? 'info' : 'error', message: `Größe "${n}"`, tags: ['env:prod'], attributes: { n, deep: { a: [1] } } } }),
  events: (n) => ({ id: `E${n}`, type: 'event', attributes: { timestamp: iso(n), message: `event ${n}`, tags: [], attributes: { title: 't' } } }),
  audit: (n) => ({ id: `A${n}`, type: 'audit', attributes: { timestamp: iso(n), service: 'audit', message: 'm', tags: [], attributes: {} } }),
  monitors: (n) => ({ id: n, name: `monitor ${n}`, type: 'metric alert', query: 'avg(last_5m):avg:a{*} > 1', message: '', overall_state: n % 3 ? 'OK' : 'Alert', priority: null, multi: false, created: iso(0), modified: iso(n), tags: ['a'], creator: { name: 'x' }, options: { thresholds: { critical: 1 } } }),
  hosts: (n) => ({ id: n, name: `h${String(n).padStart(5, '0')}`, host_name: `h${n}`, aliases: [], apps: ['agent'], sources: ['agent'], up: n % 2 === 0, is_muted: false, last_reported_time: START / 1000 + n, tags_by_source: {}, meta: {}, metrics: { cpu: 1.5 } }),
  metrics: (n) => ({ type: 'metrics', id: `app.m${n}` }),
  users: (n) => ({ id: `u-${n}`, type: 'users', attributes: { name: `User ${n}`, handle: `u${n}@example.com`, email: `u${n}@example.com`, title: null, status: 'Active', disabled: false, service_account: false, created_at: iso(0), modified_at: iso(n) }, relationships: {} })
}
const searches = { '/api/v2/logs/events': 'logs', '/api/v2/events': 'events', '/api/v2/audit/events': 'audit' }

function moment(text) {
  const relative = /^now(?:-(\d+)([smhd]))?$/.exec(text)
  if (relative) return NOW - Number(relative[1] || 0) * ({ s: 1, m: 60, h: 3600, d: 86400 }[relative[2]] || 0) * 1000
  if (/^\d{13}$/.test(text)) return Number(text)
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : NaN
}

// a metric of two hosts at a minute
const value = (metric, host, minute) => (minute % 50 === 49 ? null : Number(metric.slice(5)) * 1000 + host * 100 + (minute % 60) + 0.25)
const mean = (list) => (list.length ? list.reduce((sum, one) => sum + one, 0) / list.length : null)

// whole numbers of a parameter, within bounds
function number(query, name, usual, least, most) {
  const value = query.has(name) ? Number(query.get(name)) : usual
  return Number.isInteger(value) && value >= least && value <= most ? value : null
}

class Organization {
  constructor() {
    this.settings = { timeouts: 0 }
    this.keys = new Map([['planted-api', 'planted-application'], ['a1b2', 'c3d4']])
    this.rows = new Map(Object.keys(makers).map((name) => [name, []]))
    this.cursors = new Map()
  }

  expire() {
    this.settings.expired = true
  }

  seed(what) {
    for (const [name, have] of Object.entries(what)) this.rows.set(name, typeof have === 'number' ? Array.from({ length: have }, (_, i) => makers[name](i + 1)) : have)
    return {}
  }

  records(name) {
    return this.rows.get(name)
  }

  throttled() {
    return { ...failed(429, 'Too many requests'), headers: { 'X-RateLimit-Limit': '300', 'X-RateLimit-Period': '3600', 'X-RateLimit-Remaining': '0', 'X-RateLimit-Reset': '1', 'X-RateLimit-Name': 'logs' } }
  }

  async handle(request) {
    const api = request.headers['dd-api-key']
    if (this.settings.expired || !this.keys.has(api)) return failed(401, 'Unauthorized')
    if (this.keys.get(api) !== request.headers['dd-application-key']) return failed(403, 'Forbidden')
    if (request.method !== 'GET') return failed(405, 'Method not allowed')
    const { path, query } = request
    if (searches[path]) return this.search(searches[path], query)
    if (path === '/api/v1/query') return this.points(query)
    if (path === '/api/v2/metrics') {
      const size = number(query, 'page[size]', 10000, 1, 10000)
      const at = query.has('page[cursor]') ? Number(Buffer.from(query.get('page[cursor]'), 'base64').toString().replace('m:', '')) : 0
      if (size === null || !Number.isInteger(at)) return failed(400, 'Invalid page')
      const rows = this.rows.get('metrics')
      const next = at + size < rows.length ? Buffer.from(`m:${at + size}`).toString('base64') : null
      return { status: 200, body: { data: rows.slice(at, at + size), meta: { pagination: { cursor: query.get('page[cursor]'), limit: size, next_cursor: next, type: 'cursor_limit' } } } }
    }
    if (path === '/api/v1/monitor') {
      const size = number(query, 'page_size', 100, 1, 1000)
      const page = number(query, 'page', 0, 0, 1e6)
      if (size === null || page === null) return failed(400, 'Invalid page')
      return { status: 200, body: this.rows.get('monitors').slice(page * size, (page + 1) * size) }
    }
    if (path === '/api/v1/hosts') {
      const count = number(query, 'count', 100, 1, 1000)
      const start = number(query, 'start', 0, 0, 1e6)
      if (count === null || start === null) return failed(400, 'Invalid count')
      const part = this.rows.get('hosts').slice(start, start + count)
      return { status: 200, body: { host_list: part, total_returned: part.length, total_matching: this.rows.get('hosts').length } }
    }
    if (path === '/api/v2/users') {
      const size = number(query, 'page[size]', 10, 1, 100)
      const page = number(query, 'page[number]', 0, 0, 1e6)
      if (size === null || page === null) return failed(400, 'Invalid page')
      return { status: 200, body: { data: this.rows.get('users').slice(page * size, (page + 1) * size), meta: { page: { total_count: this.rows.get('users').length, total_filtered_count: this.rows.get('users').length } } } }
    }
    return failed(404, 'Not found')
  }

  // one series for each host if the query is by host; at most 300 points in each
  points(query) {
    const from = number(query, 'from', null, 0, 1e10)
    const to = number(query, 'to', null, 0, 1e10)
    if (from === null || to === null || !query.get('query')) return failed(400, 'The parameters from, to and query are required')
    if (from > to) return failed(400, 'The start of the time range must be before its end')
    const asked = /^(avg|sum|min|max):([\w.]+)\{(\*|host:h(\d))\}( by \{host\})?$/.exec(query.get('query'))
    if (!asked) return failed(400, `Error parsing query: unable to parse ${query.get('query')}: Rule 'scope_expr' didn't match`)
    const [, aggr, metric, , only, by] = asked
    if (this.settings.erring) return { status: 200, body: { status: 'error', res_type: 'time_series', error: this.settings.erring, series: [], query: query.get('query') } }
    const interval = Math.max(60, Math.ceil((to - from) / 300 / 60) * 60)
    const hosts = only === undefined ? [0, 1] : [Number(only)]
    const found = this.rows.get('metrics').some(({ id }) => id === metric)
    const series = (found ? by ? hosts.map((host) => [host]) : [hosts] : []).map((members) => {
      const pointlist = []
      for (let at = Math.floor(from / interval) * interval; at < to; at += interval) {
        const minutes = Array.from({ length: interval / 60 }, (_, i) => at / 60 + i)
        const all = minutes.flatMap((minute) => members.map((host) => value(metric, host, minute))).filter((one) => one !== null)
        if (all.length) pointlist.push([at * 1000, aggr === 'avg' ? mean(all) : aggr === 'sum' ? all.reduce((sum, one) => sum + one) : Math[aggr](...all)])
      }
      const scope = by ? `host:h${members[0]}` : asked[3]
      return { unit: null, pointlist, end: to * 1000 - 1, interval, length: pointlist.length, start: from * 1000, tag_set: by ? [scope] : [], aggr, metric, expression: query.get('query').replace(/\{.*/, `{${scope}}`), scope, display_name: metric, query_index: 0, attributes: {} }
    })
    return { status: 200, body: { status: 'ok', res_type: 'time_series', resp_version: 1, query: query.get('query'), from_date: from * 1000, to_date: to * 1000, series, values: [], times: [], message: '', group_by: by ? ['host'] : [] } }
  }

  search(name, query) {
    const known = ['filter[query]', 'filter[from]', 'filter[to]', 'filter[indexes]', 'sort', 'page[limit]', 'page[cursor]']
    const unknown = [...query.keys()].find((key) => !known.includes(key))
    if (unknown) return failed(400, { title: 'Generic Error', status: '400', detail: `unknown parameter ${unknown}` })
    const limit = number(query, 'page[limit]', 10, 1, 1000)
    if (limit === null) return failed(400, { title: 'Generic Error', status: '400', detail: 'page[limit] must be between 1 and 1000' })
    const from = moment(query.get('filter[from]') || 'now-15m')
    const to = moment(query.get('filter[to]') || 'now')
    if (Number.isNaN(from) || Number.isNaN(to) || from > to) return failed(400, { title: 'Generic Error', status: '400', detail: 'the time range is not valid' })
    let rows = this.rows.get(name).filter(({ attributes }) => Date.parse(attributes.timestamp) >= from && Date.parse(attributes.timestamp) <= to)
    const words = query.get('filter[query]')
    for (const word of words === null || words === '*' ? [] : words.split(' ')) {
      const term = /^\(?(service|host|status):([\w*-]+)\)?$/.exec(word)
      if (!term) return failed(400, { title: 'Generic Error', status: '400', detail: `could not parse the query: ${word}` })
      rows = rows.filter(({ attributes }) => new RegExp(`^${term[2].replace('*', '.*')}$`).test(attributes[term[1]]))
    }
    if (query.get('sort') !== 'timestamp') rows = [...rows].reverse()
    const asked = [...query].filter(([key]) => key !== 'page[cursor]').join()
    let at = 0
    if (query.has('page[cursor]')) {
      const cursor = this.cursors.get(query.get('page[cursor]'))
      if (!cursor || cursor.asked !== asked) return failed(400, { title: 'Generic Error', status: '400', detail: 'the cursor is not of this search' })
      at = cursor.at
    }
    const timeout = this.settings.timeouts > 0 && at > 0
    if (timeout) this.settings.timeouts--
    const part = rows.slice(at, at + (timeout ? 3 : limit))
    const meta = { elapsed: 12, request_id: 'r', status: timeout ? 'timeout' : 'done', page: {} }
    if (at + part.length < rows.length && !timeout) {
      meta.page.after = Buffer.from(`${name}:${this.cursors.size}`).toString('base64')
      this.cursors.set(meta.page.after, { asked, at: at + part.length })
    }
    return { status: 200, body: { data: part, meta } }
  }
}

new Service(new Organization()).start()
