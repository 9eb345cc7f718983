// A ServiceNow instance's Table API: encoded queries, dictionary, inheritance of
// tables, basic authentication and OAuth.
//
//   node server.js        prints "ready PORT"
//
// Users planted-user, planted-password and integration, correct horse; access token planted-servicenow, refresh token
// planted-servicenow-refresh, client planted-client, planted-client-secret; the user
// planted-limited may not read the dictionary.  See ../rest/service.js.

'use strict'

const { Service, Tokens } = require('../rest/service')
const { tables, dictionary, generate, id } = require('./data')
const { parse, select } = require('./query')

const failure = (status, message, detail, headers) => ({ status, headers, body: { error: { message, detail }, status: 'failure' } })

class Instance {
  constructor() {
    this.settings = {
      strict: false, // glide.invalid_query.returns_no_rows
      maximum: 10000, // glide.rest.max.record.limit of our making
      cancelled: 0, // so many reads break off with 200 as long as they ask for more than cancel_above
      cancel_above: 0,
      gone: [], // columns of any table that are there no more
      hidden: 0 // of so many records the user may see the first only: the limit counts all
    }
    this.tokens = new Tokens('servicenow', 1799)
    this.tokens.refresh.set('planted-servicenow-refresh', { scopes: ['useraccount'], access: 'planted-servicenow' })
    this.given = new Set(['planted-servicenow', 'planted-servicenow-expiring'])
    this.store = new Map(Object.keys(tables).map((name) => [name, []]))
    const { objects, entries } = dictionary()
    this.store.set('sys_db_object', objects)
    this.store.set('sys_dictionary', entries)
  }

  expire() {
    this.tokens.expire()
    this.given.delete('planted-servicenow-expiring')
  }

  seed(what) {
    for (const [name, records] of Object.entries(what)) this.store.set(name, typeof records === 'number' ? Array.from({ length: records }, (_, i) => generate(name, i + 1)) : records)
    return Object.fromEntries([...this.store].map(([name, rows]) => [name, rows.length]))
  }

  records(name) {
    return this.store.get(name)
  }

  throttled() {
    return failure(429, 'Rate limit exceeded', 'The user has exceeded the number of requests allowed per hour', {
      'Retry-After': '1', 'X-RateLimit-Limit': '60', 'X-RateLimit-Rule': 'limit all', 'X-RateLimit-Reset': String(Math.ceil(Date.now() / 1000) + 1)
    })
  }

  async handle(request) {
    if (request.path === '/oauth_token.do') return this.token(request)
    const match = /^\/api\/now\/(?:v[12]\/)?table\/(\w+)(?:\/(\w+))?$/.exec(request.path)
    if (!match && !request.path.startsWith('/api/')) return { status: 200, headers: { 'Content-Type': 'text/html' }, text: '<html><body>Your instance is hibernating</body></html>' }
    const user = this.user_of(request)
    if (!user) return failure(401, 'User Not Authenticated', 'Required to provide Auth information', { 'WWW-Authenticate': 'Basic realm="Service-now"' })
    if (!match) return failure(400, `Requested URI does not represent any resource: ${request.path}`, null)
    return this.table(request, match[1], match[2], user)
  }

  token(request) {
    const form = new URLSearchParams(request.body)
    const refused = { status: 401, body: { error: 'access_denied', error_description: 'access_denied' } }
    if (request.method !== 'POST' || form.get('client_id') !== 'planted-client' || form.get('client_secret') !== 'planted-client-secret') return refused
    let issued = null
    if (form.get('grant_type') === 'refresh_token') issued = this.tokens.renew(form.get('refresh_token'))
    else if (form.get('grant_type') === 'client_credentials' || (form.get('grant_type') === 'authorization_code' && form.get('code') === 'planted-code')) issued = this.tokens.issue(['useraccount'])
    if (!issued) return refused
    return { status: 200, body: { access_token: issued.access, refresh_token: issued.refresh, scope: 'useraccount', token_type: 'Bearer', expires_in: issued.lifetime } }
  }

  user_of(request) {
    const header = request.headers.authorization || ''
    const basic = /^Basic (.+)$/.exec(header)
    if (basic) {
      const [user, password] = Buffer.from(basic[1], 'base64').toString().split(':')
      return (['planted-user', 'planted-limited'].includes(user) && password === 'planted-password') || (user === 'integration' && password === 'correct horse') ? user : null
    }
    const bearer = /^Bearer (.+)$/.exec(header)
    return bearer && (this.given.has(bearer[1]) || this.tokens.access.has(bearer[1])) ? 'planted-user' : null
  }

  // ---------- tables ----------

  lineage(name) {
    const names = []
    for (let at = name; at; at = tables[at].parent) names.push(at)
    return names
  }

  columns(name) {
    return new Map(this.lineage(name).reverse().flatMap((table) => tables[table].columns.filter(([element]) => !this.settings.gone.includes(element)).map(([element, type, , more]) => [element, { type, reference: more && more.reference }])))
  }

