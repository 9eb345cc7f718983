// Marketo Engage: identity, lead database, activities, assets, bulk jobs.
//
//   node server.js        prints "ready PORT"
//
// The client planted-client with the secret planted-client-secret gets tokens that are good for an hour, or until
// /control/expire; asked early, the same one again. See ../rest/service.js; /control/seed {"leads": n, "activities": n, ...},
// /control/set:
//
//   from, step      leads are made one every step ms from that time on (and so on for others)
//   polls           questions before a job is done        queueFull, importsFull   so many refusals (1029, 1016)
//   noUpdatedAt     jobs by updatedAt are refused (1035)  exportQuota              the quota of bytes is used up (1029)
//   dirty           notes are exported without quotes     checksum, miscount       lies about files
//   gone, noRange   files are gone; come as a whole       failJobs, failImports    jobs fail
//   loop            the second page of lists is followed by itself
//   sparse          every other page of activities is empty
//   rate            calls that 20 seconds may have (606)  quota                    calls that are left (607)
//   slowSync        ms that a request to write takes      unauthorized             identity says it with status 200
//   errors          {"pattern": "code", ...}: the next matching call fails so

'use strict'

const { Service, sleep } = require('../rest/service')
const { Exports, Imports, fine, refused, shown } = require('./exports')
const { leadFields, leadSearch, objects, activityTypes } = require('./data')

const PAGE = 300
const DAY = 86400000
const leadNames = leadFields.filter((field) => field.name).map((field) => field.name)
const guid = (n) => `dff23271-f996-47d7-984f-${String(n).padStart(12, '0')}`

class Subscription {
  constructor() {
    this.settings = { from: '2024-01-01T00:00:00Z', step: 3600000, polls: 1, rate: 0, quota: -1, slowSync: 0 }
    this.exports = new Exports(this.settings)
    this.imports = new Imports(this.settings)
    this.token = null
    this.tokens = new Map() // token => when it ends, or 0: it has been ended
    this.issued = 0
    this.calls = []
    this.busy = 0
    this.worst = 0
    this.leads = new Map()
    this.lastLead = 0
    this.stores = new Map(Object.keys(objects).map((name) => [name, []]))
    this.lastRecord = 0
    this.activities = []
    this.lists = []
    this.campaigns = []
    this.programs = []
    this.pages = new Map()
    this.inFlight = new Set()
  }

  records(name) {
    if (name === 'leads') return [...this.leads.values()]
    if (name === 'activities') return this.activities.map((activity) => this.shownActivity(activity))
    if (name === 'issued') return this.issued // tokens
    if (name === 'worst') return this.worst // calls at once
    if (name === 'jobs') return [...this.exports.jobs.values()].map((job) => job.status)
    return this.stores.get(name)
  }

  expire() {
    for (const token of this.tokens.keys()) this.tokens.set(token, 0)
    this.token = null
  }

  time(n) {
    return Date.parse(this.settings.from) + n * this.settings.step
  }

  addLead(values, at) {
    const id = ++this.lastLead
    const lead = { id, created: at, changed: at, ...values }
    this.leads.set(id, lead)
    return lead
  }

