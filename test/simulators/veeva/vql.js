// VQL: a parser for what one query target can be asked, and its evaluation.  Strict:
// what Vault's reference does not allow is an error.

'use strict'

class VqlError extends Error {
  constructor(type, message) {
    super(message)
    this.type = type
  }
}

const syntax = (message) => new VqlError('INCORRECT_QUERY_SYNTAX_ERROR', message)

const escapes = { '\\': '\\', "'": "'", '"': '"', '%': '%', '*': '*', n: '\n', t: '\t', r: '\r' }

// tokens: {word}, {number}, {text, pattern} (pattern: literal pieces around wildcards), {mark}
function tokens(text) {
  const out = []
  let i = 0
  while (i < text.length) {
    const c = text[i]
    if (/\s/.test(c)) { i++; continue }
    if (/[A-Za-z_]/.test(c)) {
      const word = /^[A-Za-z0-9_.]+/.exec(text.slice(i))[0]
      out.push({ word })
      i += word.length
      continue
    }
    if (/[0-9]/.test(c) || (c === '-' && /[0-9]/.test(text[i + 1] || ''))) {
      const number = /^-?[0-9]+(\.[0-9]+)?/.exec(text.slice(i))[0]
      out.push({ number })
      i += number.length
      continue
    }
    if (c === "'") {
      let value = ''
      const pattern = ['']
      for (i++; ; i++) {
        if (i >= text.length) throw syntax('missing closing quote')
        let d = text[i]
        if (d < ' ') throw syntax('unescaped control character in a string')
        if (d === "'" && text[i + 1] === "'") i++
        else if (d === "'") break
        else if (d === '\\') {
          d = escapes[text[++i]]
          if (d === undefined) throw syntax(`invalid escape sequence at position ${i}`)
        } else if (d === '%') {
          value += d
          pattern.push('')
          continue
        } else if (d === '$' && text[i + 1] === '{') {
          const token = /^\$\{([^}]*)\}/.exec(text.slice(i))
          if (!token || token[1] !== 'Core.user_id') throw new VqlError('INVALID_DATA', 'The token is not valid')
          d = '12021'
          i += token[0].length - 1
        }
        value += d
        pattern[pattern.length - 1] += d
      }
      i++
      out.push({ text: value, pattern })
      continue
    }
    const mark = /^(<=|>=|!=|[=<>(),])/.exec(text.slice(i))
    if (!mark) throw syntax(`unexpected character [${c}]`)
    out.push({ mark: mark[0] })
    i += mark[0].length
  }
  return out
}

class Parser {
  constructor(text) {
    this.tokens = tokens(text)
    this.at = 0
  }

  peek() { return this.tokens[this.at] || {} }
  isWord(word) { return (this.peek().word || '').toUpperCase() === word }
  isMark(mark) { return this.peek().mark === mark }
  word(word) {
    if (!this.isWord(word)) throw syntax(`expected ${word}`)
    this.at++
  }
  mark(mark) {
    if (!this.isMark(mark)) throw syntax(`expected ${mark}`)
    this.at++
  }
  takeWord(word) { return this.isWord(word) && ++this.at > 0 }
  takeMark(mark) { return this.isMark(mark) && ++this.at > 0 }
  name() {
    const { word } = this.peek()
    if (!word) throw syntax('expected a name')
    this.at++
    return word
  }
  count() {
    const { number } = this.peek()
    if (!number || !/^[0-9]+$/.test(number)) throw syntax('expected a number')
    this.at++
    return Number(number)
  }

  // name, or FUNCTION(name)
  operand(functions) {
    const name = this.name()
    if (!this.takeMark('(')) return { name }
    if (!functions.includes(name.toUpperCase())) throw syntax(`[${name}] is no function here`)
    const field = { name: this.name(), function: name.toUpperCase() }
    this.mark(')')
    return field
  }

