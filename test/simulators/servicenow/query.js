// ServiceNow's encoded queries, parsed and evaluated as an instance does: text is
// compared without regard to letter case, and a condition on a field that there is not
// is ignored, or finds nothing if the instance is set so.

'use strict'

// longer ones first
const OPERATORS = ['NOT IN', 'STARTSWITH', 'ENDSWITH', 'ISNOTEMPTY', 'ISEMPTY', 'NOT LIKE', 'NOTLIKE', 'ANYTHING', 'EMPTYSTRING',
  'BETWEEN', 'INSTANCEOF', 'SAMEAS', 'NSAMEAS', 'LIKE', 'IN', '!=', '>=', '<=', '=', '>', '<']

// the pieces between carets; two of them are one
function split(text) {
  const pieces = []
  let piece = ''
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '^') piece += text[i]
    else if (text[i + 1] === '^') {
      piece += '^'
      i++
    } else {
      pieces.push(piece)
      piece = ''
    }
  }
  pieces.push(piece)
  return pieces
}

// one condition: the operator is the first that stands behind a field's name
function condition(text) {
  const field = /^[a-z0-9_.]+/.exec(text)
  if (!field) return null
  for (const operator of OPERATORS) {
    if (text.startsWith(operator, field[0].length)) return { field: field[0], operator, value: text.slice(field[0].length + operator.length) }
  }
  return null
}

// {groups: [[[condition, ...alternatives], ...], ...], order: [{field, descending}], unknown: [...]}
function parse(text, has) {
  const query = { groups: [[]], order: [], unknown: [] }
  for (const piece of split(text || '')) {
    let rest = piece
    let alternative = false
    if (rest === '' || rest === 'EQ') continue
    if (rest.startsWith('ORDERBYDESC')) {
      query.order.push({ field: rest.slice(11), descending: true })
      continue
    }
    if (rest.startsWith('ORDERBY')) {
      query.order.push({ field: rest.slice(7), descending: false })
      continue
    }
    if (rest.startsWith('NQ')) {
      query.groups.push([])
      rest = rest.slice(2)
    } else if (rest.startsWith('OR')) {
      alternative = true
      rest = rest.slice(2)
    }
    const parsed = condition(rest)
    if (!parsed || !has(parsed.field)) {
      query.unknown.push(rest)
      continue
    }
    const group = query.groups[query.groups.length - 1]
    if (alternative && group.length) group[group.length - 1].push(parsed)
    else group.push([parsed])
  }
  query.order = query.order.filter(({ field }) => has(field) || (query.unknown.push(field), false))
  return query
}

function ordered(type, value) {
  if (type === 'integer' || type === 'decimal' || type === 'float') return Number(value)
  return String(value).toLowerCase()
}

function holds(wanted, row, type_of) {
  const type = type_of(wanted.field)
  const have = row[wanted.field] === undefined || row[wanted.field] === null ? '' : String(row[wanted.field])
  const a = have.toLowerCase()
  const b = wanted.value.toLowerCase()
  const list = () => b.split(',').map((value) => value.trim())
  switch (wanted.operator) {
    case 'ISEMPTY': return have === ''
    case 'ISNOTEMPTY': return have !== ''
    case 'ANYTHING': return true
    case 'EMPTYSTRING': return have === ''
    case '=': return a === b
    case '!=': return a !== b
    case 'IN': return list().includes(a)
    case 'NOT IN': return !list().includes(a)
    case 'LIKE': return a.includes(b)
    case 'NOT LIKE':
    case 'NOTLIKE': return !a.includes(b)
    case 'STARTSWITH': return a.startsWith(b)
    case 'ENDSWITH': return a.endsWith(b)
    case 'INSTANCEOF': return row.sys_class_name === wanted.value
  }
  if (have === '') return false
  const value = ordered(type, have)
  if (wanted.operator === 'BETWEEN') {
    const [low, high] = b.split('@')
    return value >= ordered(type, low) && value <= ordered(type, high)
  }
  const other = ordered(type, b)
  return { '>': value > other, '>=': value >= other, '<': value < other, '<=': value <= other }[wanted.operator]
}

// rows of a query; strict: what is not known finds nothing
function select(query, rows, type_of, strict) {
  if (strict && query.unknown.length) return []
  const found = rows.filter((row) => query.groups.some((group) => group.every((any) => any.some((one) => holds(one, row, type_of)))))
  const order = query.order
  return found.map((row, at) => ({ row, at })).sort((x, y) => {
    for (const { field, descending } of order) {
      const a = ordered(type_of(field), x.row[field] === undefined ? '' : x.row[field])
      const b = ordered(type_of(field), y.row[field] === undefined ? '' : y.row[field])
      if (a < b) return descending ? 1 : -1
      if (a > b) return descending ? -1 : 1
    }
    return x.at - y.at
  }).map(({ row }) => row)
}

module.exports = { parse, select }
