// The query options of OData as ABAP's gateway takes them: parsed, checked against the
// entity's properties, evaluated.  What it does not take is an ODataError.
//
// Literals belong to a version: datetime'...', guid'...', 5L, 1.5m are version 2's, a bare
// 2024-03-05 or a guid without quotes is version 4's.

'use strict'

class ODataError extends Error {
  constructor (status, code, message) {
    super(message)
    this.status = status
    this.code = code
  }
}

const bad = (message) => new ODataError(400, '/IWBEP/CM_MGW_RT/000', message)

// ---------- literals ----------

const numeric = new Set(['Edm.Byte', 'Edm.Int16', 'Edm.Int32', 'Edm.Int64', 'Edm.Decimal', 'Edm.Double'])
const integer = new Set(['Edm.Byte', 'Edm.Int16', 'Edm.Int32', 'Edm.Int64'])

// exact decimals as {digits: BigInt, scale}
function decimal (text) {
  const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) || []
  if (whole === undefined) return null
  return { digits: BigInt(sign + whole + fraction), scale: fraction.length }
}

function compareDecimal (a, b) {
  const scale = Math.max(a.scale, b.scale)
  const x = a.digits * 10n ** BigInt(scale - a.scale)
  const y = b.digits * 10n ** BigInt(scale - b.scale)
  return x < y ? -1 : x > y ? 1 : 0
}

const patterns = {
  2: [
    [/^'((?:[^']|'')*)'/, 'Edm.String', (m) => m[1].replace(/''/g, "'")],
    [/^datetime'(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?)'/, 'Edm.DateTime', (m) => Date.parse(m[1] + 'Z')],
    [/^datetimeoffset'(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?(?:Z|[+-]\d\d:\d\d))'/, 'Edm.DateTimeOffset', (m) => Date.parse(m[1])],
    [/^time'(PT(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)'/, 'Edm.Time', (m) => m[1]],
    [/^guid'([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})'/i, 'Edm.Guid', (m) => m[1].toLowerCase()],
    [/^(-?\d+)L\b/i, 'Edm.Int64', (m) => decimal(m[1])],
    [/^(-?\d+(?:\.\d+)?)m\b/i, 'Edm.Decimal', (m) => decimal(m[1])],
    [/^(-?\d+(?:\.\d+)?)d\b/i, 'Edm.Double', (m) => decimal(m[1])],
    [/^(-?\d+)(?![\w.])/, 'Edm.Int32', (m) => decimal(m[1])],
    [/^(true|false)\b/, 'Edm.Boolean', (m) => m[1] === 'true'],
    [/^null\b/, 'null', () => null]
  ],
  4: [
    [/^'((?:[^']|'')*)'/, 'Edm.String', (m) => m[1].replace(/''/g, "'")],
    [/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i, 'Edm.Guid', (m) => m[0].toLowerCase()],
    [/^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,12})?)?(?:Z|[+-]\d\d:\d\d)/, 'Edm.DateTimeOffset', (m) => Date.parse(m[0])],
    [/^\d{4}-\d\d-\d\d(?!\d|T)/, 'Edm.Date', (m) => Date.parse(m[0] + 'T00:00:00Z')],
    [/^\d\d:\d\d(?::\d\d(?:\.\d{1,12})?)?/, 'Edm.TimeOfDay', (m) => m[0]],
    [/^(-?\d+\.\d+)(?!\w)/, 'Edm.Decimal', (m) => decimal(m[1])],
    [/^(-?\d+)(?![\w.])/, 'Edm.Int64', (m) => decimal(m[1])],
    [/^(true|false)\b/, 'Edm.Boolean', (m) => m[1] === 'true'],
    [/^null\b/, 'null', () => null]
  ]
}

function takeLiteral (state) {
  for (const [pattern, type, value] of patterns[state.version]) {
    const m = pattern.exec(state.rest)
    if (m) {
      state.rest = state.rest.slice(m[0].length)
      return { type, value: value(m) }
    }
  }
  return null
}

// ---------- $filter ----------

