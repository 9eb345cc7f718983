// server.js
//	An organization of Salesforce on a port of its own: OAuth 2.0, REST, Bulk API 2.0,
//	streaming.  It refuses what Salesforce refuses, in its words.
//
//	node server.js        prints "ready PORT"
//	node server.js demo   the same, with accounts and contacts in it
//
//	Modules add routes: [method, pattern of the path, handler(context), options].  A
//	context has request, response, url, match, body (a Buffer), org, version and
//	  json(status, value, headers)      answer
//	  error(status, code, message)      answer in Salesforce's form
//	Options: {open: true} needs no token.
//
//	Environment: JWT_PUBLIC_KEY (PEM) for jwt-bearer; CLIENT_ID and CLIENT_SECRET of the
//	connected app, by default any client, as the apps of a packaged connector are.
//
//	Tests steer it by POST /control/NAME with a JSON body; see control below.

'use strict'

const crypto = require('node:crypto')
const http = require('node:http')
const { Org, field } = require('./store.js')

const VERSIONS = ['47.0', '50.0', '55.0', '58.0']
const LIFE = 2 * 3600 * 1000

const org = new Org()
const state = {
  tokens: new Map(), // access token -> when it ends
  refresh: new Set(['planted-refresh']),
  codes: new Set(['planted-code']),
  seen: [], // requests
  faults: [], // see control/fault
  calls: 18, // of the day
  maximum: 15000,
  disabled: false, // API_DISABLED_FOR_ORG
  counter: 0,
  base: ''
}

function newToken () {
  const token = `00D5g0000000001!AQ${crypto.randomBytes(8).toString('hex')}.planted-access-${++state.counter}`
  state.tokens.set(token, Date.now() + LIFE)
  return token
}
state.tokens.set('planted-access', Date.now() + LIFE)

// ---------- OAuth ----------

function token (context) {
  const form = Object.fromEntries(new URLSearchParams(String(context.body)))
  const refuse = (error, description) => context.json(400, { error, error_description: description })
  const { CLIENT_ID, CLIENT_SECRET, JWT_PUBLIC_KEY } = process.env
  const basic = /^Basic (.*)$/.exec(context.request.headers.authorization || '')
  if (basic) [form.client_id, form.client_secret] = String(Buffer.from(basic[1], 'base64')).split(':')

  if (context.request.headers['content-type'] !== 'application/x-www-form-urlencoded') return refuse('invalid_request', 'must use HTTP POST with form content')
  const answer = (more = {}) => context.json(200, {
    access_token: newToken(), signature: 'c2lnbmF0dXJl', scope: 'refresh_token api id', instance_url: state.base,
    id: `${state.base}/id/00D5g0000000001EAA/${org.user.Id}`, token_type: 'Bearer', issued_at: String(Date.now()), ...more
  })
  if (form.grant_type === 'urn:ietf:params:oauth:grant-type:jwt-bearer') {
    const [head, claims, signature] = (form.assertion || '').split('.')
    let said
    try {
      said = JSON.parse(Buffer.from(claims, 'base64url'))
      if (!crypto.verify('sha256', Buffer.from(`${head}.${claims}`), JWT_PUBLIC_KEY, Buffer.from(signature, 'base64url'))) return refuse('invalid_grant', 'invalid assertion')
    } catch { return refuse('invalid_grant', 'invalid assertion') }
    if (CLIENT_ID && said.iss !== CLIENT_ID) return refuse('invalid_client_id', 'client identifier invalid')
    if (![state.base, 'https://login.salesforce.com', 'https://test.salesforce.com'].includes(said.aud)) return refuse('invalid_grant', 'audience is invalid')
    if (!(said.exp * 1000 > Date.now())) return refuse('invalid_grant', 'expired authorization code')
    return answer({ refresh_token: undefined })
  }
  if (CLIENT_ID && form.client_id !== CLIENT_ID) return refuse('invalid_client_id', 'client identifier invalid')
  if (CLIENT_ID && form.client_secret !== CLIENT_SECRET) return refuse('invalid_client', 'invalid client credentials')
  switch (form.grant_type) {
    case 'authorization_code': {
      if (!state.codes.delete(form.code)) return refuse('invalid_grant', 'expired authorization code')
      if (!form.redirect_uri) return refuse('redirect_uri_mismatch', 'redirect_uri must match configuration')
      const refresh = `planted-refresh-${++state.counter}`
      state.refresh.add(refresh)
      return answer({ refresh_token: refresh })
    }
    case 'refresh_token':
      return state.refresh.has(form.refresh_token) ? answer() : refuse('invalid_grant', 'expired access/refresh token')
    case 'client_credentials':
      return CLIENT_ID ? answer() : refuse('invalid_grant', 'no client credentials user enabled')
    default:
      return refuse('unsupported_grant_type', 'grant type not supported')
  }
}