  seed(what) {
    for (const [name, have] of Object.entries(what)) {
      const many = typeof have === 'number' ? Array.from({ length: have }, (_, i) => i + 1) : have
      if (name === 'leads') {
        this.leads.clear()
        this.lastLead = 0
        for (const n of many) {
          if (typeof n === 'number') {
            this.addLead({
              email: `person${n}@example.com`, firstName: n % 7 === 0 ? null : `Zoë "${n}"`, lastName: `Last, ${n}`, company: n % 2 ? 'Acme' : null, leadScore: n % 50,
              annualRevenue: n * 1.25, share: n % 100, unsubscribed: n % 9 === 0, dateOfBirth: n % 3 ? '1990-05-17' : null, lastSeen: null, notes: n % 5 ? null : `line\n${n}`
            }, this.time(n))
          } else {
            const { createdAt, updatedAt, changedAt, ...values } = n
            const lead = this.addLead(values, Date.parse(createdAt || this.settings.from))
            lead.shown = Date.parse(updatedAt || createdAt || this.settings.from)
            lead.changed = Date.parse(changedAt || updatedAt || createdAt || this.settings.from)
          }
        }
      } else if (objects[name]) {
        this.stores.set(name, [])
        for (const n of many) this.addRecord(name, typeof n === 'number' ? objects[name].make(n) : n, typeof n === 'number' ? this.time(n) : Date.parse(n.updatedAt))
      } else if (name === 'activities') {
        this.activities = many.map((n) => (typeof n === 'number'
          ? { id: n, leadId: 1 + (n % 20), time: this.time(n), activityTypeId: [1, 2, 12, 37, 105][n % 5], primaryAttributeValueId: n, primaryAttributeValue: `page ${n}`, attributes: n % 5 === 0 ? [{ name: 'Client IP Address', value: '10.0.0.1' }, { name: 'User Agent', value: `curl "${n}"` }, ...(n % 2 ? [{ name: 'Seconds', value: n }] : [])] : n % 5 === 2 ? [{ name: 'Source Type', value: 'API' }, { name: 'leadId', value: 99 }] : [] }
          : { attributes: [], ...n, time: Date.parse(n.activityDate) }))
      } else if (name === 'lists') this.lists = many.map((n) => ({ id: 1000 + n, name: `List ${n}`, workspaceName: 'Default', createdAt: shown(this.time(n)), updatedAt: shown(this.time(n)) }))
      else if (name === 'campaigns') this.campaigns = many.map((n) => ({ id: 2000 + n, name: `Campaign ${n}`, type: n % 2 ? 'batch' : 'trigger', active: n % 2 === 0, workspaceName: 'Default', createdAt: shown(this.time(n)), updatedAt: shown(this.time(n)) }))
      else if (name === 'programs') this.programs = many.map((n) => ({ id: 3000 + n, name: `Program ${n}`, description: '', createdAt: `${shown(this.time(n))}+0000`, updatedAt: `${shown(this.time(n))}+0000`, url: 'https://app.example.com/#PG1', type: 'Default', channel: 'Online', folder: { type: 'Folder', value: 13, folderName: 'A' }, status: '', workspace: 'Default', headStart: false, time: this.time(n) }))
      else throw new Error(`no such thing: ${name}`)
    }
    return {}
  }

  addRecord(name, values, at) {
    const n = ++this.lastRecord
    const record = { ...values, created: at, changed: at, createdAt: shown(at), updatedAt: shown(at) }
    record[objects[name].idField] = objects[name].idField === 'id' ? this.stores.get(name).length + 1 : guid(n)
    this.stores.get(name).push(record)
    return record
  }

  throttled() {
    return refused(606, "Max rate limit '100' exceeded with in '20' secs")
  }

  // ---------- identity ----------

  identity(request) {
    const given = new URLSearchParams(request.method === 'POST' ? request.body : '')
    const value = (name) => request.query.get(name) || given.get(name)
    if (value('grant_type') !== 'client_credentials') return { status: 400, body: { error: 'unsupported_grant_type', error_description: 'Unsupported grant type' } }
    if (value('client_id') !== 'planted-client' || value('client_secret') !== 'planted-client-secret') {
      if (this.settings.unauthorized) return { status: 200, body: { error: 'unauthorized', error_description: 'An Authentication object was not found' } }
      return { status: 401, body: { error: 'invalid_client', error_description: 'Bad client credentials' } }
    }
    if (this.token === null) {
      this.token = `planted-token-${++this.issued}:int`
      this.tokens.set(this.token, Date.now() + 3600000)
    }
    return { status: 200, body: { access_token: this.token, token_type: 'bearer', expires_in: Math.floor((this.tokens.get(this.token) - Date.now()) / 1000), scope: 'api@example.com' } }
  }

  // ---------- what all calls have to obey ----------

