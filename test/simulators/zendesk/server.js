// Zendesk's Support API as its published description says: OAuth, cursor and
// offset pages, incremental exports, search, bulk jobs.
//
//   node server.js        prints "ready PORT"
//
// Access token: planted-zendesk, 81f1e2a0b4c7 (read, write), planted-zendesk-read (read); refresh token
// planted-zendesk-refresh; client planted-client, planted-client-secret; see ../rest/service.js.

'use strict'

const { Service, Tokens } = require('../rest/service')
const { entities, generate } = require('./data')
const search = require('./search')
const { Jobs } = require('./jobs')

const PAGE = 100
const EXPORT_PAGE = 1000
const SEARCH_LIMIT = 1000

const json = (status, body, headers) => ({ status, body, headers })
const cursor_of = (value) => Buffer.from(value).toString('base64')
const seconds = (time) => Math.floor(Date.parse(time) / 1000)

class Zendesk {
  constructor() {
    this.settings = {
      job_limit: 30, // queued or running at once
      remaining: 699, // calls that are left; at 0 those that come within a second are refused
      polls: 1, // answers of a job that say it is working
      job_failure: '', // killed or failed: what becomes of the next job
      reject: {}, // {field: value}: records with it are refused
      forbidden: [] // entities that the plan of the account does not have
    }
    this.tokens = new Tokens('zendesk', 172800)
    this.tokens.refresh.set('planted-zendesk-refresh', { scopes: ['read', 'write'], access: 'planted-zendesk' })
    this.given = new Map([['planted-zendesk', ['read', 'write']], ['planted-zendesk-read', ['read']], ['planted-zendesk-expiring', ['read', 'write']], ['81f1e2a0b4c7', ['read', 'write']]])
    this.store = new Map(Object.keys(entities).map((name) => [name, new Map()]))
    this.jobs = new Jobs(this)
    this.closed_until = 0
  }

  expire() {
    this.tokens.expire()
    this.given.delete('planted-zendesk-expiring')
  }

  seed(what) {
    for (const [name, records] of Object.entries(what)) {
      const table = this.store.get(name)
      table.clear()
      const rows = typeof records === 'number' ? Array.from({ length: records }, (_, i) => generate(name, i + 1)) : records
      for (const row of rows) table.set(String(entities[name].key(row)), row)
    }
    return { stored: Object.fromEntries([...this.store].map(([name, table]) => [name, table.size])) }
  }

  records(name) {
    return [...this.store.get(name).values()]
  }

  throttled() {
    return json(429, { error: 'APIRateLimitExceeded', description: 'Number of allowed API requests per minute exceeded' },
      { 'Retry-After': '1', 'X-Rate-Limit': '700', 'X-Rate-Limit-Remaining': '0', 'ratelimit-limit': '700', 'ratelimit-remaining': '0', 'ratelimit-reset': '1' })
  }

  async handle(request) {
    if (request.path === '/oauth/tokens') return this.token(request)
    const match = /^\/api\/v2\/(.+?)(\.json)?$/.exec(request.path)
    if (!match) return { status: 404, headers: { 'Content-Type': 'text/html' }, text: '<html><body>Oops, this page does not exist</body></html>' }
    const scopes = this.scopes_of(request)
    if (!Array.isArray(scopes)) return scopes
    const needed = request.method === 'GET' ? 'read' : 'write'
    if (!scopes.includes(needed)) {
      return json(403, { error: 'Forbidden', description: `You are missing the following required scopes: ${needed}` })
    }
    if (Date.now() < this.closed_until) return this.throttled()
    const answer = this.route(request, match[1])
    const { remaining } = this.settings
    if (remaining === 0) this.closed_until = Date.now() + 900
    answer.headers = { 'X-Rate-Limit': '700', 'X-Rate-Limit-Remaining': `${remaining}`, 'ratelimit-limit': '700', 'ratelimit-remaining': `${remaining}`, 'ratelimit-reset': remaining === 0 ? '1' : '41', ...answer.headers }
    return answer
  }

