// Dynatrace's environment API v2: problems, events, metrics and their data points, monitored entities.
//
//   node dynatrace.js        prints "ready PORT"
//
// Tokens dt0c01.PLANTED and dt0c01.A1B2 have all scopes until /control/expire, dt0c01.PROBLEMS reads only problems.
// See ../rest/service.js; "now" of relative times is the middle of 2024.

'use strict'

const { Service } = require('../rest/service')

const NOW = Date.UTC(2024, 6, 1)
const START = Date.UTC(2024, 0, 1)
const SCOPES = ['problems.read', 'events.read', 'metrics.read', 'entities.read']
const failed = (code, message, violations) => ({ status: code, body: { error: { code, message, ...(violations ? { constraintViolations: violations } : {}) } } })
const invalid = (path, message) => failed(400, 'Constraints violated.', [{ path, message, parameterLocation: 'QUERY', location: null }])
const units = { m: 60, h: 3600, d: 86400, w: 604800, M: 2592000, y: 31536000 }

// milliseconds of a time of a query, or null
function moment(text) {
  const relative = /^now(?:-(\d+)([mhdwMy]))?$/.exec(text)
  if (relative) return NOW - Number(relative[1] || 0) * (relative[2] ? units[relative[2]] * 1000 : 0)
  if (/^\d{1,15}$/.test(text)) return Number(text)
  const iso = Date.parse(text)
  return Number.isNaN(iso) ? null : iso
}

const problem = (n) => ({
  problemId: `${n}_${START + n * 60000}V2`, displayId: `P-${26000 + n}`, title: `Lätenz "${n}"`, impactLevel: 'SERVICES', severityLevel: n % 3 === 0 ? 'ERROR' : 'PERFORMANCE', status: n % 5 === 0 ? 'OPEN' : 'CLOSED',
  startTime: START + n * 60000, endTime: n % 5 === 0 ? -1 : START + n * 60000 + 30000,
  affectedEntities: [{ entityId: { id: `SERVICE-${n}`, type: 'SERVICE' }, name: 'checkout' }], impactedEntities: [], rootCauseEntity: null, managementZones: [], entityTags: [], problemFilters: []
})
const event = (n) => ({
  eventId: `e-${n}`, eventType: 'CUSTOM_INFO', title: `event ${n}`, status: 'CLOSED', startTime: START + n * 60000, endTime: START + n * 60000 + 1000, correlationId: `c${n}`,
  entityId: { entityId: { id: `HOST-${n}`, type: 'HOST' }, name: 'h' }, properties: [{ key: 'k', value: 'v' }], entityTags: [], managementZones: [], frequentEvent: false, underMaintenance: false, suppressAlert: false, suppressProblem: false
})
const metric = (n) => ({ metricId: `builtin:host.m${n}`, displayName: `m ${n}`, description: '', unit: 'Percent', aggregationTypes: ['auto', 'avg'], defaultAggregation: { type: 'avg' }, dimensionDefinitions: [], entityType: ['HOST'], transformations: [] })
const host = (n) => ({
  entityId: `HOST-${String(n).padStart(16, '0')}`, displayName: `host ${n}`, type: 'HOST', firstSeenTms: START, lastSeenTms: START + n * 60000, properties: { osType: n % 2 ? 'LINUX' : 'WINDOWS', cpuCores: n % 32, ipAddress: ['10.0.0.1'] },
  tags: [{ context: 'CONTEXTLESS', key: 'a', stringRepresentation: 'a' }], managementZones: [], fromRelationships: {}, toRelationships: {}
})

// member of the answer, scope, largest page, usual page, parameters of the first page, fields that are only given when asked for
const collections = {
  problems: { scope: 'problems.read', maximum: 500, usual: 50, takes: ['from', 'to', 'pageSize', 'problemSelector', 'entitySelector', 'sort', 'fields'], alongside: ['fields'], extra: ['evidenceDetails', 'impactAnalysis', 'recentComments'], window: '2h', make: problem },
  events: { scope: 'events.read', maximum: 1000, usual: 100, takes: ['from', 'to', 'pageSize', 'eventSelector', 'entitySelector'], alongside: [], extra: [], window: '2h', make: event },
  metrics: { scope: 'metrics.read', maximum: 500, usual: 100, takes: ['pageSize', 'metricSelector', 'text', 'fields', 'writtenSince'], alongside: [], extra: ['displayName', 'description', 'unit', 'aggregationTypes', 'defaultAggregation', 'dimensionDefinitions', 'entityType', 'transformations'], window: null, make: metric },
  entities: { scope: 'entities.read', maximum: 500, usual: 50, takes: ['from', 'to', 'pageSize', 'entitySelector', 'fields', 'sort'], alongside: [], extra: ['firstSeenTms', 'lastSeenTms', 'properties', 'tags', 'managementZones', 'fromRelationships', 'toRelationships', 'icon'], window: '3d', make: host }
}
const types = [
  { type: 'HOST', displayName: 'Host', properties: [{ id: 'osType', type: 'Enum', displayName: 'OS type' }, { id: 'cpuCores', type: 'Integer', displayName: 'CPU cores' }, { id: 'ipAddress', type: 'List', displayName: 'IP addresses' }] },
  ...Array.from({ length: 620 }, (_, i) => ({ type: `CUSTOM_${i}`, displayName: `custom ${i}`, properties: [] }))
]