  value() {
    const token = this.peek()
    this.at++
    if (token.text !== undefined || token.number !== undefined) return token
    if (token.word === 'true' || token.word === 'false') return { boolean: token.word === 'true' }
    if (token.word === 'null') return { none: true }
    throw syntax('expected a value')
  }

  comparison() {
    const field = this.operand(['TONAME', 'CASEINSENSITIVE'])
    if (this.takeWord('BETWEEN')) {
      const low = this.value()
      this.word('AND')
      return { field, operator: 'BETWEEN', values: [low, this.value()] }
    }
    if (this.takeWord('CONTAINS')) {
      const values = []
      this.mark('(')
      do values.push(this.value()); while (this.takeMark(','))
      this.mark(')')
      return { field, operator: 'CONTAINS', values }
    }
    if (this.takeWord('LIKE')) {
      const value = this.value()
      if (value.text === undefined) throw syntax('LIKE needs a string')
      if (value.pattern.length > 1 && value.pattern[0] === '') throw syntax('leading wildcard is not supported')
      return { field, operator: 'LIKE', values: [value] }
    }
    const { mark } = this.peek()
    if (!['=', '!=', '<', '>', '<=', '>='].includes(mark)) throw syntax(`expected an operator behind [${field.name}]`)
    this.at++
    return { field, operator: mark, values: [this.value()] }
  }

  primary() {
    if (!this.takeMark('(')) return this.comparison()
    const inner = this.either()
    this.mark(')')
    return inner
  }

  both() {
    const all = [this.primary()]
    while (this.takeWord('AND')) all.push(this.primary())
    return all.length === 1 ? all[0] : { all }
  }

  either() {
    const any = [this.both()]
    while (this.takeWord('OR')) any.push(this.both())
    return any.length === 1 ? any[0] : { any }
  }

  query() {
    const query = { select: [], order: [] }
    this.word('SELECT')
    do query.select.push(this.operand(['LONGTEXT', 'RICHTEXT', 'TONAME'])); while (this.takeMark(','))
    this.word('FROM')
    query.all = this.takeWord('ALLVERSIONS')
    query.target = this.name()
    if (this.takeWord('WHERE')) query.where = this.either()
    if (this.takeWord('ORDER')) {
      this.word('BY')
      do {
        const name = this.name()
        query.order.push({ name, descending: this.takeWord('DESC') || (this.takeWord('ASC'), false) })
      } while (this.takeMark(','))
    }
    if (this.takeWord('MAXROWS')) query.maxrows = this.count()
    if (this.takeWord('SKIP')) query.skip = this.count()
    if (this.takeWord('PAGESIZE')) query.pagesize = this.count()
    if (this.takeWord('PAGEOFFSET')) query.pageoffset = this.count()
    if (this.at < this.tokens.length) throw syntax(`unexpected ${JSON.stringify(this.peek())} at the end`)
    return query
  }
}

// a literal as values of the field's type compare
function literal(field, value) {
  if (value.none) return null
  const bad = () => new VqlError('INVALID_DATA', `The value is not valid for field [${field.name}] of type ${field.type}`)
  switch (field.type) {
    case 'Number':
    case 'Currency': {
      const text = value.number !== undefined ? value.number : value.text
      if (text === undefined || !/^-?[0-9]+(\.[0-9]+)?$/.test(text)) throw bad()
      return Number(text)
    }
    case 'Boolean':
      if (value.boolean === undefined) throw bad()
      return value.boolean
    case 'Date':
      if (value.text === undefined || !/^\d{4}-\d\d-\d\d$/.test(value.text)) throw bad()
      return Date.parse(value.text)
    case 'DateTime': {
      if (value.text === undefined || !/^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d\.\d{3}Z)?$/.test(value.text)) throw bad()
      const at = Date.parse(value.text)
      if (Number.isNaN(at)) throw bad()
      return at
    }
    case 'id':
      if (value.number === undefined) throw bad()
      return Number(value.number)
    default:
      if (value.text === undefined) throw bad()
      return value.text
  }
}

