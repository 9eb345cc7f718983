// soql.js
//	Parses and evaluates SOQL, and refuses what Salesforce refuses, in its words.
//
//	const query = parse(text, org, {deleted, bulk})      throws {status, code, message}
//	run(query, org)        -> {records: [kept records] } or {groups} or {count}
//	render(query, record)  -> as REST's JSON has it
//
// What it knows: SELECT of fields along relationships, of aggregates, COUNT(); WHERE,
// GROUP BY, ORDER BY, LIMIT, OFFSET.

'use strict'

const { fullId, restValue, csvValue } = require('./store.js')

const MAX_LENGTH = 100000
const AGGREGATES = ['COUNT', 'COUNT_DISTINCT', 'SUM', 'AVG', 'MIN', 'MAX']
const TEXT = ['string', 'textarea', 'email', 'phone', 'url', 'picklist', 'multipicklist', 'combobox', 'encryptedstring']
const NUMBER = ['int', 'long', 'double', 'currency', 'percent']

const refuse = (code, message, status = 400) => { throw Object.assign(new Error(message), { status, code }) }

// ---------- words ----------

function words (text) {
  const out = []
  const pattern = /\s+|(?<time>\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))?)|(?<clock>\d\d:\d\d:\d\d(?:\.\d+)?Z)|(?<number>[-+]?(?:\d+\.?\d*|\.\d+))|(?<name>[A-Za-z][\w.]*)|(?<sign><=|>=|!=|<>|[=<>(),])/y
  let at = 0
  while (at < text.length) {
    if (text[at] === "'") {
      let value = ''
      let i = at + 1
      // for LIKE it matters which signs are escaped: they are kept apart as private characters
      let like = ''
      for (;; i++) {
        if (i >= text.length) malformed(text, at, `unexpected token: '<EOF>'`)
        if (text[i] === "'") break
        if (text[i] === '\n' || text[i] === '\r') malformed(text, at, 'line breaks not allowed in string literals')
        if (text[i] !== '\\') { value += text[i]; like += text[i] === '%' ? '\ue000' : text[i] === '_' ? '\ue001' : text[i]; continue }
        const escaped = { n: '\n', r: '\r', t: '\t', b: '\x07', f: '\f', '"': '"', "'": "'", '\\': '\\', _: '_', '%': '%' }[text[++i]]
        if (escaped === undefined) refuse('MALFORMED_QUERY', `Invalid string literal '${text.slice(at + 1, at + 30)}'. Illegal character sequence '\\${text[i]}' in string literal.`)
        value += ('_%'.includes(text[i]) ? '\\' : '') + escaped
        like += escaped
      }
      out.push({ kind: 'string', value, like, at })
      at = i + 1
      continue
    }
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (!match) malformed(text, at, `unexpected token: '${text[at]}'`)
    for (const [kind, value] of Object.entries(match.groups)) if (value !== undefined) out.push({ kind, value, at })
    at = pattern.lastIndex
  }
  out.push({ kind: 'end', value: '<EOF>', at: text.length })
  return out
}

function malformed (text, at, what) {
  refuse('MALFORMED_QUERY', `\n${text.slice(Math.max(0, at - 40), at + 40)}\n${' '.repeat(Math.min(40, at))}^\nERROR at Row:1:Column:${at + 1}\n${what}`)
}

// ---------- grammar ----------

class Parser {
  constructor (text, org, options) {
    Object.assign(this, { text, org, options, at: 0 })
    if (text.length > MAX_LENGTH) refuse('MALFORMED_QUERY', 'SOQL statements cannot be longer than 100,000 characters.')
    this.words = words(text)
  }

  get word () { return this.words[this.at] }
  is (word) { return this.word.kind !== 'string' && this.word.value.toUpperCase() === word }
  take (word) { if (!this.is(word)) return false; this.at++; return true }
  need (word) { if (!this.take(word)) this.unexpected() }
  unexpected () { malformed(this.text, this.word.at, `unexpected token: '${this.word.value}'`) }
  name () { if (this.word.kind !== 'name') this.unexpected(); return this.words[this.at++].value }