class Environment {
  constructor() {
    this.settings = {}
    this.tokens = new Map([['dt0c01.PLANTED', SCOPES], ['dt0c01.A1B2', SCOPES], ['dt0c01.PROBLEMS', ['problems.read']]])
    this.rows = new Map(Object.keys(collections).map((name) => [name, []]))
    this.keys = new Map()
  }

  expire() {
    this.settings.expired = true
  }

  seed(what) {
    for (const [name, have] of Object.entries(what)) this.rows.set(name, typeof have === 'number' ? Array.from({ length: have }, (_, i) => collections[name].make(i + 1)) : have)
    return {}
  }

  records(name) {
    return this.rows.get(name)
  }

  throttled() {
    return { ...failed(429, 'Too many requests'), headers: { 'X-RateLimit-Limit': '50', 'X-RateLimit-Remaining': '0', 'X-RateLimit-Reset': String((Date.now() + 50) * 1000) } }
  }

  async handle(request) {
    const header = /^Api-Token (.+)$/.exec(request.headers.authorization || '')
    if (!header) return failed(401, 'Missing authorization parameter.')
    const scopes = this.tokens.get(header[1])
    if (this.settings.expired || !scopes) return failed(401, 'Token Authentication failed')
    const match = /^\/api\/v2\/(\w+)(?:\/([\w.:-]+))?$/.exec(request.path)
    if (!match || request.method !== 'GET') return failed(404, 'Not found')
    const [, name, one] = match
    const scope = name === 'entityTypes' ? 'entities.read' : collections[name] && collections[name].scope
    if (!scope) return failed(404, 'Not found')
    if (!scopes.includes(scope)) return failed(403, `Token is missing required scope. Use one of: ${scope}`)
    const { query } = request
    if (name === 'entityTypes' && one) {
      const type = types.find((each) => each.type === one)
      return type ? { status: 200, body: type } : failed(404, `Entity type ${one} does not exist`)
    }
    if (name === 'metrics' && one === 'query') return this.points(query)
    if (one) return failed(404, 'Not found')
    if (query.has('nextPageKey')) {
      const key = this.keys.get(query.get('nextPageKey'))
      const other = [...query.keys()].find((each) => each !== 'nextPageKey' && !(collections[name] ? collections[name].alongside : []).includes(each))
      if (other) return invalid(other, `The parameter ${other} must not be set when nextPageKey is set`)
      if (!key || key.name !== name) return invalid('nextPageKey', 'The next page key is invalid')
      return this.page(name, key.rows, key.size, collections[name] && collections[name].alongside.includes('fields') ? query.get('fields') : key.fields)
    }
    if (name === 'entityTypes') return this.page(name, types, this.size(query, 500, 50), null)
    return this.first(name, collections[name], query)
  }

  size(query, maximum, usual) {
    const size = query.has('pageSize') ? Number(query.get('pageSize')) : usual
    return Number.isInteger(size) && size >= 1 && size <= maximum ? size : null
  }

