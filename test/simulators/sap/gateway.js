// A gateway as strict as ABAP's, with what SAP's CAP server does not have: a catalogue of
// services, tokens against forgery that are bound to a session's cookie, clients,
// pages of a size of its own, host names of the inside in links, OAuth.
//
//	node gateway.js [PAGESIZE]		prints "ready PORT"
//
// Version 2:	/sap/opu/odata/sap/ZSALES_SRV
// Version 4:	/sap/opu/odata4/sap/zsales/srvd_a2x/sap/zsales/0001
//
// Users: me/secret in client 100.  OAuth: POST /sap/bc/sec/oauth2/token.
//
// POST /_rows/SET replaces the rows of an entity set, GET gives them (numbers as text, times as
// milliseconds).  GET /_seen: requests since the last time; GET /_sessions:
// how many sessions were begun.  GET /_calm forgets both, and what POST /_next has told; GET /_refused:
// how many were answered with status 429 or 503 since then.  POST /_next with
// {status, headers, body, match, method, times, cut, delay, late}: what answers the next requests
// whose URL contains match instead (cut: the body breaks off after so many bytes of the
// real one; delay: ms before it; late: the change is made, then the connection breaks;
// expire: sessions and tokens end before it; replace: [text, by another]).
// POST /_expire: sessions and tokens end.  POST /_change with rows
// puts them into the queue of FactsOfStock; POST /_track with {put: [rows], remove: [rows],
// reason, links, short} changes StockSet, of which version 4 keeps track (links: what became of so many links
// is told, too; short: those that are gone are told as version 4.01 does).  POST /_set with {page, batch, stops, hidden, links, lost, ignores}: page
// size, whether $batch exists, whether it stops at the first failure, a property that
// has gone, whether pages have links, whether delta tokens are lost, which
// of skip and top are ignored.

'use strict'

const crypto = require('node:crypto')
const http = require('node:http')
const { ODataError, bad, filter, orderby, key } = require('./query')

const settings = { page: Number(process.argv[2] || 50), batch: true, stops: false, hidden: null, links: true, lost: false, ignores: [] }

// ---------- the model ----------

const order = {
  type: 'Order', keys: ['OrderId'], label: 'Sales order',
  properties: {
    OrderId: { type: 'Edm.String', maxLength: 10, key: true, label: 'Order', updatable: false },
    Customer: { type: 'Edm.String', maxLength: 40, label: 'Sold-to party' },
    Amount: { type: 'Edm.Decimal', precision: 15, scale: 3 },
    Quantity: { type: 'Edm.Int32' },
    Counter: { type: 'Edm.Int64' },
    Rate: { type: 'Edm.Double' },
    Paid: { type: 'Edm.Boolean' },
    Day: { type: { 2: 'Edm.DateTime', 4: 'Edm.Date' }, date: true },
    Local: { type: { 2: 'Edm.DateTime', 4: 'Edm.DateTimeOffset' } },
    ChangedAt: { type: 'Edm.DateTimeOffset' },
    Clock: { type: { 2: 'Edm.Time', 4: 'Edm.TimeOfDay' } },
    Ref: { type: 'Edm.Guid' },
    Blob: { type: 'Edm.Binary', filterable: false, sortable: false },
    Status: { type: 'Edm.String', maxLength: 1, creatable: false, updatable: false, filterable: false },
    Country: { type: 'Edm.String', maxLength: 3, nullable: false }
  }
}
const item = {
  type: 'Item', keys: ['OrderId', 'Pos'],
  properties: {
    OrderId: { type: 'Edm.String', maxLength: 10, key: true },
    Pos: { type: 'Edm.Int32', key: true },
    Material: { type: 'Edm.String', maxLength: 18 }
  }
}
const price = {
  type: 'Price', keys: ['Id'], etag: true,
  properties: { Id: { type: 'Edm.Int32', key: true }, Value: { type: 'Edm.Decimal', precision: 11, scale: 2 }, Version: { type: 'Edm.Int32', concurrency: true, creatable: false, updatable: false } }
}
const report = {
  type: 'Report', keys: ['Id'], creatable: false, updatable: false, deletable: false, pageable: false,
  properties: { Id: { type: 'Edm.Int32', key: true }, Year: { type: 'Edm.String', maxLength: 4, required: true } }
}
// one over a delta queue
const stock = {
  type: 'FactsOfStock', keys: ['Material'], creatable: false, updatable: false, deletable: false, delta: true,
  properties: { Material: { type: 'Edm.String', maxLength: 18, key: true }, Quantity: { type: 'Edm.Decimal', precision: 13, scale: 3 }, ODQ_CHANGEMODE: { type: 'Edm.String', maxLength: 1 }, ODQ_ENTITYCNTR: { type: 'Edm.Decimal', precision: 19, scale: 0 } }
}
const deltaLinks = { type: 'DeltaLinksOfFactsOfStock', keys: ['DeltaToken'], creatable: false, updatable: false, deletable: false, properties: { DeltaToken: { type: 'Edm.String', maxLength: 255, key: true } } }
// one that version 4 keeps track of; version 2 does not have it
const tracked = {
  type: 'Stock', keys: ['Plant', 'Material'], creatable: false, updatable: false, deletable: false, only: 4, tracked: true,
  properties: { Plant: { type: 'Edm.Int32', key: true }, Material: { type: 'Edm.String', maxLength: 40, key: true }, Quantity: { type: 'Edm.Decimal', precision: 13, scale: 3 }, Checked: { type: 'Edm.DateTimeOffset' }, reason: { type: 'Edm.String', maxLength: 40 } }
}
const sets = { OrderSet: order, ItemSet: item, PriceSet: price, ReportSet: report, FactsOfStock: stock, DeltaLinksOfFactsOfStock: deltaLinks, StockSet: tracked }
const setsOf = (version) => Object.keys(sets).filter((name) => !sets[name].only || sets[name].only === version)
const rows = Object.fromEntries(Object.keys(sets).map((name) => [name, []]))
const queue = [] // changes of FactsOfStock, in their order
const log = [] // and of StockSet: {key, row} or {key, removed} or {link}
const navigation = { OrderSet: { ToItems: { set: 'ItemSet', many: true } }, ItemSet: { ToOrder: { set: 'OrderSet', many: false } } }