  async handle(request) {
    if (request.path === '/identity/oauth/token') return this.identity(request)
    if (request.path.includes('//')) return refused(610, 'Requested resource not found')
    if (request.method === 'GET' && request.url.length > 8192) return { status: 414, headers: { 'Content-Type': 'text/html' }, text: '<html><h1>414 Request-URI Too Long</h1></html>' }
    if (request.query.has('access_token')) return refused(600, 'Access token not specified')
    const header = /^Bearer (.+)$/.exec(request.headers.authorization || '')
    if (!header) return refused(600, 'Access token not specified')
    if (!this.tokens.has(header[1])) return refused(601, 'Access token invalid')
    if (this.tokens.get(header[1]) < Date.now()) return refused(602, 'Access token expired')
    for (const [pattern, code] of Object.entries(this.settings.errors || {})) {
      if (!new RegExp(pattern).test(`${request.method} ${request.url}`)) continue
      delete this.settings.errors[pattern]
      return refused(code, `planted ${code}`)
    }
    if (this.settings.quota === 0) return refused(607, 'Daily API Request Limit Reached')
    if (this.settings.quota > 0) this.settings.quota--
    if (this.settings.rate) {
      const now = Date.now()
      this.calls = this.calls.filter((at) => at > now - (this.settings.rateSpan || 20000))
      if (this.calls.length >= this.settings.rate) return this.throttled()
      this.calls.push(now)
    }
    if (this.busy >= 10) return refused(615, 'Concurrent access limit reached')
    this.busy++
    this.worst = Math.max(this.worst, this.busy)
    try {
      return await this.route(request)
    } finally {
      this.busy--
    }
  }

  async route(request) {
    let method = request.method
    const { path } = request
    if (method === 'POST' && request.query.get('_method') === 'GET') {
      method = 'GET'
      if (!/^application\/x-www-form-urlencoded/.test(request.headers['content-type'] || '')) return refused(612, 'Invalid Content Type')
      request = { ...request, query: new URLSearchParams(request.body) }
    } else if (method === 'POST' && request.body !== '' && !path.startsWith('/bulk/v1/leads.json') && !path.endsWith('/import.json')) {
      if (!/^application\/json/.test(request.headers['content-type'] || '')) return refused(612, 'Invalid Content Type')
      if (Buffer.byteLength(request.body) > 1024 * 1024) return { status: 413, headers: { 'Content-Type': 'text/html' }, text: '<html><h1>413 Request Entity Too Large</h1></html>' }
      try {
        request.json()
      } catch {
        return refused(609, 'Invalid JSON')
      }
    }
    if (path === '/rest/v1/leads/describe.json') return fine(leadFields.map((field, i) => ({ id: i, displayName: field.name ? `The ${field.name}` : field.soap, dataType: field.dataType, ...(field.length ? { length: field.length } : {}), ...(field.name ? { rest: { name: field.name, readOnly: !!field.readOnly } } : {}), soap: { name: field.soap || field.name, readOnly: false } })))
    if (path === '/rest/v1/leads.json') return method === 'GET' ? this.query('leads', request.query) : this.syncLeads(request.json())
    if (path === '/rest/v1/leads/delete.json') return this.deleteLeads(request.json())
    if (path === '/rest/v1/customobjects.json') return fine(Object.entries(objects).filter(([name]) => name.startsWith('customobjects/')).map(([, object]) => ({ name: object.name, displayName: object.displayName, idField: object.idField, dedupeFields: object.dedupeFields, searchableFields: object.searchableFields })))
    if (path === '/rest/v1/activities/types.json') return fine(activityTypes)
    if (path === '/rest/v1/activities/pagingtoken.json') return this.pagingToken(request.query)
    if (path === '/rest/v1/activities.json') return this.listActivities(request.query, (activity, types) => activity.activityTypeId !== 37 && types.includes(activity.activityTypeId))
    if (path === '/rest/v1/activities/deletedleads.json') return this.listActivities(request.query, (activity) => activity.activityTypeId === 37)
    if (path === '/rest/v1/lists.json') return this.listing(this.lists, request.query)
    if (path === '/rest/v1/campaigns.json') return this.listing(this.campaigns, request.query)
    if (path === '/rest/asset/v1/programs.json') return this.browse(request.query)
    let match = /^\/bulk\/v1\/(leads|customobjects\/\w+)\/export\/(?:([0-9a-f-]+)\/)?(create|enqueue|status|file|cancel)\.json$/.exec(path)
    if (match && (match[1] === 'leads' || objects[match[1]])) return this.exports.handle(this.exported(match[1]), match[3], match[2], request)
    if (path === '/bulk/v1/leads.json') return this.imports.create(this.imported('leads'), request)
    match = /^\/bulk\/v1\/(customobjects\/\w+)\/import\.json$/.exec(path)
    if (match && objects[match[1]]) return this.imports.create(this.imported(match[1]), request)
    match = /^\/bulk\/v1\/leads\/batch\/(\d+)(?:\/(failures))?\.json$/.exec(path) || /^\/bulk\/v1\/customobjects\/\w+\/import\/(\d+)\/(status|failures)\.json$/.exec(path)
    if (match) return this.imports.handle(match[1], match[2] === 'failures' ? 'failures' : 'status')
    match = /^\/rest\/v1\/((?:companies|opportunities|opportunities\/roles|namedaccounts|salespersons|customobjects\/\w+))(\/describe|\/delete)?\.json$/.exec(path)
    if (!match || !objects[match[1]]) return refused(610, 'Requested resource not found')
    if (match[2] === '/describe') {
      const { make, born, ...object } = objects[match[1]]
      return fine([{ ...object, createdAt: born || '2023-01-01T00:00:00Z', updatedAt: born || '2023-01-01T00:00:00Z' }])
    }
    if (match[2] === '/delete') return this.deleteRecords(match[1], request.json())
    return method === 'GET' ? this.query(match[1], request.query) : this.sync(match[1], request.json())
  }

