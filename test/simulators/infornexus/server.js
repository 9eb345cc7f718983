// Infor Nexus's REST API 3.1: objects by OQL, exports of analytics datasets.
//
//   node server.js        prints "ready PORT"
//
// Requests are signed by HMAC_1. Access key planted-access, user planted-user, secret planted-secret, data key planted-data (or
// A1, user@example.com, S1, D1) are good until /control/expire (and again with /control/set {"expired": false}). A date that is more
// than 15 minutes off is refused. See ../rest/service.js; seed: {"OrderDetail": 250, "$Custom": 10, "dataset:shipments": 100}.
// /control/set:
//   pages     most objects of a page, whatever was asked for
//   deaf      the offset is not heeded
//   hollow    pages behind the first have nothing, and say that there is more
//   bare      an answer without objects has no "result" (as the service does)
//   pending   the next so many exports are not ready; pendingStatus (202, or 304)
//
// What the service does not document (its limits, its errors) is made up here: pages of at most 3,000, errors as
// {"code", "message"}.

'use strict'

const crypto = require('node:crypto')
const { Service } = require('../rest/service')

const START = Date.UTC(2026, 0, 1)
const failed = (status, code, message) => ({ status, body: { code, message } })
const time = (n) => new Date(START + n * 3600000 + 120).toISOString().replace('T', ' ').slice(0, 23)

const meta = (type, n) => ({ uid: String(10000 + n), createTimestamp: time(n), modifyTimestamp: time(n * 2), fingerprint: `f${n}`, self: `/rest/3.1/${type}/${10000 + n}` })
const makers = {
  OrderDetail: (n) => ({ poNumber: `PO-${n}`, status: n % 3 ? 'Open' : "Buyer's choice", revision: n % 4, totals: { totalQuantity: n * 10, totalAmount: n / 4 }, issueDate: '2026-01-0' + (1 + n % 9), buyer: { name: `Größe "${n}"` }, lines: [{ line: 1, item: `I${n}` }], urgent: n % 2 === 0, notes: n % 5 ? null : `note ${n}` }),
  InvoiceDetail: (n) => ({ invoiceNumber: `INV-${n}`, amount: n * 1.5 }),
  dataset: (n) => ({ ShipmentID: `S${n}`, Quantity: n, zzz_ChangeCode: 'N' })
}

// conditions of OQL: path, operator, literal, joined by "and"; null if it is none
function parse(oql) {
  const conditions = []
  let rest = oql.trim()
  for (;;) {
    const match = /^([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*)\s*(>=|<=|=|>|<)\s*('(?:[^'\\]|'')*'|-?\d+(?:\.\d+)?)/.exec(rest)
    if (!match) return null
    const literal = match[3].startsWith("'") ? match[3].slice(1, -1).replace(/''/g, "'") : Number(match[3])
    conditions.push({ path: match[1].split('.'), operator: match[2], literal })
    rest = rest.slice(match[0].length)
    if (rest.trim() === '') return conditions
    const and = /^\s+and\s+/i.exec(rest)
    if (!and) return null
    rest = rest.slice(and[0].length)
  }
}

function holds(object, { path, operator, literal }) {
  const value = path.reduce((at, name) => at === null || at === undefined ? undefined : at[name], object)
  if (value === null || value === undefined || typeof value !== typeof literal) return false
  switch (operator) {
    case '=': return value === literal
    case '>': return value > literal
    case '<': return value < literal
    case '>=': return value >= literal
    default: return value <= literal
  }
}

const known = (objects, path) => objects.length === 0 || objects.some((object) => path.reduce((at, name) => at === null || at === undefined ? undefined : at[name], object) !== undefined)

class Network {
  constructor() {
    this.settings = { expired: false, pages: 3000, deaf: false, hollow: false, bare: true, pending: 0, pendingStatus: 202 }
    this.people = new Map([['planted-access', { user: 'planted-user', secret: 'planted-secret', data: 'planted-data' }], ['A1', { user: 'user@example.com', secret: 'S1', data: 'D1' }]])
    this.types = new Map([['OrderDetail', []], ['InvoiceDetail', []], ['PackingListDetail', []], ['ShippingOrder', []], ['Party', []], ['MasterData', []]])
    this.datasets = new Map()
  }

  expire() {
    this.settings.expired = true
  }