const typeIn = (version, property) => typeof property.type === 'string' ? property.type : property.type[version]
const visible = (entity) => Object.keys(entity.properties).filter((n) => n !== settings.hidden)
function entityIn (version, set) {
  const entity = sets[set]
  const properties = {}
  for (const name of visible(entity)) properties[name] = { ...entity.properties[name], type: typeIn(version, entity.properties[name]) }
  return { ...entity, properties }
}

// ---------- $metadata ----------

const xml = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;')

function metadata (version) {
  const types = []
  const containers = []
  for (const set of setsOf(version)) {
    const entity = entityIn(version, set)
    let t = `<EntityType Name="${entity.type}"${version === 2 ? ' sap:content-version="1"' : ''}><Key>${entity.keys.map((k) => `<PropertyRef Name="${k}"/>`).join('')}</Key>`
    for (const [name, p] of Object.entries(entity.properties)) {
      t += `<Property Name="${name}" Type="${p.type}"`
      if (p.key || p.nullable === false) t += ' Nullable="false"'
      if (p.maxLength) t += ` MaxLength="${p.maxLength}"`
      if (p.precision) t += ` Precision="${p.precision}" Scale="${p.scale}"`
      if (p.concurrency && version === 2) t += ' ConcurrencyMode="Fixed"'
      if (version === 2) {
        for (const flag of ['creatable', 'updatable', 'sortable', 'filterable']) if (p[flag] === false) t += ` sap:${flag}="false"`
        if (p.required) t += ' sap:required-in-filter="true"'
        if (p.date) t += ' sap:display-format="Date"'
        if (p.label) t += ` sap:label="${xml(p.label)}"`
      }
      t += '/>'
    }
    for (const [name, n] of Object.entries(navigation[set] || {})) {
      const target = sets[n.set].type
      if (version === 2) t += `<NavigationProperty Name="${name}" Relationship="ZSALES_SRV.${entity.type}_${target}" FromRole="From" ToRole="To"/>`
      else t += `<NavigationProperty Name="${name}" Type="${n.many ? `Collection(SAP.${target})` : `SAP.${target}`}">${n.many ? '' : '<ReferentialConstraint Property="OrderId" ReferencedProperty="OrderId"/>'}</NavigationProperty>`
    }
    types.push(t + '</EntityType>')
    if (version === 2) {
      for (const n of Object.values(navigation[set] || {})) {
        const target = sets[n.set].type
        types.push(`<Association Name="${entity.type}_${target}"><End Type="ZSALES_SRV.${entity.type}" Multiplicity="${n.many ? '1' : '*'}" Role="From"/><End Type="ZSALES_SRV.${target}" Multiplicity="${n.many ? '*' : '1'}" Role="To"/>${n.many ? '' : '<ReferentialConstraint><Principal Role="To"><PropertyRef Name="OrderId"/></Principal><Dependent Role="From"><PropertyRef Name="OrderId"/></Dependent></ReferentialConstraint>'}</Association>`)
      }
    }
    let s = `<EntitySet Name="${set}" EntityType="${version === 2 ? 'ZSALES_SRV' : 'SAP'}.${entity.type}"`
    if (version === 2) {
      for (const flag of ['creatable', 'updatable', 'deletable', 'pageable']) if (entity[flag] === false) s += ` sap:${flag}="false"`
      if (entity.label) s += ` sap:label="${entity.label}"`
      containers.push(s + '/>')
      for (const n of Object.values(navigation[set] || {})) {
        const target = sets[n.set].type
        containers.push(`<AssociationSet Name="${entity.type}_${target}Set" Association="ZSALES_SRV.${entity.type}_${target}"><End EntitySet="${set}" Role="From"/><End EntitySet="${n.set}" Role="To"/></AssociationSet>`)
      }
    } else {
      containers.push(s + '>' + Object.entries(navigation[set] || {}).map(([name, n]) => `<NavigationPropertyBinding Path="${name}" Target="${n.set}"/>`).join('') + '</EntitySet>')
    }
  }
  if (version === 2) {
    return `<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" xmlns:sap="http://www.sap.com/Protocols/SAPData"><edmx:DataServices m:DataServiceVersion="2.0"><Schema Namespace="ZSALES_SRV" xmlns="http://schemas.microsoft.com/ado/2008/09/edm" sap:schema-version="1">${types.join('')}<EntityContainer Name="ZSALES_SRV_Entities" m:IsDefaultEntityContainer="true">${containers.join('')}</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>`
  }
  const annotations = []
  for (const set of setsOf(4)) {
    const entity = sets[set]
    const terms = entity.tracked ? ['<Annotation Term="SAP__capabilities.ChangeTracking"><Record><PropertyValue Property="Supported" Bool="true"/></Record></Annotation>'] : []
    for (const [flag, term, property] of [['creatable', 'InsertRestrictions', 'Insertable'], ['updatable', 'UpdateRestrictions', 'Updatable'], ['deletable', 'DeleteRestrictions', 'Deletable']]) {
      if (entity[flag] === false) terms.push(`<Annotation Term="SAP__capabilities.${term}"><Record><PropertyValue Property="${property}" Bool="false"/></Record></Annotation>`)
    }
    if (entity.pageable === false) terms.push('<Annotation Term="SAP__capabilities.SkipSupported" Bool="false"/><Annotation Term="SAP__capabilities.TopSupported" Bool="false"/>')
    if (entity.etag) terms.push('<Annotation Term="SAP__core.OptimisticConcurrency"><Collection/></Annotation>')
    const paths = (list) => `<Collection>${list.map((n) => `<PropertyPath>${n}</PropertyPath>`).join('')}</Collection>`
    const of = (test) => Object.keys(entity.properties).filter((n) => test(entity.properties[n]))
    terms.push(`<Annotation Term="SAP__capabilities.FilterRestrictions"><Record><PropertyValue Property="Filterable" Bool="true"/><PropertyValue Property="RequiredProperties">${paths(of((p) => p.required))}</PropertyValue><PropertyValue Property="NonFilterableProperties">${paths(of((p) => p.filterable === false))}</PropertyValue></Record></Annotation>`)
    terms.push(`<Annotation Term="SAP__capabilities.SortRestrictions"><Record><PropertyValue Property="NonSortableProperties">${paths(of((p) => p.sortable === false))}</PropertyValue></Record></Annotation>`)
    annotations.push(`<Annotations Target="SAP.Container/${set}">${terms.join('')}</Annotations>`)
    for (const [name, p] of Object.entries(entity.properties)) {
      const own = []
      if (p.label) own.push(`<Annotation Term="SAP__common.Label" String="${xml(p.label)}"/>`)
      if (p.creatable === false && p.updatable === false) own.push('<Annotation Term="SAP__core.Computed"/>')
      if (own.length) annotations.push(`<Annotations Target="SAP.${entity.type}/${name}">${own.join('')}</Annotations>`)
    }
  }
  return `<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" xmlns="http://docs.oasis-open.org/odata/ns/edm"><edmx:DataServices><Schema Namespace="com.sap.gateway.srvd_a2x.zsales.v0001" Alias="SAP">${types.join('')}<EntityContainer Name="Container">${containers.join('')}</EntityContainer>${annotations.join('')}</Schema></edmx:DataServices></edmx:Edmx>`
}