  token(request) {
    if (request.method !== 'POST' || !/^application\/json/.test(request.headers['content-type'] || '')) return json(400, { error: 'invalid_request', error_description: 'The request is missing a required parameter' })
    const form = request.json()
    if (form.client_id !== 'planted-client' || form.client_secret !== 'planted-client-secret') {
      return json(401, { error: 'invalid_client', error_description: 'Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.' })
    }
    let issued = null
    if (form.grant_type === 'refresh_token') issued = this.tokens.renew(form.refresh_token)
    else if (form.grant_type === 'authorization_code' && form.code === 'planted-code') issued = this.tokens.issue(['read', 'write'])
    else if (form.grant_type !== 'authorization_code') return json(400, { error: 'unsupported_grant_type', error_description: 'The authorization grant type is not supported by the authorization server.' })
    if (!issued) return json(400, { error: 'invalid_grant', error_description: 'The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client.' })
    return json(200, { access_token: issued.access, refresh_token: issued.refresh, token_type: 'bearer', scope: issued.scopes.join(' '), expires_in: issued.lifetime })
  }

  scopes_of(request) {
    const header = request.headers.authorization
    if (!header) return json(401, { error: "Couldn't authenticate you" })
    const token = /^Bearer (.+)$/.exec(header)
    const scopes = token && (this.given.get(token[1]) || this.tokens.access.get(token[1]))
    return scopes || json(401, { error: 'invalid_token', error_description: 'The access token provided is expired, revoked, malformed or invalid for other reasons.' })
  }

  missing() {
    return json(404, { error: 'RecordNotFound', description: 'Not found' })
  }

  route(request, path) {
    const parts = path.split('/')
    const entity = entities[parts[0]]
    if (this.settings.forbidden.includes(parts[0])) return json(403, { error: { title: 'Forbidden', message: 'You do not have access to this page. Please contact the account owner of this help desk for further help.' } })
    if (parts[0] === 'incremental' && request.method === 'GET') return this.incremental(request, parts.slice(1))
    if (parts[0] === 'search' && request.method === 'GET') return parts[1] === 'export' ? this.search_export(request) : parts.length === 1 ? this.search(request) : this.missing()
    if (parts[0] === 'job_statuses' && parts.length === 2) return this.jobs.status(request, parts[1])
    if (!entity || entity.hidden) return { status: 404, body: { error: 'InvalidEndpoint', description: 'Not found' } }
    if (parts.length === 1 && request.method === 'GET') return this.list(request, parts[0])
    if (parts.length === 2 && /^\d+$/.test(parts[1]) && request.method === 'GET') {
      const row = this.store.get(parts[0]).get(parts[1])
      return row ? json(200, { [entity.one]: row }) : this.missing()
    }
    return this.jobs.write(request, parts[0], parts[1]) || this.missing()
  }

  // ---------- lists ----------

  // a row as its kind of endpoint shows it
  shown(name, row, request) {
    const copy = { ...row }
    delete copy.generated_timestamp
    if (entities[name].url) copy.url = `${request.base}/api/v2/${name}/${row.id}.json`
    return copy
  }

  invalid_page(name, words) {
    return json(400, { errors: [{ code: 'InvalidPaginationParameter', title: `Invalid ${name}`, detail: words }] })
  }

  list(request, name, given) {
    const { query } = request
    let rows = given || this.records(name).filter((row) => row.status !== 'deleted' && !row.archived)
    if (name === 'satisfaction_ratings' && query.has('start_time')) rows = rows.filter((row) => seconds(row.created_at) >= Number(query.get('start_time')))
    const size = query.get('page[size]')
    if (size === null) return this.offset_list(request, name, rows)
    if (!/^\d+$/.test(size) || size < 1 || size > PAGE) return this.invalid_page('page[size]', `page[size] must be an integer between 1 and ${PAGE}`)
    let at = 0
    const after = query.get('page[after]')
    if (after !== null) {
      const match = /^o:(\d+):(\w+)$/.exec(Buffer.from(after, 'base64').toString())
      if (!match || match[2] !== name) return this.invalid_page('page[after]', 'page[after] is not valid')
      at = Number(match[1])
    }
    const page = rows.slice(at, at + Number(size))
    const more = at + page.length < rows.length
    const next = cursor_of(`o:${at + page.length}:${name}`)
    return json(200, {
      [entities[name].many]: page.map((row) => this.shown(name, row, request)),
      meta: { has_more: more, after_cursor: page.length ? next : null, before_cursor: page.length ? cursor_of(`o:${at}:${name}`) : null },
      links: {
        prev: null,
        next: page.length ? `${request.base}/api/v2/${name}.json?page%5Bafter%5D=${encodeURIComponent(next)}&page%5Bsize%5D=${size}` : null
      }
    })
  }