  seed(what) {
    for (const [name, have] of Object.entries(what)) {
      const dataset = /^dataset:(.+)/.exec(name)
      const make = dataset ? makers.dataset : makers[name] || ((n) => ({ code: `C${n}` }))
      const objects = typeof have === 'number' ? Array.from({ length: have }, (_, i) => make(i + 1)) : have
      if (dataset) this.datasets.set(dataset[1], objects)
      else this.types.set(name, objects.map((object, i) => ({ ...object, __metadata: object.__metadata || meta(name, i + 1) })))
    }
    return {}
  }

  records(name) {
    return this.types.get(name)
  }

  throttled() {
    return { ...failed(429, 'RATE_LIMIT', 'Too many requests'), headers: { 'Retry-After': '1' } }
  }

  // why a request is not believed, or null
  distrust({ method, url, headers, body }) {
    const match = /^HMAC_1 ([^:]+):([^:]+):(.+)$/.exec(headers.authorization || '')
    if (!match) return 'Authorization is missing'
    const person = this.people.get(match[1])
    const date = headers['x-dapi-date'] || ''
    const stamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?(\+0000|Z)$/.test(date) ? Date.parse(date.replace('+0000', 'Z')) : NaN
    if (!(Math.abs(Date.now() - stamp) < 15 * 60000)) return 'x-dapi-date is not a time of now'
    if (this.settings.expired || !person || person.user !== match[3]) return 'The access key is not valid'
    if (headers['x-nexus-api-key'] !== person.data) return 'The data key is not valid'
    const base = `${date}${method}${url}${body || ''}`.toLowerCase()
    const signature = crypto.createHmac('sha256', person.secret).update(base).digest('base64')
    return signature === match[2] ? null : 'The signature does not match'
  }

  async handle(request) {
    const why = this.distrust(request)
    if (why) return failed(401, 'UNAUTHORIZED', why)
    if (request.method !== 'GET') return failed(405, 'METHOD', 'Method not allowed')
    const dataset = /^\/rest\/3\.1\/analytics\/dataset\/([^/]+)\/export$/.exec(request.path)
    if (dataset) return this.export(decodeURIComponent(dataset[1]), request.query)
    const match = /^\/rest\/3\.1\/([^/]+)\/query$/.exec(request.path)
    const type = match && decodeURIComponent(match[1])
    if (!match || !this.types.has(type)) return failed(404, 'NOT_FOUND', `There is no ${type || request.path}`)
    return this.query(type, request.query)
  }

  query(type, query) {
    const unknown = [...query.keys()].find((key) => !['oql', 'offset', 'limit'].includes(key))
    if (unknown) return failed(400, 'BAD_REQUEST', `Unknown parameter ${unknown}`)
    const limit = Number(query.get('limit') || 100)
    const offset = Number(query.get('offset') || 0)
    if (!Number.isInteger(limit) || limit < 1 || limit > 3000 || !Number.isInteger(offset) || offset < 0) return failed(400, 'BAD_REQUEST', 'offset and limit must be numbers')
    let objects = this.types.get(type)
    if (query.has('oql')) {
      const conditions = parse(query.get('oql'))
      if (conditions === null) return failed(400, 'OQL', `Cannot parse the query: ${query.get('oql')}`)
      const stranger = conditions.find(({ path }) => path[0] === '__metadata' || !known(objects, path))
      if (stranger) return failed(400, 'OQL', `Cannot query by ${stranger.path.join('.')}`)
      objects = objects.filter((object) => conditions.every((condition) => holds(object, condition)))
    }
    const at = this.settings.deaf ? 0 : offset
    const page = this.settings.hollow && offset > 0 ? [] : objects.slice(at, at + Math.min(limit, this.settings.pages))
    const hasMore = at + page.length < objects.length
    const body = { __metadata: { apiVersion: '3.1', type, self: `/rest/3.1/${type}/query` }, resultInfo: { count: page.length, hasMore, offset: at, firstRowNumber: at + 1, estimatedTotalCount: objects.length }, result: page }
    if (page.length === 0 && this.settings.bare) delete body.result
    return { status: 200, body }
  }

  export(name, query) {
    if (!this.datasets.has(name)) return failed(404, 'NOT_FOUND', `There is no dataset ${name}`)
    if (!['Full', 'Incremental'].includes(query.get('mode'))) return failed(400, 'BAD_REQUEST', 'mode must be Full or Incremental')
    if (this.settings.pending-- > 0) return { status: this.settings.pendingStatus, text: this.settings.pendingStatus === 304 ? '' : '{"status": "IN_PROGRESS"}' }
    return { status: 200, headers: { 'Content-Type': 'application/octet-stream' }, text: this.datasets.get(name).map((row) => JSON.stringify(row) + '\n').join('') }
  }
}

new Service(new Network()).start()