  // {path: names of relationships, field, name}
  field (name, what = 'No such column') {
    const parts = name.split('.')
    let object = this.object
    const path = []
    if (parts.length > 1 && parts[0].toLowerCase() === object.name.toLowerCase()) parts.shift()
    if (parts.length > 6) refuse('MALFORMED_QUERY', `Only five levels of relationships are allowed: ${name}`)
    for (const part of parts.slice(0, -1)) {
      const relation = object.fields.find((f) => f.relationshipName && f.relationshipName.toLowerCase() === part.toLowerCase())
      if (!relation) refuse('INVALID_FIELD', `\n${this.text.slice(0, 60)}\nERROR at Row:1:Column:1\nDidn't understand relationship '${part}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.`)
      path.push(relation)
      // of several kinds, only what all names have can be asked for
      object = relation.referenceTo.length === 1 ? this.org.objects.get(relation.referenceTo[0]) : { name: 'Name', fields: this.org.objects.get('User').fields.filter((f) => ['Id', 'Name'].includes(f.name)) }
    }
    const field = object.fields.find((f) => f.name.toLowerCase() === parts.at(-1).toLowerCase())
    if (!field) {
      const at = Math.max(0, this.text.indexOf(name))
      refuse('INVALID_FIELD', `\n${this.text.slice(Math.max(0, at - 20), at + 40)}\n${' '.repeat(Math.min(20, at))}^\nERROR at Row:1:Column:${at + 1}\n${what} '${parts.at(-1)}' on entity '${object.name}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.`)
    }
    return { path, field, name: [...path.map((p) => p.relationshipName), field.name].join('.') }
  }

  query () {
    const selected = []
    this.need('SELECT')
    const start = this.at
    // the object comes later, but says what fields there are
    while (!this.is('FROM') && this.word.kind !== 'end') this.at++
    this.need('FROM')
    const from = this.name()
    const object = this.org.object(from)
    if (!object || !object.queryable) refuse('INVALID_TYPE', `\n${this.text.slice(0, 80)}\nERROR at Row:1:Column:1\nsObject type '${from}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.`)
    this.object = object
    const after = this.at
    this.at = start
    let count = false
    do {
      if (AGGREGATES.includes(this.word.value.toUpperCase()) && this.words[this.at + 1].value === '(') selected.push(this.aggregate())
      else selected.push(this.field(this.name()))
      if (selected.at(-1).count) { selected.pop(); count = true }
    } while (this.take(','))
    this.need('FROM')
    this.at = after
    const query = { object, selected, count, where: null, group: [], order: [], limit: Infinity, offset: 0, deleted: this.options.deleted }
    if (this.take('WHERE')) query.where = this.conditions()
    if (this.take('GROUP')) {
      this.need('BY')
      do query.group.push(this.grouping(this.field(this.name()))); while (this.take(','))
    }
    if (this.take('ORDER')) {
      this.need('BY')
      do query.order.push(this.ordering()); while (this.take(','))
    }
    if (this.take('LIMIT')) query.limit = this.integer()
    if (this.take('OFFSET')) query.offset = this.integer()
    if (this.word.kind !== 'end') this.unexpected()
    this.check(query)
    return query
  }

  integer () {
    if (this.word.kind !== 'number' || !/^\d+$/.test(this.word.value)) this.unexpected()
    return Number(this.words[this.at++].value)
  }

  aggregate () {
    const name = this.name().toUpperCase()
    this.need('(')
    if (name === 'COUNT' && this.take(')')) return { count: true }
    const of = this.field(this.name())
    const { field } = of
    this.need(')')
    const fits = { SUM: NUMBER, AVG: NUMBER }[name]
    if (!field.aggregatable || (fits && !fits.includes(field.type))) refuse('MALFORMED_QUERY', `\n${this.text.slice(0, 60)}\nERROR at Row:1:Column:8\nfield ${field.name} does not support aggregate operator ${name}`)
    const alias = this.word.kind === 'name' && !this.is('FROM') ? this.name() : null
    return { aggregate: name, of, alias }
  }

  grouping (at) {
    if (!at.field.groupable) refuse('MALFORMED_QUERY', `\n${this.text.slice(0, 60)}\nERROR at Row:1:Column:1\nfield '${at.field.name}' can not be grouped in a query call`)
    return at
  }

  ordering () {
    const at = this.field(this.name())
    if (!at.field.sortable) refuse('MALFORMED_QUERY', `\n${this.text.slice(0, 60)}\nERROR at Row:1:Column:1\nfield '${at.field.name}' can not be sorted in a query call`)
    const descending = this.take('DESC')
    if (!descending) this.take('ASC')
    let nullsFirst = true
    if (this.take('NULLS')) {
      nullsFirst = this.take('FIRST')
      if (!nullsFirst) this.need('LAST')
    }
    return { at, descending, nullsFirst }
  }