  offset_list(request, name, rows, limit, extra) {
    const { query } = request
    const per_page = Math.min(Number(query.get('per_page') || PAGE), PAGE)
    const page = Number(query.get('page') || 1)
    if (!Number.isInteger(page) || page < 1) return json(400, { error: { title: 'Invalid attribute', message: 'You passed an invalid value for the page attribute. Invalid parameter: page must be an integer' } })
    const at = (page - 1) * per_page
    if (limit !== undefined && at >= limit) return json(422, { error: 'invalid', description: 'Invalid search: Requested response size was greater than Search Response Limits' })
    if (limit === undefined && page > 100) return json(400, { error: 'InvalidPaginationDepth', description: `Pagination limit exceeded. Please use cursor pagination instead` })
    const shown = rows.slice(at, Math.min(at + per_page, limit === undefined ? rows.length : limit))
    const more = at + shown.length < rows.length
    const link = new URL(request.url, request.base)
    link.searchParams.set('page', page + 1)
    return json(200, { [extra || entities[name].many]: shown.map((row) => this.shown(name || row.result_type + 's', row, request)), next_page: more ? link.href : null, previous_page: null, count: rows.length })
  }

  // ---------- incremental exports ----------

  start_time(query) {
    const start = query.get('start_time')
    if (start === null || !/^\d+$/.test(start)) return json(400, { error: { title: 'Invalid attribute', message: 'You passed an invalid value for the start_time attribute. start_time must be a unix timestamp' } })
    if (Number(start) > Date.now() / 1000 - 60) return json(422, { error: 'InvalidValue', description: 'Too recent start_time. Use a start_time older than 1 minute' })
    return Number(start)
  }

  // in the order in which they were generated, those of the last minute left out
  exported(name) {
    const at = (row) => row.generated_timestamp !== undefined ? row.generated_timestamp : seconds(row.updated_at || row.created_at || row.time)
    const horizon = Math.floor(Date.now() / 1000) - 60
    return this.records(name).map((row) => ({ at: at(row), row })).filter(({ at }) => at < horizon)
      .sort((a, b) => a.at - b.at || entities[name].key(a.row) - entities[name].key(b.row))
  }

  export_shown(name, row, request) {
    const shown = this.shown(name, row, request)
    if (name === 'tickets') shown.generated_timestamp = row.generated_timestamp !== undefined ? row.generated_timestamp : seconds(row.updated_at)
    delete shown.archived
    return shown
  }

  incremental(request, parts) {
    const [name, kind] = parts
    const { query } = request
    const per_page = Number(query.get('per_page') || EXPORT_PAGE)
    if (!entities[name] || !entities[name].export || (kind !== undefined && kind !== 'cursor')) return this.missing()
    if (!Number.isInteger(per_page) || per_page < 1 || per_page > EXPORT_PAGE) return json(400, { error: { title: 'Invalid attribute', message: `per_page must be between 1 and ${EXPORT_PAGE}` } })
    const all = this.exported(name)
    const many = entities[name].export_many || entities[name].many
    const keep = ({ row }) => !(query.get('exclude_deleted') === 'true' && row.status === 'deleted')
    if (kind === 'cursor') {
      if (!entities[name].cursor) return this.missing()
      let from
      const cursor = query.get('cursor')
      if (cursor !== null) {
        const match = /^(\d+)\|\|(\d+)$/.exec(Buffer.from(cursor, 'base64').toString())
        if (!match) return json(400, { error: 'InvalidCursor', description: 'The cursor is invalid' })
        from = ({ at, row }) => at > Number(match[1]) || (at === Number(match[1]) && row.id > Number(match[2]))
      } else {
        const start = this.start_time(query)
        if (typeof start === 'object') return start
        from = ({ at }) => at >= start
      }
      const rest = all.filter(from)
      const page = rest.slice(0, per_page)
      const last = page[page.length - 1]
      const after = last ? cursor_of(`${last.at}||${last.row.id}`) : cursor || null
      return json(200, {
        [many]: page.filter(keep).map(({ row }) => this.export_shown(name, row, request)),
        after_cursor: after,
        after_url: after && `${request.base}/api/v2/incremental/${name}/cursor.json?cursor=${encodeURIComponent(after)}&per_page=${per_page}`,
        before_cursor: null,
        before_url: null,
        end_of_stream: rest.length <= per_page
      })
    }
    const start = this.start_time(query)
    if (typeof start === 'object') return start
    if (query.has('page[size]') && name === 'ticket_metric_events') return this.list(request, name, all.filter(({ at }) => at >= start).map(({ row }) => row))
    const rest = all.filter(({ at }) => at >= start)
    let page = rest.slice(0, per_page)
    // a page never ends amid one second, and the next begins with that second again
    page = page.concat(rest.slice(per_page).filter(({ at }) => at === page[page.length - 1].at))
    const end = page.length ? page[page.length - 1].at : start
    const last = page.length >= rest.length
    return json(200, {
      [many]: page.filter(keep).map(({ row }) => this.export_shown(name, row, request)),
      count: page.length,
      end_time: end,
      end_of_stream: last,
      next_page: page.length ? `${request.base}/api/v2/incremental/${name}.json?per_page=${per_page}&start_time=${end}` : null
    })
  }