// ---------- objects ----------

const LISTED = ['createable', 'custom', 'customSetting', 'deletable', 'deprecatedAndHidden', 'feedEnabled', 'hasSubtypes', 'isSubtype', 'keyPrefix', 'label', 'labelPlural', 'layoutable', 'mergeable', 'name', 'queryable', 'replicateable', 'retrieveable', 'searchable', 'triggerable', 'undeletable', 'updateable']

function listed (object, version) {
  const path = `/services/data/v${version}/sobjects/${object.name}`
  return { ...Object.fromEntries(LISTED.map((name) => [name, object[name]])), urls: { sobject: path, describe: `${path}/describe`, rowTemplate: `${path}/{ID}` } }
}

function sobjects (context) {
  context.json(200, { encoding: 'UTF-8', maxBatchSize: 200, sobjects: [...org.objects.values()].map((o) => listed(o, context.version)) })
}

function describe (context) {
  const object = org.objects.get(context.match[1])
  if (!object) return context.error(404, 'NOT_FOUND', 'The requested resource does not exist')
  context.json(200, { ...listed(object, context.version), actionOverrides: [], childRelationships: [], fields: object.fields, recordTypeInfos: [] })
}

function limits (context) {
  context.json(200, { DailyApiRequests: { Max: state.maximum, Remaining: state.maximum - state.calls }, DailyBulkV2QueryJobs: { Max: 10000, Remaining: 10000 } })
}

// ---------- what tests ask for ----------

const control = {
  // {object, records: [{...}]}: as they are, unchecked; answers their ids
  put: ({ object, records }) => records.map((r) => org.put(object, r).Id),
  // {object, count, values}: values may have {n}
  seed: ({ object, count, values = {} }) => {
    for (let n = 1; n <= count; n++) {
      org.put(object, Object.fromEntries(Object.entries(values).map(([k, v]) => [k, typeof v !== 'string' ? v : v === '{n}' ? n : v.replaceAll('{n}', n)])))
    }
    return count
  },
  // {object}: all records, as they are kept
  records: ({ object }) => [...org.records.get(object).all()],
  delete: ({ object, id }) => { org.records.get(object).get(id).IsDeleted = true; return true },
  'add-field': ({ object, name, type, more }) => { org.objects.get(object).fields.push(field(name, type, more)); return true },
  'remove-field': ({ object, name }) => { const o = org.objects.get(object); o.fields = o.fields.filter((f) => f.name !== name); return true },
  // all access tokens end now; {for_good}: refresh tokens too
  expire: ({ for_good: forGood }) => { state.tokens.clear(); if (forGood) state.refresh.clear(); return true },
  // members of state: {disabled, calls, maximum}
  set: (values) => { Object.assign(state, values); return true },
  clock: ({ time }) => { org.clock = time ?? null; return true },
  lock: ({ ids }) => { org.locked = new Set(ids); return true },
  // {kind, path (pattern), skip, count, ...}: the count calls whose path matches, after skip of them, go wrong
  fault: (fault) => { state.faults.push({ skip: 0, count: 1, path: '.', ...fault }); return true },
  seen: () => state.seen,
  // forget requests and faults
  reset: () => { state.seen = []; state.faults = []; return true },
  code: ({ code }) => { state.codes.add(code); return true },
  token: () => newToken()
}