  // ---------- reading ----------

  shownLead(lead) {
    return { ...lead, createdAt: shown(lead.created), updatedAt: shown(lead.shown === undefined ? lead.changed : lead.shown) }
  }

  // one page of rows; more by a token
  paged(rows, query, make, more = () => ({})) {
    const size = query.has('batchSize') ? Number(query.get('batchSize')) : PAGE
    if (!Number.isInteger(size) || size < 1 || size > PAGE) return refused(1003, 'batchSize must be between 1 and 300')
    let begin = 0
    if (query.has('nextPageToken')) {
      if (!this.pages.has(query.get('nextPageToken'))) return refused(1003, 'Invalid nextPageToken')
      begin = this.pages.get(query.get('nextPageToken'))
    }
    const part = rows.slice(begin, begin + size)
    const rest = begin + size < rows.length
    const answer = { moreResult: rest, ...more() }
    if (rest) {
      const token = `T${this.pages.size + 1}====`
      this.pages.set(token, begin + size)
      answer.nextPageToken = this.settings.loop && query.has('nextPageToken') ? query.get('nextPageToken') : token
    }
    return fine(part.map(make), answer)
  }

  query(name, query) {
    const lead = name === 'leads'
    const object = objects[name]
    const type = query.get('filterType')
    if (!type || !query.has('filterValues')) return refused(1002, "Missing value for the required parameter 'filterType'")
    const field = type === 'idField' ? object.idField : type === 'dedupeFields' && object.dedupeFields.length === 1 ? object.dedupeFields[0] : type
    if (!(lead ? leadSearch.includes(field) : object.searchableFields.some((set) => set.length === 1 && set[0] === field))) return refused(1011, `Field '${type}' not supported`)
    const values = query.get('filterValues').split(',').map((value) => value.toLowerCase())
    if (values.length > 300) return refused(1003, 'filterValues exceeds 300')
    const known = lead ? leadNames : object.fields.map((one) => one.name)
    const fields = query.has('fields') ? query.get('fields').split(',') : lead ? ['id', 'email', 'updatedAt', 'createdAt', 'lastName', 'firstName'] : [object.idField, ...object.dedupeFields]
    const unknown = fields.find((one) => !known.includes(one))
    if (unknown !== undefined) return refused(1006, `Field '${unknown}' not found`)
    const set = new Set(values)
    const rows = (lead ? [...this.leads.values()] : this.stores.get(name)).filter((row) => row[field] !== null && row[field] !== undefined && set.has(String(row[field]).toLowerCase()))
    if (lead && rows.length > 1000) return refused(1003, 'Too many results match the filter')
    return this.paged(rows, query, (row, i) => {
      const all = lead ? this.shownLead(row) : { seq: i, ...row }
      const out = lead ? {} : { seq: i }
      for (const one of fields) if (lead || (all[one] !== null && all[one] !== undefined)) out[one] = all[one] === undefined ? null : all[one]
      return out
    })
  }