  // ---------- search ----------

  // what matches; the newest are not indexed yet
  found(query, type) {
    const wanted = search.parse(query)
    const horizon = Date.now() - 120000
    const rows = []
    for (const name of ['tickets', 'users', 'organizations']) {
      const kind = name.slice(0, -1)
      if (type && kind !== type) continue
      for (const row of this.records(name)) {
        if (Date.parse(row.updated_at) < horizon && row.status !== 'deleted' && search.matches(wanted, kind, row)) rows.push({ ...row, result_type: kind })
      }
    }
    return rows
  }

  search(request) {
    const query = request.query.get('query')
    if (query === null) return json(422, { error: 'invalid', description: 'Invalid search: Query is blank' })
    if (request.query.has('page[size]')) return json(400, { error: { title: 'Invalid attribute', message: 'You passed an invalid value for the page attribute. Invalid parameter: page must be an integer from api/v2/search/index' } })
    let rows
    try {
      rows = this.found(query, null)
    } catch (error) {
      return json(422, { error: 'invalid', description: `Invalid search: ${error.message}` })
    }
    const by = request.query.get('sort_by')
    if (by) {
      const sign = request.query.get('sort_order') === 'asc' ? 1 : -1
      rows.sort((a, b) => sign * (String(a[by]) < String(b[by]) ? -1 : String(a[by]) > String(b[by]) ? 1 : 0))
    }
    return this.offset_list(request, null, rows, SEARCH_LIMIT, 'results')
  }

  search_export(request) {
    const type = request.query.get('filter[type]')
    const size = Number(request.query.get('page[size]') || PAGE)
    if (!['ticket', 'user', 'organization'].includes(type)) return json(400, { error: 'invalid', description: 'Invalid search: filter[type] must be one of ticket, organization, user, group' })
    if (!Number.isInteger(size) || size < 1 || size > EXPORT_PAGE) return this.invalid_page('page[size]', `page[size] must be an integer between 1 and ${EXPORT_PAGE}`)
    if (/\btype:/.test(request.query.get('query') || '')) return json(400, { error: 'invalid', description: 'Invalid search: type is given by filter[type]' })
    let rows
    try {
      rows = this.found(request.query.get('query') || '', type)
    } catch (error) {
      return json(422, { error: 'invalid', description: `Invalid search: ${error.message}` })
    }
    const after = request.query.get('page[after]')
    const at = after ? Number(Buffer.from(after, 'base64').toString().slice(2)) : 0
    const page = rows.slice(at, at + size)
    const more = at + page.length < rows.length
    const link = new URL(request.url, request.base)
    const next = cursor_of(`s:${at + page.length}`)
    link.searchParams.set('page[after]', next)
    return json(200, { results: page.map((row) => this.shown(type + 's', row, request)), facets: null, meta: { has_more: more, after_cursor: more ? next : null }, links: { prev: null, next: more ? link.href : null } })
  }
}

new Service(new Zendesk()).start()