// ---------- values in JSON ----------

const pad = (n) => String(n).padStart(2, '0')

function out (version, property, value) {
  if (value === null || value === undefined) return null
  const type = property.type
  const iso = () => new Date(value).toISOString()
  if (version === 2) {
    if (type === 'Edm.DateTime') return `/Date(${value})/`
    if (type === 'Edm.DateTimeOffset') return `/Date(${value}+0000)/`
    if (type === 'Edm.Int64' || type === 'Edm.Decimal' || type === 'Edm.Double') return String(value)
    if (type === 'Edm.Int32') return Number(value)
    return value
  }
  if (type === 'Edm.Date') return iso().slice(0, 10)
  if (type === 'Edm.DateTimeOffset') return iso().replace('.000Z', 'Z')
  if (type === 'Edm.TimeOfDay') { const m = /PT(\d+)H(\d+)M(\d+)S/.exec(value); return m ? m.slice(1).map(pad).join(':') : value }
  if (type === 'Edm.Int32' || type === 'Edm.Double') return Number(value)
  if (type === 'Edm.Binary') return value.replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
  return value // Int64 and Decimal as text: IEEE754Compatible
}

const conversion = (name, value) => new ODataError(400, '/IWCOR/CX_DS_EDM_FACET_ERROR', `Property '${name}' has invalid value '${value}'`)

function into (version, name, property, value) {
  if (value === null) {
    if (property.nullable === false || property.key) throw new ODataError(400, '/IWCOR/CX_DS_EP_PROPERTY_ERROR', `Property '${name}' must not be null`)
    return null
  }
  const text = (pattern) => { if (typeof value !== 'string' || !pattern.test(value)) throw conversion(name, value); return value }
  switch (property.type) {
    case 'Edm.String':
      if (typeof value !== 'string' || (property.maxLength && [...value].length > property.maxLength)) throw conversion(name, value)
      return value
    case 'Edm.Boolean': if (typeof value !== 'boolean') throw conversion(name, value); return value
    case 'Edm.Int32': if (!Number.isInteger(value)) throw conversion(name, value); return String(value)
    case 'Edm.Int64': return text(/^-?\d+$/)
    case 'Edm.Decimal': {
      const m = /^-?0*(\d+)(?:\.(\d+))?$/.exec(text(/^-?\d+(\.\d+)?$/))
      if ((m[2] || '').length > property.scale || m[1].length > property.precision - property.scale) throw conversion(name, value)
      return value
    }
    case 'Edm.Double': if (version === 2) return text(/^-?\d/); if (typeof value !== 'number') throw conversion(name, value); return String(value)
    case 'Edm.DateTime': { const m = /^\/Date\((-?\d+)\)\/$/.exec(value); if (!m) throw conversion(name, value); return Number(m[1]) }
    case 'Edm.DateTimeOffset':
      if (version === 2) { const m = /^\/Date\((-?\d+)([+-]\d{4})?\)\/$/.exec(value); if (!m) throw conversion(name, value); return Number(m[1]) }
      return Date.parse(text(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/))
    case 'Edm.Date': return Date.parse(text(/^\d{4}-\d\d-\d\d$/) + 'T00:00:00Z')
    case 'Edm.Time': return text(/^PT\d\dH\d\dM\d\d(\.\d+)?S$/)
    case 'Edm.TimeOfDay': { const m = text(/^\d\d:\d\d:\d\d$/).split(':'); return `PT${m[0]}H${m[1]}M${m[2]}S` }
    case 'Edm.Guid': return text(/^[0-9a-f-]{36}$/)
    case 'Edm.Binary': return version === 2 ? text(/^[A-Za-z0-9+/]*={0,2}$/) : text(/^[A-Za-z0-9_-]*$/).replace(/-/g, '+').replace(/_/g, '/').replace(/^((?:.{4})*)(.{2,3})$/, (m, a, b) => a + b.padEnd(4, '='))
  }
  throw conversion(name, value)
}

// ---------- entities ----------

const internal = 'http://sapgw.corp.internal:8000'

function show (version, path, set, row, options, names) {
  const entity = entityIn(version, set)
  const shown = {}
  if (version === 2) shown.__metadata = { uri: `${internal}${path}/${set}(...)`, type: `ZSALES_SRV.${entity.type}`, ...(entity.etag ? { etag: `W/"${row.Version}"` } : {}) }
  else if (entity.etag) shown['@odata.etag'] = `W/"${row.Version}"`
  for (const name of names || Object.keys(entity.properties)) if (entity.properties[name]) shown[name] = out(version, entity.properties[name], row[name])
  for (const [name, n] of Object.entries(navigation[set] || {})) {
    const wanted = options.expand.get(name)
    if (!wanted) { if (version === 2 && !options.select) shown[name] = { __deferred: { uri: `${internal}${path}/${set}(...)/${name}` } }; continue }
    const others = rows[n.set].filter((r) => r.OrderId === row.OrderId).map((r) => show(version, path, n.set, r, { expand: new Map() }, wanted.length ? wanted : null))
    shown[name] = n.many ? (version === 2 ? { results: others } : others) : others[0] || null
  }
  return shown
}