  // its own rows, and those of the tables that extend it
  rows(name) {
    return [...this.store.keys()].filter((table) => this.lineage(table).includes(name)).flatMap((table) => this.store.get(table))
  }

  table(request, name, sys_id, user) {
    const { query, method } = request
    if (!tables[name]) return failure(400, `Invalid table ${name}`, null)
    if (user === 'planted-limited' && name.startsWith('sys_d')) return failure(403, 'User Not Authorized', 'Failed API level ACL Validation')
    if (method !== 'GET') return failure(405, 'Method not supported', null)
    const columns = this.columns(name)
    if (sys_id) {
      const row = this.rows(name).find((one) => one.sys_id === sys_id)
      return row ? { status: 200, body: { result: this.shown(request, columns, row) } } : failure(404, 'No Record found', "Record doesn't exist or ACL restricts the record retrieval")
    }
    const text = query.get('sysparm_query') || ''
    if (/javascript:/i.test(text)) return failure(400, 'simulator: a script in a query', text)
    const has = (field) => columns.has(field)
    const type_of = (field) => columns.get(field).type
    let rows = select(parse(text, has), this.rows(name), type_of, this.settings.strict)
    const limit = Math.min(Number(query.get('sysparm_limit') || 10000), this.settings.maximum)
    const offset = Number(query.get('sysparm_offset') || 0)
    if (!Number.isInteger(limit) || !Number.isInteger(offset)) return failure(400, 'Invalid limit or offset', null)
    // without an order of their own, rows come as the database has them
    if (!/ORDERBY/.test(text)) rows = rows.map((row) => ({ row, at: id(row.sys_id + offset) })).sort((a, b) => (a.at < b.at ? -1 : 1)).map(({ row }) => row)
    const headers = {}
    if (query.get('sysparm_no_count') !== 'true') headers['X-Total-Count'] = String(rows.length)
    const page = rows.slice(offset, offset + limit).filter((row) => !(this.settings.hidden && this.rows(name).indexOf(row) % this.settings.hidden))
    if (query.get('sysparm_suppress_pagination_header') !== 'true' && rows.length > limit) {
      const link = (at, rel) => {
        const url = new URL(request.url, request.base)
        url.searchParams.set('sysparm_offset', at)
        return `<${url.href}>;rel="${rel}"`
      }
      const links = [link(0, 'first')]
      if (offset > 0) links.push(link(Math.max(0, offset - limit), 'prev'))
      if (offset + limit < rows.length) links.push(link(offset + limit, 'next'))
      links.push(link(Math.floor((rows.length - 1) / limit) * limit, 'last'))
      headers.Link = links.join(',')
    }
    if (this.settings.cancelled > 0 && !name.startsWith('sys_d') && limit > this.settings.cancel_above) {
      this.settings.cancelled--
      return { status: 200, headers, body: { error: { message: 'Transaction cancelled: maximum execution time exceeded', detail: 'Transaction cancelled: maximum execution time exceeded' }, status: 'failure', result: page.slice(0, Math.floor(page.length / 2)).map((row) => this.shown(request, columns, row)) } }
    }
    return { status: 200, headers, body: { result: page.map((row) => this.shown(request, columns, row)) } }
  }

  display(columns, field, value) {
    const { type, reference } = columns.get(field)
    if (value === '') return ''
    if (reference && tables[reference]) {
      const row = this.rows(reference).find((one) => one.sys_id === value)
      return row ? row.name || row.number || value : ''
    }
    return type === 'integer' && (field === 'state' || field === 'priority') ? `${value} - Label` : value
  }

  shown(request, columns, row) {
    const { query } = request
    const wanted = query.get('sysparm_fields')
    const how = query.get('sysparm_display_value') || 'false'
    const plain = query.get('sysparm_exclude_reference_link') === 'true'
    const shown = {}
    for (const field of wanted ? wanted.split(',').map((name) => name.trim()) : columns.keys()) {
      const dot = field.indexOf('.')
      if (dot > 0 && columns.has(field.slice(0, dot)) && columns.get(field.slice(0, dot)).reference) {
        const { reference } = columns.get(field.slice(0, dot))
        const other = this.rows(reference).find(({ sys_id }) => sys_id === row[field.slice(0, dot)])
        shown[field] = other ? other[field.slice(dot + 1)] || '' : ''
        continue
      }
      if (!columns.has(field)) continue // those that there are not are left out without a word
      const value = row[field] === undefined ? '' : row[field]
      const { reference } = columns.get(field)
      const display = how === 'false' ? null : this.display(columns, field, value)
      if (how === 'all') shown[field] = { display_value: display, value, ...(reference && !plain && value ? { link: `${request.base}/api/now/table/${reference}/${value}` } : {}) }
      else if (reference && !plain && value !== '') shown[field] = how === 'true' ? { display_value: display, link: `${request.base}/api/now/table/${reference}/${value}` } : { link: `${request.base}/api/now/table/${reference}/${value}`, value }
      else shown[field] = how === 'true' ? display : value
    }
    return shown
  }
}

new Service(new Instance()).start()
