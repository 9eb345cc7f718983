// Zendesk's search grammar: words, "phrases", field:value, field>value, -field:value.

'use strict'

const fields = {
  ticket: { created: 'created_at', updated: 'updated_at', status: 'status', priority: 'priority', subject: 'subject', description: 'description', group: 'group_id', assignee: 'assignee_id', requester: 'requester_id', organization: 'organization_id', tags: 'tags', ticket_type: 'type', external_id: 'external_id', id: 'id' },
  user: { created: 'created_at', updated: 'updated_at', name: 'name', email: 'email', role: 'role', organization: 'organization_id', external_id: 'external_id', tags: 'tags', id: 'id' },
  organization: { created: 'created_at', updated: 'updated_at', name: 'name', external_id: 'external_id', tags: 'tags', id: 'id' }
}
const order = { status: ['new', 'open', 'pending', 'hold', 'solved', 'closed'], priority: ['low', 'normal', 'high', 'urgent'] }
const words_of = (text) => String(text).toLowerCase().split(/[^\p{L}\p{N}]+/u).filter(Boolean)

function parse(text) {
  const terms = []
  const token = /\s*(?:(-)?(\w+)(:|>=|<=|>|<)("[^"]*"|[^\s"]*)|(-)?("[^"]*")|(-)?([^\s"]+))/gy
  while (token.lastIndex < text.trimEnd().length) {
    const m = token.exec(text)
    if (!m) throw new Error('unbalanced quotation marks')
    if (m[2] !== undefined) {
      if (m[4] === '' || m[4] === '""') throw new Error(`no value for ${m[2]}`)
      terms.push({ not: m[1] === '-', field: m[2], operator: m[3], phrase: m[4].startsWith('"'), value: m[4].replace(/^"|"$/g, '') })
    } else if (m[6] !== undefined) terms.push({ not: m[5] === '-', phrase: true, value: m[6].slice(1, -1) })
    else terms.push({ not: m[7] === '-', value: m[8] })
  }
  return terms
}

function text_matches(have, term) {
  const words = words_of(have)
  if (term.phrase) return ` ${words.join(' ')} `.includes(` ${words_of(term.value).join(' ')} `)
  const wanted = term.value.toLowerCase()
  if (wanted.endsWith('*')) return words.some((word) => word.startsWith(wanted.slice(0, -1)))
  return words_of(term.value).every((word) => words.includes(word))
}

function one(term, kind, row) {
  if (term.field === undefined) return text_matches(Object.values(row).filter((v) => typeof v === 'string').join(' '), term)
  if (term.field === 'type') return term.value === kind
  const name = fields[kind][term.field]
  if (name === undefined) return false // an unknown keyword finds nothing
  const have = row[name]
  if (term.value === 'none') return (have === null || have === undefined || have.length === 0) === (term.operator === ':')
  if (have === null || have === undefined) return false
  if (name === 'tags') return have.includes(term.value.toLowerCase())
  if (name === 'created_at' || name === 'updated_at') {
    const wanted = Date.parse(term.value)
    if (Number.isNaN(wanted)) throw new Error(`${term.value} is not a date`)
    const at = Date.parse(have)
    if (term.operator === ':') return /T/.test(term.value) ? at === wanted : have.startsWith(term.value)
    return term.operator === '>' ? at > wanted : term.operator === '>=' ? at >= wanted : term.operator === '<' ? at < wanted : at <= wanted
  }
  if (order[name]) {
    const a = order[name].indexOf(have)
    const b = order[name].indexOf(term.value.toLowerCase())
    if (b < 0) return false
    return { ':': a === b, '>': a > b, '>=': a >= b, '<': a < b, '<=': a <= b }[term.operator]
  }
  if (term.operator !== ':') throw new Error(`${term.field} cannot be compared by ${term.operator}`)
  return typeof have === 'number' ? have === Number(term.value) : text_matches(have, term)
}

// terms of the same field are alternatives, as the vendor says; different ones must all match
function matches(terms, kind, row) {
  const groups = new Map()
  for (const term of terms) {
    if (term.not) {
      if (one(term, kind, row)) return false
      continue
    }
    const key = term.operator === ':' && term.field !== 'tags' ? term.field : Symbol('alone')
    groups.set(key, [...(groups.get(key) || []), term])
  }
  return [...groups.values()].every((group) => group.some((term) => one(term, kind, row)))
}

module.exports = { parse, matches }