// $select and $expand: version 2 names paths in $select, version 4 nests
function projection (version, set, params) {
  const entity = entityIn(version, set)
  const expand = new Map()
  const navs = navigation[set] || {}
  const unknown = (name) => new ODataError(400, '005056A509B11EE1B9A8FEC11C21578E', `Property ${name} not found in type ${entity.type}`)
  for (const part of (params.get('$expand') || '').split(/,(?![^(]*\))/).filter(Boolean)) {
    const m = /^(\w+)(?:\(\$select=([\w,]+)\))?$/.exec(part)
    if (!m || !navs[m[1]] || (m[2] && version === 2)) throw bad(`Invalid $expand '${part}'`)
    expand.set(m[1], m[2] ? m[2].split(',') : [])
  }
  let names = null
  if (params.has('$select')) {
    names = []
    for (const part of params.get('$select').split(',')) {
      const [head, inner] = part.split('/')
      if (navs[head]) {
        if (version === 4 || !expand.has(head)) throw bad(`Navigation property ${head} in $select is not expanded`)
        if (inner) expand.get(head).push(inner)
      } else if (entity.properties[head]) names.push(head)
      else throw unknown(head)
    }
  }
  return { expand, names, select: names !== null }
}

const known = {
  2: new Set(['$filter', '$orderby', '$top', '$skip', '$select', '$expand', '$inlinecount', '$skiptoken', '$format', '!deltatoken']),
  4: new Set(['$filter', '$orderby', '$top', '$skip', '$select', '$expand', '$count', '$skiptoken', '$format'])
}

function natural (params, name) {
  if (!params.has(name)) return null
  if (!/^\d+$/.test(params.get(name))) throw bad(`Invalid value for ${name}`)
  return Number(params.get(name))
}

// what has changed behind a token, or with the first one all there is
function readDelta (path, set, params, headers) {
  const text = params.get('!deltatoken')
  const m = /^'D(\d+)'$/.exec(text || '')
  if (text !== undefined && (!m || Number(m[1]) > queue.length || settings.lost)) throw new ODataError(410, '/IWBEP/CM_MGW_RT/101', 'The delta token is not known any more')
  const from = m ? Number(m[1]) : 0
  const [, at, until] = /^(\d+)_(\d+)$/.exec(params.get('$skiptoken') || '0_' + queue.length)
  const to = Number(until)
  const all = m ? queue.slice(from, to) : rows[set]
  const entity = entityIn(2, set)
  if (params.has('$filter')) filter(2, entity, params.get('$filter'))
  const begin = Number(at)
  const size = Math.min(settings.page, Number((/maxpagesize=(\d+)/.exec(headers.prefer || '') || [])[1] || settings.page))
  const d = { results: all.slice(begin, begin + size).map((r) => show(2, path, set, r, { expand: new Map() }, null)) }
  if (begin + size < all.length) d.__next = `${internal}${path}/${set}?${m ? `!deltatoken='D${from}'&` : ''}$skiptoken=${begin + size}_${to}`
  else d.__delta = `${internal}${path}/${set}?!deltatoken='D${to}'`
  return { d }
}

// The same in version 4 ("OData Version 4.0 Part 1", 11.3): a page of all there is, or of what has changed behind a
// token, each record once and as it is now.  The token stands for the whole query, so nothing may be added to it.
function readTracked (path, set, params, headers) {
  const entity = entityIn(4, set)
  const token = /^(\d+)(?:~(.*))?$/.exec(params.get('$deltatoken') || '')
  const [, since, until, at] = /^(\d*)_(\d+)_(\d+)$/.exec(params.get('$skiptoken') || '') || [null, token ? token[1] : '', log.length, '0']
  const own = [...params.keys()].filter((n) => n.startsWith('$') && !['$deltatoken', '$skiptoken'].includes(n))
  if ((params.has('$deltatoken') || params.has('$skiptoken')) && own.length) throw bad(`'${own[0]}' must not be combined with a delta link`)
  if (params.has('$deltatoken') && params.has('$skiptoken')) throw bad('one of $deltatoken and $skiptoken')
  for (const name of own) if (!known[4].has(name)) throw bad(`The system query option '${name}' is not supported`)
  if (params.has('$deltatoken') && (!token || Number(token[1]) > log.length || settings.lost)) throw new ODataError(410, '/IWBEP/CM_V4_RUNTIME/010', 'The delta link is not valid any more')
  const context = `${internal}${path}/$metadata#${set}`
  let all
  if (since === '') all = rows[set].map((row) => show(4, path, set, row, { expand: new Map() }, null))
  else {
    const last = new Map()
    for (const entry of log.slice(Number(since), Number(until))) {
      if (entry.key !== undefined) last.delete(entry.key)
      last.set(entry.key ?? Symbol('link'), entry)
    }
    all = [...last.values()].map((e) => {
      if (e.link) return { '@odata.context': `${context}/${e.link}`, source: e.source, relationship: 'ToPlant', target: 'PlantSet(1)' }
      if (!e.removed) return show(4, path, set, e.row, { expand: new Map() }, null)
      if (e.short) return { '@removed': { reason: e.removed }, ...(e.short === 'id' ? { '@id': e.key } : Object.fromEntries(entity.keys.map((k) => [k, entity.properties[k].type === 'Edm.Int32' ? Number(e.row[k]) : e.row[k]]))) }
      return { '@odata.context': `${context}/$deletedEntity`, id: `${internal}${path}/${e.key}`, reason: e.removed }
    })
  }
  const size = Math.min(settings.page, Number((/maxpagesize=(\d+)/.exec(headers.prefer || '') || [])[1] || settings.page))
  const begin = Number(at)
  const answer = { '@odata.context': since === '' ? context : `${context}/$delta`, value: all.slice(begin, begin + size) }
  if (begin + size < all.length) answer['@odata.nextLink'] = `${set}?$skiptoken=${since}_${until}_${begin + size}`
  else if (!settings.forgets) answer['@odata.deltaLink'] = `${internal}${path}/${set}?$deltatoken=${until}`
  return answer
}