// what faults do to a call instead of answering, or to the text of its answer
const faults = {
  unavailable: (c) => c.error(503, 'SERVER_UNAVAILABLE', 'Service is temporarily unavailable.'),
  concurrent: (c) => c.error(403, 'REQUEST_LIMIT_EXCEEDED', 'ConcurrentRequests (Concurrent API Requests) Limit exceeded.'),
  daily: (c) => c.error(403, 'REQUEST_LIMIT_EXCEEDED', 'TotalRequests Limit exceeded.'),
  expire: (c) => { state.tokens.clear(); c.error(401, 'INVALID_SESSION_ID', 'Session expired or invalid') },
  error: (c, f) => c.error(f.status, f.code, f.message),
  html: (c) => { c.response.writeHead(200, { 'Content-Type': 'text/html' }); c.response.end('<!DOCTYPE html><html><head><title>Down for Maintenance</title></head></html>') },
  hang: () => {},
  // {status, text}
  body: (c, f) => c.send(f.status || 200, { 'Content-Type': f.type || 'application/json' }, f.text),
  reset: (c) => c.request.socket.destroy()
}
const garble = {
  cut: (text) => text, // see send
  lose: (text) => text, // all is done, and nothing answered
  truncate: (text) => text.slice(0, Math.floor(text.length / 2)),
  replace: (text, f) => text.replace(f.regexp ? new RegExp(f.from, 's') : f.from, () => f.to),
  'bad-utf8': (text) => Buffer.concat([Buffer.from(text.slice(0, text.lastIndexOf('"'))), Buffer.from([0xff, 0xfe]), Buffer.from(text.slice(text.lastIndexOf('"')))]),
  slow: (text) => text
}

function faultOf (path) {
  for (const fault of state.faults) {
    if (fault.count <= 0 || !new RegExp(fault.path).test(path)) continue
    if (fault.skip-- > 0) continue
    fault.count--
    return fault
  }
}

// ---------- serving ----------

const routes = [
  ['POST', /^\/services\/oauth2\/token$/, token, { open: true }],
  ['GET', /^\/services\/data\/?$/, (c) => c.json(200, VERSIONS.map((version) => ({ label: "Summer '23", url: `/services/data/v${version}`, version }))), { open: true }],
  ['GET', /^\/services\/oauth2\/userinfo$/, (c) => c.json(200, { user_id: org.user.Id, organization_id: '00D5g0000000001EAA', email: org.user.Email })],
  ['GET', /^\/sobjects\/?$/, sobjects],
  ['GET', /^\/sobjects\/(\w+)\/describe\/?$/, describe],
  ['GET', /^\/limits\/?$/, limits]
]

class Context {
  constructor (request, response, url, body) {
    Object.assign(this, { request, response, url, body, org, state, fault: null, version: null, match: null })
  }

  send (status, headers, text) {
    const fault = this.fault
    if (fault && fault.kind === 'lose') return this.request.socket.destroy()
    const garbled = fault && garble[fault.kind] ? garble[fault.kind](text, fault) : text
    const length = Buffer.byteLength(garbled)
    this.response.writeHead(status, { 'Content-Length': length, 'Sforce-Limit-Info': `api-usage=${state.calls}/${state.maximum}`, ...headers })
    if (fault && fault.kind === 'cut') {
      this.response.write(garbled.slice(0, Math.floor(garbled.length / 2)))
      return setTimeout(() => this.request.socket.destroy(), 50)
    }
    if (fault && fault.kind === 'slow') {
      this.response.write(garbled.slice(0, 10))
      return setTimeout(() => this.response.end(garbled.slice(10)), fault.delay || 500)
    }
    this.response.end(garbled)
  }