  listing(rows, query) {
    const allowed = ['id', 'name', 'programName', 'workspaceName', 'batchSize', 'nextPageToken']
    const other = [...query.keys()].find((key) => !allowed.includes(key))
    if (other !== undefined) return refused(1003, `Unknown parameter ${other}`)
    const ids = query.has('id') ? query.get('id').split(',').map(Number) : null
    return this.paged(rows.filter((row) => !ids || ids.includes(row.id)), query, (row) => row)
  }

  browse(query) {
    const size = query.has('maxReturn') ? Number(query.get('maxReturn')) : 20
    const offset = Number(query.get('offset') || 0)
    if (!(size >= 1 && size <= 200) || !(offset >= 0)) return refused(701, 'maxReturn cannot be more than 200')
    const bounds = ['earliestUpdatedAt', 'latestUpdatedAt'].map((name) => query.get(name))
    if (bounds.some((time) => time !== null && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$/.test(time))) return refused(704, 'Invalid date format')
    const rows = this.programs.filter((row) => (bounds[0] === null || row.time >= Date.parse(bounds[0])) && (bounds[1] === null || row.time <= Date.parse(bounds[1]))).slice(offset, offset + size)
    if (rows.length === 0) return { status: 200, body: { success: true, warnings: ['No assets found for the given search criteria.'], errors: [], requestId: 'p#1' } }
    return { status: 200, body: { success: true, warnings: [], errors: [], requestId: 'p#2', result: rows.map(({ time, ...row }) => row) } }
  }

  shownActivity({ time, ...activity }) {
    return { ...activity, marketoGUID: String(activity.id), activityDate: activity.activityDate || shown(time) }
  }