// keys in a URL: quotes doubled, all that means something there encoded
const idOf = (set, row) => `${set}(${sets[set].keys.map((k) => `${k}=${sets[set].properties[k].type === 'Edm.String' ? encodeURIComponent(`'${row[k].replace(/'/g, "''")}'`).replace(/'/g, '%27') : row[k]}`).join(',')})`

function track ({ put = [], remove = [], reason = 'deleted', links = 0, short = false }) {
  const set = 'StockSet'
  for (const row of put) {
    rows[set] = rows[set].filter((r) => !same(sets[set], r, row))
    rows[set].push(row)
    log.push({ key: idOf(set, row), row })
  }
  for (const row of remove) {
    rows[set] = rows[set].filter((r) => !same(sets[set], r, row))
    log.push({ key: idOf(set, row), row, removed: reason, short })
  }
  for (let i = 0; i < links; i++) log.push({ link: i % 2 ? '$link' : '$deletedLink', source: `${set}(Plant=1,Material='x')` })
}

function read (version, path, set, params, count) {
  const entity = entityIn(version, set)
  for (const name of params.keys()) if (/^[$!]/.test(name) && !known[version].has(name)) throw bad(`The system query option '${name}' is not supported`)
  let found = rows[set]
  let used = new Set()
  if (params.has('$filter')) {
    const f = filter(version, entity, params.get('$filter'))
    found = found.filter(f.test)
    used = f.used
  }
  for (const [name, p] of Object.entries(entity.properties)) {
    if (p.required && !used.has(name)) throw new ODataError(400, '/IWBEP/CM_MGW_RT/106', `Filter on property '${name}' is mandatory`)
  }
  const total = found.length
  if (count) return String(total)
  // without an order, whichever comes first
  found = params.has('$orderby') ? [...found].sort(orderby(entity, params.get('$orderby'))) : found
  if (entity.pageable === false && (params.has('$top') || params.has('$skip'))) throw bad('$top and $skip are not supported')
  const skip = settings.ignores.includes('skip') ? 0 : natural(params, '$skip') || 0
  const top = settings.ignores.includes('top') ? null : natural(params, '$top')
  const begin = natural(params, '$skiptoken') || 0
  found = found.slice(skip)
  if (top !== null) found = found.slice(0, top)
  const page = found.slice(begin, begin + settings.page)
  const options = projection(version, set, params)
  const list = page.map((r) => show(version, path, set, r, options, options.names))
  const more = begin + settings.page < found.length && settings.links
  const link = new URLSearchParams([...params].filter(([n]) => n !== '$skiptoken' && !/^sap-/.test(n)))
  link.set('$skiptoken', begin + settings.page)
  if (version === 2) {
    const d = { results: list }
    if (params.get('$inlinecount') === 'allpages') d.__count = String(total)
    if (more) d.__next = `${internal}${path}/${set}?${link}`
    return { d }
  }
  return { '@odata.context': '$metadata#' + set, ...(params.get('$count') === 'true' ? { '@odata.count': String(total) } : {}), value: list, ...(more ? { '@odata.nextLink': `${set}?${link}` } : {}) }
}

const same = (entity, row, keys) => entity.keys.every((k) => String(row[k]) === String(keys[k]))

function change (version, path, method, set, keys, body, headers) {
  const entity = entityIn(version, set)
  const flag = { POST: 'creatable', PATCH: 'updatable', MERGE: 'updatable', PUT: 'updatable', DELETE: 'deletable' }[method]
  if (flag === undefined || (method === 'MERGE' && version === 4)) throw new ODataError(405, '/IWBEP/CM_MGW_RT/021', `Method '${method}' not allowed`)
  if (entity[flag] === false) throw new ODataError(405, '/IWBEP/CM_MGW_RT/021', `Method '${method}' not implemented in data provider class`)
  const row = keys && rows[set].find((r) => same(entity, r, keys))
  if (keys && !row) throw new ODataError(404, '/IWBEP/CM_MGW_RT/020', `Resource not found for segment '${entity.type}'`)
  if (keys && entity.etag) {
    if (!headers['if-match']) throw new ODataError(428, '/IWBEP/CM_MGW_RT/022', 'The data has no ETag: If-Match is required')
    if (headers['if-match'] !== '*' && headers['if-match'] !== `W/"${row.Version}"`) throw new ODataError(412, '/IWBEP/CM_MGW_RT/012', 'Precondition failed')
  }
  if (method === 'DELETE') { rows[set] = rows[set].filter((r) => r !== row); return { status: 204 } }
  let values
  try { values = JSON.parse(body) } catch { throw new ODataError(400, '/IWFND/CM_BEC/026', 'Malformed JSON') }
  const changed = {}
  const deep = []
  for (const [name, value] of Object.entries(values)) {
    const property = entity.properties[name]
    const n = (navigation[set] || {})[name]
    if (n && n.many && method === 'POST') { deep.push([n.set, Array.isArray(value) ? value : value.results]); continue }
    if (!property) throw new ODataError(400, '/IWCOR/CX_DS_EP_PROPERTY_ERROR', `Property '${name}' is invalid`)
    if (property[flag] === false) throw new ODataError(400, '/IWBEP/CM_MGW_RT/023', `Property '${name}' may not be set`)
    changed[name] = into(version, name, property, value)
  }
  if (changed.Customer === 'blocked') throw new ODataError(400, 'V1/346', 'Customer blocked is blocked for order processing')
  if (method !== 'POST') { Object.assign(row, changed); if (entity.etag) row.Version = String(Number(row.Version) + 1); return { status: 204 } }
  for (const k of entity.keys) if (changed[k] === undefined) throw new ODataError(400, '/IWBEP/CM_MGW_RT/019', `Key property '${k}' is missing`)
  if (rows[set].some((r) => same(entity, r, changed))) throw new ODataError(400, 'SY/530', `Order ${changed[entity.keys[0]]} exists already`)
  const made = Object.fromEntries(Object.keys(entity.properties).map((n) => [n, changed[n] ?? (entity.properties[n].nullable === false ? '' : null)]))
  if (entity.etag) made.Version = '1'
  if (entity.properties.Status) made.Status = 'A'
  rows[set].push(made)
  for (const [other, list] of deep) for (const r of list) change(version, path, 'POST', other, null, JSON.stringify(r), {})
  const shown = show(version, path, set, made, { expand: new Map() }, null)
  return { status: 201, body: version === 2 ? { d: shown } : shown }
}

// ---------- answers ----------

function errorBody (version, e) {
  const code = e.code || '/IWBEP/CM_MGW_RT/000'
  return version === 4 ? { error: { code, message: e.message, target: '', '@SAP__common.ExceptionCategory': 'Client_Error' } }
    : { error: { code, message: { lang: 'en', value: e.message }, innererror: { application: { component_id: '', service_id: 'ZSALES_SRV' }, transactionid: '0', errordetails: [{ code, message: e.message, severity: 'error' }] } } }
}

const services = { 2: '/sap/opu/odata/sap/ZSALES_SRV', 4: '/sap/opu/odata4/sap/zsales/srvd_a2x/sap/zsales/0001' }
const catalogs = { 2: '/sap/opu/odata/iwfnd/catalogservice;v=2', 4: '/sap/opu/odata4/iwfnd/config/default/iwfnd/catalog/0002' }

// sap query parameters are decoded as URIs are: a "+" is a plus
function query (text) {
  const params = new Map()
  for (const part of text.split('&').filter(Boolean)) {
    const at = part.indexOf('=')
    const name = decodeURIComponent(at < 0 ? part : part.slice(0, at))
    if (params.has(name)) throw bad(`Duplicate query option '${name}'`)
    params.set(name, at < 0 ? '' : decodeURIComponent(part.slice(at + 1).replace(/\+/g, '%20')))
  }
  return params
}

// one request to a service: {status, headers, body}
function serve (version, method, target, headers, body) {
  const [raw, search = ''] = target.split('?')
  const params = query(search)
  const path = services[version]
  const m = /^(\w+)(?:\((.*)\))?(\/\$count)?$/.exec(decodeURIComponent(raw))
  if (!m || !setsOf(version).includes(m[1])) throw new ODataError(404, '005056A509B11EE1B9A8FEC11C21978E', `Resource not found for segment '${raw}'`)
  const [, set, text, count] = m
  if (method === 'POST' && headers['x-http-method']) method = headers['x-http-method']
  if (method === 'GET') {
    if (text !== undefined) throw bad('single entities are not read here')
    const tracked = version === 2 && sets[set].delta && (/track-changes/.test(headers.prefer || '') || params.has('!deltatoken') || params.has('$skiptoken'))
    const noted = version === 4 && sets[set].tracked && count === undefined && (/track-changes/.test(headers.prefer || '') || params.has('$deltatoken') || params.has('$skiptoken'))
    const result = tracked ? readDelta(path, set, params, headers) : noted ? readTracked(path, set, params, headers) : read(version, path, set, params, count)
    return { status: 200, body: result, text: count !== undefined }
  }
  if (body !== '' && !/^application\/json/.test(headers['content-type'] || '')) throw new ODataError(415, '/IWFND/CM_BEC/026', 'Unsupported media type')
  let keys = null
  if (text !== undefined) {
    keys = key(version, entityIn(version, set), text)
    if (!keys) throw new ODataError(400, '/IWFND/CM_MGW/096', `Invalid key predicate type for '${set}(${text})'`)
  } else if (method !== 'POST') throw new ODataError(405, '/IWBEP/CM_MGW_RT/021', `Method '${method}' not allowed`)
  return change(version, path, method, set, keys, body, headers)
}

function attempt (version, method, target, headers, body) {
  try { return serve(version, method, target, headers, body) } catch (e) {
    if (!(e instanceof ODataError)) throw e
    return { status: e.status, body: errorBody(version, e) }
  }
}

// a part of a multipart document: its headers and what follows; line ends must be CRLF
function parts (text, type) {
  const m = /^multipart\/mixed *; *boundary=([^;]+)$/.exec(type || '')
  if (!m) throw new ODataError(400, '/IWFND/CM_BEC/026', 'Not a multipart document')
  const marker = `--${m[1]}`
  if (!text.trimEnd().endsWith(`${marker}--`)) throw new ODataError(400, '/IWFND/CM_BEC/026', 'The batch is cut off')
  return text.split(`${marker}\r\n`).slice(1).map((p) => {
    const content = p.split(`\r\n${marker}--`)[0].replace(new RegExp(`${marker}--\\s*$`), '')
    const at = content.indexOf('\r\n\r\n')
    if (at < 0) throw new ODataError(400, '/IWFND/CM_BEC/026', 'Malformed batch')
    const headers = Object.fromEntries(content.slice(0, at).split('\r\n').map((l) => [l.split(':')[0].toLowerCase().trim(), l.slice(l.indexOf(':') + 1).trim()]))
    return { headers, content: content.slice(at + 4) }
  })
}

const reasons = { 200: 'OK', 201: 'Created', 204: 'No Content', 400: 'Bad Request', 404: 'Not Found', 405: 'Method Not Allowed', 412: 'Precondition Failed', 428: 'Precondition Required', 503: 'Service Unavailable' }

function response (answer) {
  const body = answer.body === undefined ? '' : JSON.stringify(answer.body)
  return `Content-Type: application/http\r\ncontent-transfer-encoding: binary\r\n\r\nHTTP/1.1 ${answer.status} ${reasons[answer.status] || 'Error'}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\ndataserviceversion: 2.0\r\n\r\n${body}\r\n`
}

function batch (version, text, type, headers) {
  const outer = `B${crypto.randomUUID()}`
  let answer = ''
  for (const part of parts(text, type)) {
    const requests = parts(part.content, part.headers['content-type'])
    const before = Object.fromEntries(Object.entries(rows).map(([name, list]) => [name, list.slice()]))
    const answers = requests.map((r) => {
      if (r.headers['content-type'] !== 'application/http' || r.headers['content-transfer-encoding'] !== 'binary') throw new ODataError(400, '/IWFND/CM_BEC/026', 'Malformed changeset')
      const at = r.content.indexOf('\r\n\r\n')
      const lines = r.content.slice(0, at).split('\r\n')
      const m = /^(\w+) (\S+) HTTP\/1\.1$/.exec(lines[0])
      if (!m || m[1] === 'GET') throw new ODataError(400, '/IWFND/CM_BEC/026', 'Malformed changeset')
      const inner = Object.fromEntries(lines.slice(1).map((l) => [l.split(':')[0].toLowerCase(), l.slice(l.indexOf(':') + 1).trim()]))
      const rest = r.content.slice(at + 4)
      const length = Number(inner['content-length'] || 0)
      const body = Buffer.from(rest).subarray(0, length).toString()
      if (Buffer.byteLength(rest.trimEnd()) > length) throw new ODataError(400, '/IWFND/CM_BEC/026', 'Content-Length is wrong')
      return attempt(version, m[1], m[2], inner, body)
    })
    const failed = answers.find((a) => a.status >= 400)
    if (failed) Object.assign(rows, before)
    if (failed) answer += `--${outer}\r\n${response(failed)}`
    else {
      const inner = `C${crypto.randomUUID()}`
      answer += `--${outer}\r\nContent-Type: multipart/mixed; boundary=${inner}\r\n\r\n${answers.map((a) => `--${inner}\r\n${response(a)}`).join('')}--${inner}--\r\n\r\n`
    }
    if (failed && settings.stops && version === 4) break
  }
  return { status: version === 2 ? 202 : 200, type: `multipart/mixed; boundary=${outer}`, body: answer + `--${outer}--` }
}

// ---------- sessions ----------

const sessions = new Map() // cookie -> token
let tokens = new Set()
let refresh = 'refresh-0'
let seen = []
let made = 0
let nexts = []
let refused = 0

function cookieOf (req) {
  const m = /SAP_SESSIONID_ZGW_100=([^;]+)/.exec(req.headers.cookie || '')
  return m && sessions.has(m[1]) ? m[1] : null
}

function authorized (req) {
  const header = req.headers.authorization || ''
  if (header.startsWith('Bearer ')) return tokens.has(header.slice(7))
  return header === 'Basic ' + Buffer.from('me:secret').toString('base64')
}

function send (res, status, headers, body) {
  const bytes = Buffer.from(body)
  res.writeHead(status, { 'Content-Length': bytes.length, ...headers })
  res.end(bytes)
}

function sendJson (res, status, value, headers = {}) { send(res, status, { 'Content-Type': 'application/json;charset=utf-8', ...headers }, JSON.stringify(value)) }

function oauth (res, form, header) {
  const client = header === 'Basic ' + Buffer.from('client:planted-secret').toString('base64') || (form.client_id === 'client' && form.client_secret === 'planted-secret')
  if (!client) return sendJson(res, 401, { error: 'invalid_client' })
  if (form.grant_type === 'refresh_token' && form.refresh_token !== refresh) return sendJson(res, 400, { error: 'invalid_grant', error_description: 'Provided refresh token is invalid' })
  if (!['refresh_token', 'client_credentials'].includes(form.grant_type)) return sendJson(res, 400, { error: 'unsupported_grant_type' })
  const token = crypto.randomUUID()
  tokens.add(token)
  sendJson(res, 200, { access_token: token, token_type: 'Bearer', expires_in: 3600, ...(form.grant_type === 'refresh_token' ? { refresh_token: refresh } : {}), scope: 'ZSALES_SRV_0001' })
}

function control (req, res, body) {
  const value = body === '' ? {} : JSON.parse(body)
  if (req.url === '/_seen') { sendJson(res, 200, seen); seen = []; return true }
  if (req.url === '/_next') { nexts.push({ times: 1, ...value }); sendJson(res, 200, {}); return true }
  if (req.url === '/_calm') { seen = []; nexts = []; refused = 0; sendJson(res, 200, {}); return true }
  if (req.url === '/_refused') { sendJson(res, 200, refused); return true }
  if (req.url === '/_expire') { sessions.clear(); tokens = new Set(); sendJson(res, 200, {}); return true }
  if (req.url === '/_sessions') { sendJson(res, 200, made); made = 0; return true }
  if (req.url === '/_change') { queue.push(...value); sendJson(res, 200, {}); return true }
  if (req.url === '/_track') { track(value); sendJson(res, 200, {}); return true }
  if (req.url === '/_set') { Object.assign(settings, value); sendJson(res, 200, {}); return true }
  const m = /^\/_rows\/(\w+)$/.exec(req.url)
  if (!m) return false
  if (req.method === 'POST') rows[m[1]] = value
  sendJson(res, 200, rows[m[1]])
  return true
}

function catalogue (version, rest, res) {
  if (version === 2 && /^\/ServiceCollection\?/.test(rest)) {
    return sendJson(res, 200, { d: { results: [
      { __metadata: {}, ID: 'ZSALES_SRV_0001', Description: 'Sales orders', Title: 'ZSALES_SRV', Author: 'X', TechnicalServiceVersion: 1, TechnicalServiceName: 'ZSALES_SRV', MetadataUrl: `${internal}${services[2]}/$metadata`, ServiceUrl: `${internal}${services[2]}` },
      { __metadata: {}, ID: '/ACME/OTHER_SRV_0002', Description: '', Title: '', TechnicalServiceVersion: 2, TechnicalServiceName: '/ACME/OTHER_SRV', ServiceUrl: `${internal}/sap/opu/odata/ACME/OTHER_SRV;v=2` }] } })
  }
  if (version === 4 && /^\/ServiceGroups\?.*DefaultSystem/.test(decodeURIComponent(rest))) {
    return sendJson(res, 200, { '@odata.context': '$metadata#ServiceGroups', value: [
      { GroupId: 'ZSALES', Description: '', DefaultSystem: { SystemAlias: 'LOCAL', Services: [{ ServiceId: 'ZSALES', ServiceVersion: '0001', Description: 'Sales orders', ServiceUrl: `${services[4]}/?sap-client=100` }] } },
      { GroupId: 'EMPTY', Description: '', DefaultSystem: null }] })
  }
  sendJson(res, 404, errorBody(version, new ODataError(404, '/IWFND/MED/170', 'No service found')))
}

function handle (req, res, body) {
  if (req.url.startsWith('/_') && control(req, res, body)) return
  seen.push({ method: req.headers['x-http-method'] || req.method, url: req.url, headers: req.headers })
  const next = nexts.find((n) => n.times > 0 && req.url.includes(n.match || '') && (!n.method || n.method === req.method))
  if (next && next.status) {
    next.times--
    if (next.status === 429 || next.status === 503) refused++
    return send(res, next.status, { 'Content-Type': 'text/plain', ...next.headers }, next.body || '')
  }
  if (next && next.expire) { next.times--; sessions.clear(); tokens = new Set() }
  if (req.url === '/sap/bc/sec/oauth2/token') return oauth(res, Object.fromEntries(new URLSearchParams(body)), req.headers.authorization)
  const url = req.url
  let params
  try { params = query(url.split('?')[1] || '') } catch (e) { return sendJson(res, 400, errorBody(2, e)) }
  if (!authorized(req)) return send(res, 401, { 'WWW-Authenticate': 'Basic realm="SAP NetWeaver Application Server [ZGW/100]"', 'Content-Type': 'text/html' }, '<html><head><title>Logon failed</title></head><body>Logon failed</body></html>')
  if (params.get('sap-client') !== '100') return send(res, 401, { 'Content-Type': 'text/html' }, '<html><body>Client is not available in this system</body></html>')

  // the session: whoever comes without its cookie gets another
  const headers = {}
  let session = cookieOf(req)
  const version = url.startsWith('/sap/opu/odata4/') ? 4 : 2
  const path = services[version]
  const under = url.startsWith(path) ? url.slice(path.length) : null
  if (session === null) {
    session = crypto.randomUUID()
    sessions.set(session, null)
    made++
    headers['Set-Cookie'] = [`sap-usercontext=sap-client=100; path=/`, `SAP_SESSIONID_ZGW_100=${session}; path=/; HttpOnly`]
  }
  if (/^fetch$/i.test(req.headers['x-csrf-token'] || '')) {
    if (sessions.get(session) === null) sessions.set(session, crypto.randomBytes(18).toString('base64'))
    headers['X-CSRF-Token'] = sessions.get(session)
  }
  if (url.toLowerCase().startsWith(catalogs[version])) return catalogue(version, url.slice(catalogs[version].length), res)
  if (under === null) return sendJson(res, 404, errorBody(version, new ODataError(404, '/IWFND/MED/170', `No service found for namespace '', name '${url.split('/')[5] || ''}', version '0001'`)), headers)
  if (!['GET', 'HEAD'].includes(req.method) && (sessions.get(session) === null || req.headers['x-csrf-token'] !== sessions.get(session))) {
    return send(res, 403, { ...headers, 'X-CSRF-Token': 'Required', 'Content-Type': 'text/plain;charset=utf-8' }, 'CSRF token validation failed')
  }
  try {
    const target = under.replace(/^\//, '')
    let answer
    if (/^\$metadata/.test(target)) return send(res, 200, { ...headers, 'Content-Type': 'application/xml' }, metadata(version))
    if (target === '' || target.startsWith('?')) {
      // S/4 sends those who forget the slash away
      if (!under.startsWith('/')) return send(res, 307, { ...headers, Location: `${path}/${target}` }, '')
      return sendJson(res, 200, version === 2 ? { d: { EntitySets: setsOf(2) } } : { value: setsOf(4).map((name) => ({ name, url: name })) }, headers)
    }
    if (version === 2 && !/json/.test(req.headers.accept || '') && params.get('$format') !== 'json' && !/\$(batch|count)/.test(target)) throw new ODataError(406, '/IWFND/CM_BEC/026', 'only JSON is spoken here')
    if (/^\$batch/.test(target)) {
      if (!settings.batch) throw new ODataError(501, '/IWFND/CM_BEC/026', 'Batch is not implemented')
      answer = batch(version, body, req.headers['content-type'])
      headers['Content-Type'] = answer.type
      if (next && next.late) { next.times--; return req.socket.destroy() }
      return send(res, answer.status, headers, answer.body)
    }
    answer = serve(version, req.method, target, req.headers, body)
    if (next && next.late) { next.times--; return req.socket.destroy() }
    if (answer.text) return send(res, 200, { ...headers, 'Content-Type': 'text/plain' }, answer.body)
    if (answer.body === undefined) return send(res, answer.status, headers, '')
    const text = Buffer.from(JSON.stringify(answer.body))
    if (next && next.cut) {
      next.times--
      if (next.quiet) return send(res, answer.status, { ...headers, 'Content-Type': 'application/json' }, text.subarray(0, next.cut))
      res.writeHead(answer.status, { ...headers, 'Content-Type': 'application/json', 'Content-Length': text.length })
      res.write(text.subarray(0, next.cut))
      return setTimeout(() => req.socket.destroy(), 50)
    }
    if (next && next.delay) { next.times--; return setTimeout(() => sendJson(res, answer.status, answer.body, headers), next.delay) }
    if (next && next.replace) { next.times--; return send(res, answer.status, { ...headers, 'Content-Type': 'application/json' }, Buffer.from(text.toString('latin1').replace(next.replace[0], next.replace[1]), 'latin1')) }
    sendJson(res, answer.status, answer.body, { ...headers, ...(version === 2 ? { DataServiceVersion: '2.0' } : { 'OData-Version': '4.0' }) })
  } catch (e) {
    if (!(e instanceof ODataError)) { console.error(e); return send(res, 500, {}, String(e)) }
    sendJson(res, e.status, errorBody(version, e), headers)
  }
}

const server = http.createServer((req, res) => {
  const chunks = []
  req.on('data', (c) => chunks.push(c))
  req.on('end', () => handle(req, res, Buffer.concat(chunks).toString()))
})
server.keepAliveTimeout = 60000
server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`))