  // slots of every host; every seventh has no value. A time is the end of its slot
  points(query) {
    const unknown = [...query.keys()].find((key) => !['metricSelector', 'resolution', 'from', 'to', 'entitySelector', 'mzSelector'].includes(key))
    if (unknown) return invalid(unknown, 'Unknown parameter')
    const from = moment(query.get('from') || 'now-2h')
    const to = moment(query.get('to') || 'now')
    if (from === null) return invalid('from', 'The time is not valid')
    if (to === null) return invalid('to', 'The time is not valid')
    if (from > to) return invalid('from', 'The start of the timeframe must be before its end')
    const selector = /^([\w:.-]+?)(:avg|:max)?$/.exec(query.get('metricSelector') || '')
    if (!selector) return invalid('metricSelector', `The metric selector ${query.get('metricSelector')} could not be parsed`)
    if (!this.rows.get('metrics').some(({ metricId }) => metricId === selector[1])) return failed(404, `The metric key ${selector[1]} could not be found`)
    const wanted = /^(\d+)([mhdw])$/.exec(query.get('resolution') || `${Math.max(1, Math.ceil((to - from) / 60000 / 120))}m`)
    if (!wanted) return invalid('resolution', 'The resolution is not valid')
    let hosts = this.rows.get('entities')
    if (query.has('entitySelector')) {
      const one = /^entityId\("([\w-]+)"\)$/.exec(query.get('entitySelector'))
      if (!one && query.get('entitySelector') !== 'type("HOST")') return invalid('entitySelector', 'Could not parse the selector')
      if (one) hosts = hosts.filter(({ entityId }) => entityId === one[1])
    }
    const slot = Number(wanted[1]) * units[wanted[2]] * 1000
    const data = hosts.map(({ entityId }, k) => {
      const timestamps = []
      for (let at = Math.floor(from / slot) * slot + slot; at <= to; at += slot) timestamps.push(at)
      return { dimensions: [entityId], dimensionMap: { 'dt.entity.host': entityId }, timestamps, values: timestamps.map((at) => (at / slot % 7 === 0 ? null : k * 1000 + (at / slot) % 1000 + 0.5)) }
    })
    return { status: 200, body: { totalCount: data.length, nextPageKey: null, resolution: wanted[0], result: [{ metricId: query.get('metricSelector'), dataPointCountRatio: 0.01, dimensionCountRatio: 0.001, data }] } }
  }

  first(name, kind, query) {
    const unknown = [...query.keys()].find((key) => !kind.takes.includes(key))
    if (unknown) return invalid(unknown, 'Unknown parameter')
    const size = this.size(query, kind.maximum, kind.usual)
    if (size === null) return invalid('pageSize', `must be between 1 and ${kind.maximum}`)
    let rows = this.rows.get(name)
    if (kind.window) {
      const from = moment(query.get('from') || `now-${kind.window}`)
      const to = moment(query.get('to') || 'now')
      if (from === null) return invalid('from', 'The time is not valid')
      if (to === null) return invalid('to', 'The time is not valid')
      if (from > to) return invalid('from', 'The start of the timeframe must be before its end')
      const begin = (row) => (name === 'entities' ? row.firstSeenTms : row.startTime)
      const end = (row) => (name === 'entities' ? row.lastSeenTms : row.endTime === -1 ? Infinity : row.endTime)
      rows = rows.filter((row) => begin(row) <= to && end(row) >= from)
    }
    if (name === 'entities') {
      const type = /^type\("(\w+)"\)$/.exec(query.get('entitySelector') || '')
      if (!type) return invalid('entitySelector', 'The selector needs exactly one type')
      rows = rows.filter((row) => row.type === type[1])
    }
    for (const term of (query.get('problemSelector') || '').match(/[^,]+/g) || []) {
      const parts = /^(status|severityLevel|impactLevel)\("(\w+)"\)$/.exec(term)
      if (!parts || (parts[1] === 'status' && !['open', 'closed'].includes(parts[2]))) return invalid('problemSelector', `Could not parse the selector: ${term}`)
      rows = rows.filter((row) => (parts[1] === 'status' ? row.status.toLowerCase() : row[parts[1]]) === parts[2])
    }
    return this.page(name, rows, size, query.get('fields'))
  }

  // what was not asked for by +field is not there
  trim(name, row, fields) {
    const asked = (fields || '').split(',').map((field) => field.replace(/^[+ ]/, ''))
    const out = { ...row }
    for (const field of collections[name] ? collections[name].extra : []) if (!asked.includes(field)) delete out[field]
    return out
  }

  page(name, rows, size, fields) {
    if (size === null) return invalid('pageSize', 'must be between 1 and 500')
    if (fields && fields.split(',').some((field) => !field.startsWith('+'))) return invalid('fields', `fields begin with +: "${fields}"`)
    const part = rows.slice(0, size)
    const body = { totalCount: rows.length, pageSize: size, [name === 'entityTypes' ? 'types' : name]: part.map((row) => this.trim(name, row, fields)) }
    if (part.length < rows.length) {
      body.nextPageKey = Buffer.from(`${name}:${this.keys.size}`).toString('base64')
      this.keys.set(body.nextPageKey, { name, rows: rows.slice(size), size, fields })
    }
    return { status: 200, body }
  }
}

new Service(new Environment()).start()