  check (query) {
    const aggregates = query.selected.filter((s) => s.aggregate)
    if (query.count && query.selected.length) refuse('MALFORMED_QUERY', 'unexpected token: COUNT() must be the only element in the SELECT list')
    if (aggregates.length || query.group.length) {
      for (const s of query.selected) {
        if (!s.aggregate && !query.group.some((g) => g.name === s.name)) refuse('MALFORMED_QUERY', `\n${this.text.slice(0, 60)}\nERROR at Row:1:Column:1\nField must be grouped or aggregated: ${s.name}`)
      }
    }
    if (query.offset > 2000) refuse('NUMBER_OUTSIDE_VALID_RANGE', `\n${this.text.slice(-60)}\nERROR at Row:1:Column:1\nMaximum SOQL offset allowed is 2000`)
    const names = query.selected.filter((s) => !s.aggregate).map((s) => s.name)
    const twice = names.find((n, i) => names.indexOf(n) !== i)
    if (twice) refuse('INVALID_FIELD', `duplicate field selected: ${twice}`)
    if (this.options.bulk) {
      if (aggregates.length || query.group.length || query.count) refuse('API_ERROR', 'Aggregate Relationships not supported in Bulk V2 Query')
      if (query.offset) refuse('API_ERROR', 'Offset not supported in Bulk V2 Query')
      const compound = query.selected.find((s) => ['address', 'location'].includes(s.field.type))
      if (compound) refuse('API_ERROR', 'Selecting compound data not supported in Bulk Query')
    }
  }

  // AND and OR may not be mixed without parentheses
  conditions () {
    const parts = [this.condition()]
    let joint = null
    while (this.is('AND') || this.is('OR')) {
      const word = this.word.value.toUpperCase()
      if (joint && word !== joint) this.unexpected()
      joint = word
      this.at++
      parts.push(this.condition())
    }
    if (parts.length === 1) return parts[0]
    return joint === 'AND' ? (record) => parts.every((p) => p(record)) : (record) => parts.some((p) => p(record))
  }

  condition () {
    if (this.take('NOT')) { const inner = this.condition(); return (record) => !inner(record) }
    if (this.take('(')) {
      const inner = this.conditions()
      this.need(')')
      return inner
    }
    const at = this.field(this.name())
    const { field } = at
    if (!field.filterable) refuse('INVALID_FIELD', `\n${this.text.slice(0, 60)}\nERROR at Row:1:Column:1\nfield '${field.name}' can not be filtered in a query call`)
    if (['address', 'location'].includes(field.type)) refuse('INVALID_FIELD', `field '${field.name}' can not be filtered in a query call`)
    const value = (record) => valueOf(at, record, this.org)
    const negated = this.take('NOT')
    if (this.take('IN')) {
      const all = this.list(field)
      const test = (record) => all.some((v) => compare(field, value(record), v) === 0)
      return negated ? (record) => !test(record) : test
    }
    if (negated) this.unexpected()
    if (this.is('INCLUDES') || this.is('EXCLUDES')) {
      const including = this.is('INCLUDES')
      this.at++
      if (field.type !== 'multipicklist') refuse('INVALID_QUERY_FILTER_OPERATOR', `\nERROR at Row:1:Column:1\nincludes or excludes operator only valid on multipicklist field`)
      const all = this.list(field)
      const test = (record) => all.some((v) => String(v).split(';').every((p) => fold(value(record) || '').split(';').includes(fold(p))))
      return including ? test : (record) => !test(record)
    }
    if (this.take('LIKE')) {
      if (!TEXT.includes(field.type) || field.type === 'multipicklist') refuse('INVALID_QUERY_FILTER_OPERATOR', `\nERROR at Row:1:Column:1\ninvalid operator on ${field.type} field`)
      if (this.word.kind !== 'string') this.unexpected()
      const pattern = like(this.words[this.at++].like)
      return (record) => value(record) !== null && pattern.test(value(record))
    }
    const sign = this.word.kind === 'sign' ? this.words[this.at++].value : this.unexpected()
    if (!['=', '!=', '<>', '<', '>', '<=', '>='].includes(sign)) { this.at--; this.unexpected() }
    const ordered = !['=', '!=', '<>'].includes(sign)
    if (ordered && ['boolean', 'multipicklist'].includes(field.type)) refuse('INVALID_QUERY_FILTER_OPERATOR', `\nERROR at Row:1:Column:1\ninvalid operator on ${field.type} field`)
    const operand = this.literal(field)
    switch (sign) {
      case '=': return (record) => compare(field, value(record), operand) === 0
      case '!=': case '<>': return (record) => compare(field, value(record), operand) !== 0
      case '<': return (record) => compare(field, value(record), operand) < 0
      case '>': return (record) => compare(field, value(record), operand) > 0
      case '<=': return (record) => compare(field, value(record), operand) <= 0
      default: return (record) => compare(field, value(record), operand) >= 0
    }
  }