const skip = (state) => { state.rest = state.rest.replace(/^ +/, '') }

function take (state, pattern) {
  const m = pattern.exec(state.rest)
  if (m) state.rest = state.rest.slice(m[0].length)
  return m
}

function takeOperand (state) {
  skip(state)
  const call = take(state, /^(substringof|contains|startswith|endswith|tolower|toupper|length)\(/)
  if (call) {
    if (call[1] === 'substringof' && state.version !== 2) throw bad(`Invalid function 'substringof' detected at position 0`)
    if (call[1] === 'contains' && state.version !== 4) throw bad(`Invalid function 'contains' detected at position 0`)
    const args = [takeOperand(state)]
    skip(state)
    while (take(state, /^,/)) { args.push(takeOperand(state)); skip(state) }
    if (!take(state, /^\)/)) throw bad('")" expected in filter')
    for (const a of args) if (a.type !== 'Edm.String') throw bad(`Invalid parametertype used at function '${call[1]}'`)
    const type = call[1] === 'length' ? 'Edm.Int32' : /lower|upper/.test(call[1]) ? 'Edm.String' : 'Edm.Boolean'
    return { type, call: call[1], args }
  }
  const literal = takeLiteral(state)
  if (literal) return { type: literal.type, value: literal.value, literal: true }
  const name = take(state, /^[A-Za-z_][A-Za-z0-9_]*/)
  if (!name) throw bad(`Invalid token detected at '${state.rest.slice(0, 20)}'`)
  const property = state.entity.properties[name[0]]
  if (!property) throw new ODataError(400, '005056A509B11EE1B9A8FEC11C21578E', `Property ${name[0]} not found in type ${state.entity.type}`)
  if (property.filterable === false) throw bad(`Property ${name[0]} is not filterable`)
  state.used.add(name[0])
  return { type: property.type, property: name[0] }
}

// may these two be compared?  A literal may be of a narrower type than the property.
function compatible (property, literal, version) {
  if (literal.type === 'null' || property.type === literal.type) return true
  if (version === 4) return numeric.has(property.type) && numeric.has(literal.type) && !(integer.has(property.type) && literal.type === 'Edm.Decimal')
  return (integer.has(property.type) && literal.type === 'Edm.Int32') || (property.type === 'Edm.Decimal' && literal.type === 'Edm.Int32')
}