  json (status, value, headers = {}) { this.send(status, { 'Content-Type': 'application/json;charset=UTF-8', ...headers }, JSON.stringify(value)) }
  error (status, errorCode, message, more = {}) { this.json(status, [{ message, errorCode, ...more }]) }
}

function route (context) {
  const { request, url } = context
  const path = url.pathname
  if (path.startsWith('/control/')) {
    const result = control[path.slice(9)](context.body.length ? JSON.parse(context.body) : {})
    return context.json(200, { result })
  }
  const seen = { method: request.method, url: request.url, headers: request.headers, body: String(context.body).slice(0, 10000), fault: null }
  state.seen.push(seen)
  const total = Buffer.byteLength(request.url)
  if (total > 16384) return context.send(414, { 'Content-Type': 'text/html' }, '<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>')

  context.fault = faultOf(request.url)
  seen.fault = context.fault && context.fault.kind
  if (context.fault && faults[context.fault.kind]) return faults[context.fault.kind](context, context.fault)

  const versioned = /^\/services\/data\/v(\d+\.\d)(\/.*)$/.exec(path)
  if (versioned && !VERSIONS.includes(versioned[1])) return context.error(404, 'NOT_FOUND', 'The requested resource does not exist')
  if (versioned) context.version = versioned[1]
  let known = false
  for (const [method, pattern, handler, options = {}] of routes) {
    context.match = pattern.exec(versioned ? versioned[2] : path)
    if (!context.match) continue
    known = true
    if (method !== request.method) continue
    if (!options.open) {
      const given = (request.headers.authorization || '').replace(/^(Bearer|OAuth) /, '')
      if (!((state.tokens.get(given) || 0) > Date.now())) return context.error(401, 'INVALID_SESSION_ID', 'Session expired or invalid')
      if (state.disabled) return context.error(403, 'API_DISABLED_FOR_ORG', 'API is not enabled for this Organization or Partner')
      state.calls++
    }
    return handler(context)
  }
  if (known) return context.error(405, 'METHOD_NOT_ALLOWED', `HTTP Method '${request.method}' not allowed. Allowed are HEAD,GET`)
  context.error(404, 'NOT_FOUND', 'The requested resource does not exist')
}

// each adds routes, and may add what tests ask for
for (const name of ['./query.js', './bulk_query.js', './collections.js', './ingest.js', './streaming.js']) {
  try { require.resolve(name) } catch { continue }
  require(name).install({ routes, control, org, state })
}

if (process.argv[2] === 'demo') {
  const day = (text) => Date.parse(text)
  for (const [Name, Industry, AnnualRevenue, changed] of [
    ['Northwind', 'Energy', 350000000, '2024-03-01T09:00:00Z'], ['Contoso', 'Technology', 1200000, '2024-03-02T10:30:00Z'],
    ['Fabrikam', 'Energy', null, '2024-03-03T12:15:00Z'], ['Tailspin', null, 90000, '2024-03-04T18:45:00Z']]) {
    const account = org.put('Account', { Name, Industry, AnnualRevenue, BillingCity: 'Berlin', SystemModstamp: day(changed), LastModifiedDate: day(changed) })
    org.put('Contact', { FirstName: 'Ada', LastName: Name + '-Contact', AccountId: account.Id, Email: `ada@${Name.toLowerCase()}.example` })
  }
}

const server = http.createServer({ maxHeaderSize: 65536 }, (request, response) => {
  const pieces = []
  request.on('data', (piece) => pieces.push(piece))
  request.on('end', () => {
    const context = new Context(request, response, new URL(request.url, 'http://x'), Buffer.concat(pieces))
    try {
      route(context)
    } catch (error) {
      if (!error.status) console.error(error)
      if (error.status) context.error(error.status, error.code, error.message)
      else context.error(500, 'UNKNOWN_EXCEPTION', String(error.message))
    }
  })
})
server.keepAliveTimeout = 60000
server.listen(0, '127.0.0.1', 511, () => {
  state.base = `http://127.0.0.1:${server.address().port}`
  console.log(`ready ${server.address().port}`)
})