  list (field) {
    const all = []
    this.need('(')
    do all.push(this.literal(field)); while (this.take(','))
    this.need(')')
    return all
  }

  literal (field) {
    const word = this.words[this.at++]
    const wrong = (quoted) => refuse('INVALID_FIELD', `\n${this.text.slice(Math.max(0, word.at - 30), word.at + 30)}\n${' '.repeat(Math.min(30, word.at))}^\nERROR at Row:1:Column:${word.at + 1}\nvalue of filter criterion for field '${field.name}' must be of type ${SOAP[field.type] || 'string'} and should ${quoted ? '' : 'not '}be enclosed in quotes`)
    if (word.kind === 'name' && word.value.toUpperCase() === 'NULL') return null
    if (TEXT.includes(field.type) || field.type === 'id' || field.type === 'reference') {
      if (word.kind !== 'string') wrong(true)
      if ([...word.value].length > 4000) refuse('MALFORMED_QUERY', 'maximum length of a string in a WHERE clause is 4000 characters')
      if (field.type !== 'id' && field.type !== 'reference') return word.value === '' ? null : word.value
      const id = fullId(word.value)
      if (!id) refuse('INVALID_QUERY_FILTER_OPERATOR', `\nERROR at Row:1:Column:1\ninvalid ID field: ${word.value}`)
      return id
    }
    if (NUMBER.includes(field.type)) {
      if (word.kind !== 'number' || (field.type === 'int' && /\./.test(word.value))) wrong(false)
      if (field.type === 'int' && Math.abs(Number(word.value)) > 2147483648) refuse('MALFORMED_QUERY', `For input string: "${word.value}"`)
      return Number(word.value)
    }
    if (field.type === 'boolean') {
      if (word.kind !== 'name' || !/^(true|false)$/i.test(word.value)) wrong(false)
      return word.value.toLowerCase() === 'true'
    }
    if (field.type === 'time') {
      if (word.kind !== 'clock') wrong(false)
      return word.value
    }
    if (word.kind !== 'time' || (field.type === 'date') !== (word.value.length === 10)) wrong(false)
    const year = Number(word.value.slice(0, 4))
    const parsed = Date.parse(word.value.replace(/([+-]\d\d)(\d\d)$/, '$1:$2'))
    if (Number.isNaN(parsed) || year < 1700 || year > 4000) refuse('INVALID_QUERY_FILTER_OPERATOR', `invalid date: ${word.value}`)
    if (/\.\d{4,}/.test(word.value)) wrong(false)
    return field.type === 'date' ? word.value : parsed
  }
}

const SOAP = { boolean: 'boolean', int: 'int', long: 'long', double: 'double', currency: 'double', percent: 'double', date: 'date', datetime: 'dateTime', time: 'time' }

// ---------- values ----------

const fold = (text) => String(text).toLowerCase()

// a pattern of LIKE, where the wild cards are private characters
function like (pattern) {
  const body = pattern.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('\ue000', '[^]*').replaceAll('\ue001', '[^]')
  return new RegExp(`^${body}$`, 'iu')
}

// NaN unless both are there; nulls are equal to each other only
function compare (field, a, b) {
  if (a === null || b === null) return a === b ? 0 : NaN
  if (TEXT.includes(field.type) && !field.caseSensitive) { a = fold(a); b = fold(b).replace(/\\([_%])/g, '$1') }
  if (typeof a === 'boolean') { a = Number(a); b = Number(b) }
  return a < b ? -1 : a > b ? 1 : 0
}

function parentOf (relation, record, org) {
  const id = record[relation.name]
  for (const target of relation.referenceTo) {
    const parent = id && org.records.has(target) && org.records.get(target).get(id)
    if (parent) return parent
  }
  return null
}