// a stored value likewise
function stored(field, value) {
  if (value === null || value === undefined) return null
  switch (field.type) {
    case 'Number':
    case 'Currency':
    case 'id': return Number(String(value).replace(/^[^0-9-]+/, ''))
    case 'Date':
    case 'DateTime': return Date.parse(value)
    default: return value
  }
}

// what TONAME() makes of a label
const toName = (label) => label.toLowerCase().replace(/[^a-z0-9]+/g, '_') + '__c'

// target: {documents, fields: Map name => {name, type, repeating, formula, searchable}}; where => (row) => boolean
function compile(where, target) {
  if (where.all) {
    const all = where.all.map((one) => compile(one, target))
    return (row) => all.every((one) => one(row))
  }
  if (where.any) {
    const any = where.any.map((one) => compile(one, target))
    return (row) => any.some((one) => one(row))
  }
  const field = target.fields.get(where.field.name)
  if (!field) throw new VqlError('ATTRIBUTE_NOT_SUPPORTED', `[${where.field.name}] is not a field of [${target.name}]`)
  if (field.formula || field.searchable === false || ['LongText', 'RichText'].includes(field.type)) throw new VqlError('INVALID_DATA', `Field [${field.name}] cannot be used in WHERE`)
  if (where.field.function === 'TONAME' && !(target.documents && field.type === 'Picklist')) throw new VqlError('INVALID_DATA', `TONAME() does not work on [${field.name}]`)
  if (where.field.function === 'CASEINSENSITIVE' && target.documents) throw syntax('CASEINSENSITIVE() is for objects')
  const fold = where.field.function === 'CASEINSENSITIVE' ? (x) => (typeof x === 'string' ? x.toLowerCase() : x) : where.field.function === 'TONAME' ? (x) => toName(x) : (x) => x
  const values = where.values.map((value) => literal(field, value))
  const have = (row) => {
    const value = row[field.name]
    return (Array.isArray(value) ? value : [value]).map((one) => stored(field, one)).filter((one) => one !== null).map(fold)
  }
  const some = (test) => (row) => have(row).some(test)
  switch (where.operator) {
    case '=': return values[0] === null ? (row) => have(row).length === 0 : some((x) => x === values[0])
    case '!=': return values[0] === null ? (row) => have(row).length > 0 : (row) => !have(row).some((x) => x === values[0])
    case 'CONTAINS': return some((x) => values.includes(x))
    case 'BETWEEN': return some((x) => x >= values[0] && x <= values[1])
    case 'LIKE': {
      const escaped = where.values[0].pattern.map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      const expression = new RegExp(`^${escaped.join('[^]*')}$`, 'u')
      return some((x) => expression.test(x))
    }
    case '<': return some((x) => x < values[0])
    case '>': return some((x) => x > values[0])
    case '<=': return some((x) => x <= values[0])
    case '>=': return some((x) => x >= values[0])
  }
  throw syntax(where.operator)
}

// nulls are last, whichever way; of raw objects as if they were the least
function sorter(order, target) {
  const keys = order.map((key) => {
    const field = target.fields.get(key.name)
    if (!field) throw new VqlError('ATTRIBUTE_NOT_SUPPORTED', `[${key.name}] is not a field of [${target.name}]`)
    if (field.formula || field.repeating) throw new VqlError('INVALID_DATA', `Field [${key.name}] cannot be used in ORDER BY`)
    return { field, descending: key.descending }
  })
  return (a, b) => {
    for (const { field, descending } of keys) {
      const x = stored(field, a[field.name])
      const y = stored(field, b[field.name])
      if (x === y) continue
      if (x === null || y === null) return (x === null) === (target.raw && !descending) ? -1 : 1
      if (x !== y) return (x < y ? -1 : 1) * (descending ? -1 : 1)
    }
    return 0
  }
}

module.exports = { Parser, VqlError, compile, sorter, syntax, toName }