  pagingToken(query) {
    const since = query.get('sinceDatetime')
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$/.test(since || '')) return refused(1003, 'Invalid sinceDatetime')
    return { status: 200, body: { requestId: 'a#1', success: true, nextPageToken: this.activityToken(Date.parse(since), 0, 0) } }
  }

  activityToken(since, begin, page) {
    return Buffer.from(`${since}:${begin}:${page}`).toString('base64') + '===='
  }

  listActivities(query, wanted) {
    const token = /^(\d+):(\d+):(\d+)$/.exec(Buffer.from((query.get('nextPageToken') || '').replace(/====$/, ''), 'base64').toString())
    if (!token) return refused(1003, 'Invalid nextPageToken')
    const types = (query.get('activityTypeIds') || '').split(',').map(Number)
    if (types.length > 10) return refused(1003, 'No more than 10 activity types')
    const size = Number(query.get('batchSize') || PAGE)
    if (!(size >= 1 && size <= PAGE)) return refused(1003, 'batchSize must be between 1 and 300')
    const [since, begin, page] = token.slice(1).map(Number)
    const rows = this.activities.filter((activity) => activity.time >= since && wanted(activity, types)).sort((a, b) => a.time - b.time || a.id - b.id)
    const part = this.settings.sparse && page % 2 === 0 ? [] : rows.slice(begin, begin + size)
    const more = begin + part.length < rows.length
    const body = { requestId: 'a#2', success: true, nextPageToken: this.activityToken(since, begin + part.length, page + 1), moreResult: more }
    if (part.length > 0) body.result = part.map((activity) => this.shownActivity(activity))
    return { status: 200, body }
  }

  // ---------- jobs ----------

  exported(name) {
    if (name !== 'leads') {
      return {
        fields: objects[name].fields.map((one) => one.name), times: ['updatedAt'],
        find: (by, from, until) => this.stores.get(name).filter((row) => row.changed >= from && row.changed <= until)
      }
    }
    return {
      fields: leadNames, times: ['createdAt', 'updatedAt'],
      find: (by, from, until) => [...this.leads.values()].filter((lead) => {
        const at = by === 'createdAt' ? lead.created : lead.changed
        return at >= from && at <= until
      }).map((lead) => this.shownLead(lead))
    }
  }

  imported(name) {
    const lead = name === 'leads'
    return {
      fields: lead ? leadFields.filter((one) => one.name && (!one.readOnly || one.name === 'id')).map((one) => one.name) : objects[name].fields.map((one) => one.name),
      write: (record, lookup) => {
        const outcome = lead ? this.writeLead(record, lookup === 'id' ? 'updateOnly' : 'createOrUpdate', lookup) : this.writeRecord(name, record, 'createOrUpdate', objects[name].dedupeFields)
        return outcome.reasons ? outcome.reasons[0].message : null
      }
    }
  }

  // ---------- writing ----------

  skipped(code, message) {
    return { status: 'skipped', reasons: [{ code: String(code), message }] }
  }

  writeLead(record, action, lookup, blind) {
    for (const name of Object.keys(record)) {
      const field = leadFields.find((one) => one.name === name)
      if (!field) return this.skipped(1006, `Field '${name}' not found`)
      if (field.readOnly && name !== 'id') return this.skipped(1003, `Field '${name}' is not updateable`)
    }
    if ('id' in record && action !== 'updateOnly') return this.skipped(1003, "Invalid data: 'id' is for updateOnly")
    if (record[lookup] === undefined || record[lookup] === null || record[lookup] === '') return this.skipped(1003, `Value for lookup field '${lookup}' is missing`)
    if (record.email !== undefined && record.email !== null && !/^[\x21-\x7e]+@[\x21-\x7e]+$/.test(record.email)) return this.skipped(1003, `Email address '${record.email}' is invalid`)
    if (record.leadScore !== undefined && record.leadScore !== null && !/^-?\d+$/.test(String(record.leadScore))) return this.skipped(1001, `Invalid value '${record.leadScore}'. Required of type 'integer'`)
    const found = blind ? [] : [...this.byLookup(lookup, record[lookup])]
    if (found.length > 1) return this.skipped(1007, 'Multiple lead match lookup criteria')
    if (found.length === 1) {
      if (action === 'createOnly') return this.skipped(1005, 'Lead already exists')
      Object.assign(found[0], record, { id: found[0].id, changed: Date.now(), shown: undefined })
      this.index(found[0])
      return { id: found[0].id, status: 'updated' }
    }
    if (action === 'updateOnly') return this.skipped(1004, 'Lead not found')
    const lead = this.addLead(record, Date.now())
    this.index(lead)
    return { id: lead.id, status: 'created' }
  }

  // leads with a value, quickly by email
  byLookup(lookup, value) {
    if (lookup === 'id') return this.leads.has(Number(value)) ? [this.leads.get(Number(value))] : []
    if (lookup !== 'email') return [...this.leads.values()].filter((lead) => lead[lookup] === value)
    if (!this.emails || this.emailsOf !== this.leads.size) {
      this.emails = new Map()
      for (const lead of this.leads.values()) this.emails.set(String(lead.email).toLowerCase(), [...(this.emails.get(String(lead.email).toLowerCase()) || []), lead])
      this.emailsOf = this.leads.size
    }
    return this.emails.get(String(value).toLowerCase()) || []
  }

  index(lead) {
    if (!this.emails) return
    const key = String(lead.email).toLowerCase()
    const have = this.emails.get(key) || []
    if (!have.includes(lead)) this.emails.set(key, [...have, lead])
    this.emailsOf = this.leads.size
  }

  async syncLeads(body) {
    const actions = ['createOrUpdate', 'createOnly', 'updateOnly', 'createDuplicate']
    const action = body.action || 'createOrUpdate'
    const lookup = body.lookupField || 'email'
    if (!Array.isArray(body.input) || body.input.length === 0) return refused(1002, "Missing value for the required parameter 'input'")
    if (body.input.length > 300) return refused(1003, 'The number of records exceeds 300')
    if (!actions.includes(action)) return refused(1003, `Invalid action '${action}'`)
    if (!leadNames.includes(lookup)) return refused(1006, `Field '${lookup}' not found`)
    // who asks for a key before the call before has returned gets a duplicate
    const keys = body.input.map((record) => String(record[lookup]).toLowerCase())
    const raced = new Set(keys.filter((key) => this.inFlight.has(key)))
    for (const key of keys) this.inFlight.add(key)
    const seen = new Set()
    const result = body.input.map((record, i) => {
      if (seen.has(keys[i])) return this.skipped(1036, 'Duplicate object found in input')
      seen.add(keys[i])
      return this.writeLead(record, action, lookup, raced.has(keys[i]))
    })
    if (this.settings.slowSync) await sleep(this.settings.slowSync)
    for (const key of keys) this.inFlight.delete(key)
    return fine(result)
  }

  deleteLeads(body) {
    if (!Array.isArray(body.input) || body.input.length > 300) return refused(1003, 'The number of records exceeds 300')
    return fine(body.input.map(({ id }) => (this.leads.delete(Number(id)) ? { id, status: 'deleted' } : this.skipped(1004, 'Lead not found'))))
  }

  writeRecord(name, record, action, keys) {
    const object = objects[name]
    for (const one of Object.keys(record)) {
      const field = object.fields.find((known) => known.name === one)
      if (!field) return this.skipped(1006, `Field '${one}' not found`)
      if (!field.updateable && !object.dedupeFields.includes(one) && !(action === 'updateOnly' && one === object.idField)) return this.skipped(1003, `Field '${one}' is not updateable`)
    }
    if (keys.some((key) => record[key] === undefined || record[key] === null || record[key] === '')) return this.skipped(1003, 'missing.dedupe.fields')
    const found = this.stores.get(name).find((row) => keys.every((key) => String(row[key]) === String(record[key])))
    if (found) {
      if (action === 'createOnly') return this.skipped(1017, 'Object already exists')
      const at = Date.now()
      Object.assign(found, record, { [object.idField]: found[object.idField], changed: at, updatedAt: shown(at) })
      return { status: 'updated', [object.idField]: found[object.idField] }
    }
    if (action === 'updateOnly') return this.skipped(1013, 'Object not found')
    return { status: 'created', [object.idField]: this.addRecord(name, record, Date.now())[object.idField] }
  }

  sync(name, body) {
    const object = objects[name]
    const action = body.action || 'createOrUpdate'
    if (!Array.isArray(body.input) || body.input.length === 0 || body.input.length > 300) return refused(1003, 'The number of records must be between 1 and 300')
    if (!['createOrUpdate', 'createOnly', 'updateOnly'].includes(action)) return refused(1003, `Invalid action '${action}'`)
    if (body.dedupeBy !== undefined && !['idField', 'dedupeFields'].includes(body.dedupeBy)) return refused(1003, `Invalid dedupeBy '${body.dedupeBy}'`)
    if (body.dedupeBy === 'idField' && action !== 'updateOnly') return refused(1003, 'idField is for updateOnly')
    const keys = body.dedupeBy === 'idField' ? [object.idField] : object.dedupeFields
    const seen = new Set()
    return fine(body.input.map((record, seq) => {
      const key = JSON.stringify(keys.map((one) => record[one]))
      if (seen.has(key)) return { seq, ...this.skipped(1036, 'Duplicate object found in input') }
      seen.add(key)
      return { seq, ...this.writeRecord(name, record, action, keys) }
    }))
  }

  deleteRecords(name, body) {
    const object = objects[name]
    const keys = body.deleteBy === 'idField' ? [object.idField] : object.dedupeFields
    if (!Array.isArray(body.input) || body.input.length > 300) return refused(1003, 'The number of records exceeds 300')
    const rows = this.stores.get(name)
    return fine(body.input.map((record, seq) => {
      const index = rows.findIndex((row) => keys.every((key) => String(row[key]) === String(record[key])))
      if (index < 0) return { seq, ...this.skipped(1013, 'Record not found') }
      const [gone] = rows.splice(index, 1)
      return { seq, [object.idField]: gone[object.idField], status: 'deleted' }
    }))
  }
}

new Service(new Subscription()).start()