function valueOf (at, record, org) {
  for (const relation of at.path) {
    record = parentOf(relation, record, org)
    if (!record) return null
  }
  return record[at.field.name] ?? null
}

// ---------- running ----------

function parse (text, org, options = {}) { return new Parser(text, org, options).query() }

function aggregateOf (s, records, org) {
  const values = records.map((r) => valueOf(s.of, r, org)).filter((v) => v !== null)
  const order = (a, b) => compare(s.of.field, a, b)
  switch (s.aggregate) {
    case 'COUNT': return values.length
    case 'COUNT_DISTINCT': return new Set(values).size
    case 'SUM': return values.length ? values.reduce((a, b) => a + b, 0) : null
    case 'AVG': return values.length ? values.reduce((a, b) => a + b, 0) / values.length : null
    case 'MIN': return values.length ? values.reduce((a, b) => (order(b, a) < 0 ? b : a)) : null
    default: return values.length ? values.reduce((a, b) => (order(b, a) > 0 ? b : a)) : null
  }
}

// -> {count} or {records} or {groups: [{name: value as JSON has it}]}
function run (query, org) {
  const found = []
  let count = 0
  const plain = !query.order.length
  const wanted = query.count || query.selected.some((s) => s.aggregate) ? Infinity : query.limit + query.offset
  for (const record of org.records.get(query.object.name).all()) {
    if (plain && count >= wanted) break
    if (record.IsDeleted && !query.deleted) continue
    if (query.where && !query.where(record)) continue
    count++
    if (!query.count) found.push(record)
  }
  if (query.count) return { count: Math.min(count, query.limit) }
  if (query.group.length || query.selected.some((s) => s.aggregate)) return { groups: groups(query, found, org) }
  if (query.order.length) {
    found.sort((a, b) => {
      for (const key of query.order) {
        const x = valueOf(key.at, a, org)
        const y = valueOf(key.at, b, org)
        if (x === null && y === null) continue
        if (x === null || y === null) return (x === null) === key.nullsFirst ? -1 : 1
        const order = compare(key.at.field, x, y)
        if (order) return key.descending ? -order : order
      }
      return 0
    })
  }
  return { records: found.slice(query.offset, query.offset + query.limit) }
}

function groups (query, records, org) {
  const byKey = new Map()
  if (!query.group.length) byKey.set('', { keys: [], records })
  for (const record of query.group.length ? records : []) {
    const keys = query.group.map((g) => valueOf(g, record, org))
    const key = JSON.stringify(keys.map((k) => (typeof k === 'string' ? fold(k) : k)))
    if (!byKey.has(key)) byKey.set(key, { keys, records: [] })
    byKey.get(key).records.push(record)
  }
  if (byKey.size > 2000) refuse('EXCEEDED_ID_LIMIT', 'Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch')
  return [...byKey.values()].map((group) => {
    const out = { attributes: { type: 'AggregateResult' } }
    let number = 0
    for (const s of query.selected) {
      if (s.aggregate) {
        const value = aggregateOf(s, group.records, org)
        out[s.alias || `expr${number++}`] = ['MIN', 'MAX'].includes(s.aggregate) ? restValue(s.of.field, value) : value
      } else {
        const i = query.group.findIndex((g) => g.name === s.name)
        out[s.field.name] = restValue(s.field, group.keys[i])
      }
    }
    return out
  })
}

// a record as REST gives it: objects along relationships
function render (query, record, org, version) {
  const attributes = (object, r) => ({ type: object.name, url: `/services/data/v${version}/sobjects/${object.name}/${r.Id}` })
  const out = { attributes: attributes(query.object, record) }
  for (const s of query.selected) {
    let place = out
    let at = record
    for (const relation of s.path) {
      at = at && parentOf(relation, at, org)
      if (!at) { place[relation.relationshipName] = null; break }
      place[relation.relationshipName] ||= { attributes: attributes([...org.objects.values()].find((o) => o.keyPrefix === at.Id.slice(0, 3)), at) }
      place = place[relation.relationshipName]
    }
    if (at) place[s.field.name] = restValue(s.field, at[s.field.name])
  }
  return out
}

function renderCsv (query, record, org) {
  return query.selected.map((s) => `"${csvValue(s.field, valueOf(s, record, org)).replaceAll('"', '""')}"`).join(',')
}

module.exports = { parse, run, render, renderCsv }