function takePrimary (state) {
  skip(state)
  if (take(state, /^not\b/)) { const inner = takePrimary(state); return (row) => !inner(row) }
  if (/^\(/.test(state.rest)) {
    take(state, /^\(/)
    const inner = takeOr(state)
    skip(state)
    if (!take(state, /^\)/)) throw bad('")" expected in filter')
    return inner
  }
  const left = takeOperand(state)
  skip(state)
  const operator = take(state, /^(eq|ne|lt|le|gt|ge)\b/)
  if (!operator) {
    if (left.type !== 'Edm.Boolean' || left.literal) throw bad(`Operator expected at '${state.rest.slice(0, 20)}'`)
    return (row) => evaluate(left, row) === true
  }
  const right = takeOperand(state)
  const [p, l] = right.literal ? [left, right] : [right, left]
  if (!compatible(p, l, state.version)) {
    throw bad(`Types ${p.type} and ${l.type} are not compatible in filter`)
  }
  if (l.literal && typeof l.value === 'string' && p.property) {
    const max = state.entity.properties[p.property].maxLength
    if (max && [...l.value].length > max) throw bad(`Invalid value for property '${p.property}': it is longer than ${max} characters`)
  }
  return (row) => {
    const a = evaluate(left, row)
    const b = evaluate(right, row)
    if (a === null || b === null) return operator[1] === 'eq' ? a === b : operator[1] === 'ne' ? a !== b : false
    const c = typeof a === 'object' ? compareDecimal(a, b) : a < b ? -1 : a > b ? 1 : 0
    return { eq: c === 0, ne: c !== 0, lt: c < 0, le: c <= 0, gt: c > 0, ge: c >= 0 }[operator[1]]
  }
}

function evaluate (operand, row) {
  if (operand.literal) return operand.value
  if (operand.property) {
    const value = row[operand.property]
    return value === null || value === undefined ? null : comparable(operand.type, value)
  }
  const args = operand.args.map((a) => evaluate(a, row))
  if (args.some((a) => a === null)) return null
  switch (operand.call) {
    case 'substringof': return args[1].includes(args[0])
    case 'contains': return args[0].includes(args[1])
    case 'startswith': return args[0].startsWith(args[1])
    case 'endswith': return args[0].endsWith(args[1])
    case 'tolower': return args[0].toLowerCase()
    case 'toupper': return args[0].toUpperCase()
    case 'length': return decimal(String(args[0].length))
  }
}

// stored values: text, decimal text, milliseconds, booleans
function comparable (type, value) {
  return numeric.has(type) ? decimal(String(value)) : value
}

function takeAnd (state) {
  const terms = [takePrimary(state)]
  skip(state)
  while (take(state, /^and\b/)) { terms.push(takePrimary(state)); skip(state) }
  return (row) => terms.every((t) => t(row))
}

function takeOr (state) {
  const terms = [takeAnd(state)]
  skip(state)
  while (take(state, /^or\b/)) { terms.push(takeAnd(state)); skip(state) }
  return (row) => terms.some((t) => t(row))
}

// a function of a row, and the names that the filter is on
function filter (version, entity, text) {
  const state = { version, entity, rest: text, used: new Set() }
  const test = takeOr(state)
  skip(state)
  if (state.rest !== '') throw bad(`Invalid token '${state.rest.slice(0, 20)}' at the end of the filter`)
  return { test, used: state.used }
}

// ---------- $orderby ----------

function orderby (entity, text) {
  const keys = text.split(',').map((part) => {
    const m = /^ *([A-Za-z_]\w*)(?: +(asc|desc))? *$/.exec(part)
    if (!m) throw bad(`Invalid $orderby '${part}'`)
    const property = entity.properties[m[1]]
    if (!property) throw new ODataError(400, '005056A509B11EE1B9A8FEC11C21578E', `Property ${m[1]} not found in type ${entity.type}`)
    if (property.sortable === false) throw bad(`Property ${m[1]} is not sortable`)
    return { name: m[1], type: property.type, sign: m[2] === 'desc' ? -1 : 1 }
  })
  return (x, y) => {
    for (const { name, type, sign } of keys) {
      const a = x[name] ?? null
      const b = y[name] ?? null
      if (a === null && b === null) continue
      if (a === null || b === null) return (a === null ? -1 : 1) * sign
      const p = comparable(type, a)
      const q = comparable(type, b)
      const c = typeof p === 'object' ? compareDecimal(p, q) : p < q ? -1 : p > q ? 1 : 0
      if (c !== 0) return c * sign
    }
    return 0
  }
}

// ---------- keys ----------

// "('x')", "(A='x',B=1)" as an object, or null
function key (version, entity, text) {
  const state = { version, rest: text }
  const values = {}
  if (entity.keys.length === 1 && !/^\w+=/.test(text)) {
    const literal = takeLiteral(state)
    if (!literal || state.rest !== '') return null
    values[entity.keys[0]] = literal
  } else {
    for (;;) {
      const m = take(state, /^(\w+)=/)
      if (!m || !entity.keys.includes(m[1])) return null
      const literal = takeLiteral(state)
      if (!literal) return null
      values[m[1]] = literal
      if (state.rest === '') break
      if (!take(state, /^,/)) return null
    }
  }
  if (Object.keys(values).length !== entity.keys.length) return null
  for (const name of entity.keys) {
    const property = { type: entity.properties[name].type }
    if (values[name].type === 'null' || !compatible(property, values[name], version)) return null
    const v = values[name].value
    values[name] = v !== null && typeof v === 'object' ? String(v.digits) : v
  }
  return values
}

module.exports = { ODataError, bad, filter, orderby, key, decimal }
