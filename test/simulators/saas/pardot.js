// Account Engagement (Pardot) API v5, queries of objects.
//
//   node pardot.js        prints "ready PORT"
//
// Tokens planted-pardot and 00D-pardot-a1b2c3 are good until /control/expire, for the business unit
// 0Uv000000000000001. See ../rest/service.js; /control/set {"short": n} makes pages shorter though they are not the last,
// {"chain": n} ends chains of page tokens after n records, as the vendor does after 100,000.

'use strict'

const { Service } = require('../rest/service')

const UNIT = '0Uv000000000000001'
const failed = (status, code, message) => ({ status, body: { code, message } })
const at = (n) => `2024-01-${String(1 + Math.floor(n / 1440)).padStart(2, '0')}T${String(Math.floor(n / 60) % 24).padStart(2, '0')}:${String(n % 60).padStart(2, '0')}:00+01:00`

// what objects have, which of it can be filtered by, and which times have ranges
const objects = {
  prospects: {
    fields: ['id', 'email', 'firstName', 'lastName', 'score', 'optedOut', 'isDeleted', 'campaignId', 'campaign.name', 'createdAt', 'updatedAt', 'Region__c', 'Level__c'],
    equal: ['email', 'userId'],
    ranges: ['createdAt', 'updatedAt'],
    make: (n) => ({
      id: n, email: `person${n}@example.com`, firstName: n % 7 === 0 ? null : `Zoë "${n}"`, lastName: `L${n}`, score: n % 100, optedOut: n % 9 === 0, isDeleted: false, campaignId: 3,
      campaign: { name: 'Spring & fair' }, createdAt: at(0), updatedAt: at(n % 40000), Region__c: n % 2 ? 'north' : null, Level__c: String(n % 5)
    })
  },
  lists: {
    fields: ['id', 'name', 'title', 'isPublic', 'createdAt', 'updatedAt'],
    equal: [],
    ranges: ['createdAt', 'updatedAt'],
    make: (n) => ({ id: n, name: `list ${n}`, title: null, isPublic: n % 2 === 0, createdAt: at(0), updatedAt: at(n) })
  },
  'list-memberships': {
    fields: ['id', 'listId', 'prospectId', 'optedOut', 'createdAt', 'updatedAt'],
    equal: ['listId', 'prospectId'],
    ranges: ['createdAt', 'updatedAt'],
    make: (n) => ({ id: n, listId: 1 + (n % 3), prospectId: n, optedOut: false, createdAt: at(0), updatedAt: at(n) })
  },
  'custom-fields': {
    fields: ['id', 'name', 'fieldId', 'type', 'createdAt', 'updatedAt'],
    equal: [],
    ranges: ['createdAt', 'updatedAt'],
    make: (n) => ({ id: n, name: ['Region', 'Level'][n - 1], fieldId: ['Region', 'Level'][n - 1], type: 'Text', createdAt: at(0), updatedAt: at(0) })
  },
  folders: {
    fields: ['id', 'name', 'path', 'createdAt', 'updatedAt'],
    equal: [],
    ranges: [],
    make: (n) => ({ id: n, name: `folder ${n}`, path: `/a/${n}`, createdAt: at(0), updatedAt: at(0) })
  }
}

class Unit {
  constructor() {
    this.settings = { short: 0, chain: 100000 }
    this.tokens = new Set(['planted-pardot', '00D-pardot-a1b2c3'])
    this.rows = new Map(Object.keys(objects).map((name) => [name, []]))
    this.seed({ 'custom-fields': 2 })
    this.chains = new Map()
  }

  expire() {
    this.settings.expired = true
  }

  seed(what) {
    for (const [name, have] of Object.entries(what)) {
      this.rows.set(name, typeof have === 'number' ? Array.from({ length: have }, (_, i) => objects[name].make(i + 1)) : have)
    }
    return {}
  }

  records(name) {
    return this.rows.get(name)
  }

  throttled() {
    return failed(429, 66, 'You have exceeded your concurrent request limit. Please wait, before trying again')
  }

  async handle(request) {
    const match = /^\/api\/v5\/objects\/([a-z-]+)$/.exec(request.path)
    const header = /^Bearer (.+)$/.exec(request.headers.authorization || '')
    const unit = request.headers['pardot-business-unit-id']
    if (!header) return failed(401, 49, 'Authentication failed')
    if (unit === undefined) return failed(400, 181, 'Request is missing the Pardot-Business-Unit-Id header')
    if (!/^0Uv\w{15}$/.test(unit)) return failed(400, 182, 'The Pardot-Business-Unit-Id header is not valid')
    if (this.settings.expired || !this.tokens.has(header[1])) return failed(401, 184, 'access_token is invalid, unknown, or malformed')
    if (unit !== UNIT) return failed(400, 201, 'The business unit does not exist')
    if (!match || !objects[match[1]]) return failed(404, 150, 'The requested object does not exist')
    if (request.method !== 'GET') return failed(405, 68, 'The method is not allowed')
    return this.query(match[1], request.query)
  }

  project(row, fields) {
    const out = {}
    for (const field of fields) {
      const [head, tail] = field.split('.')
      if (tail === undefined) out[head] = row[head] === undefined ? null : row[head]
      else out[head] = { ...out[head], [tail]: (row[head] || {})[tail] }
    }
    return out
  }

  query(name, query) {
    const object = objects[name]
    if (!query.get('fields')) return failed(400, 193, 'Missing required parameter: fields')
    const fields = query.get('fields').split(',')
    const unknown = fields.find((field) => !object.fields.includes(field))
    if (unknown !== undefined) return failed(400, 197, `Unknown field in request: ${unknown}`)
    if (query.has('nextPageToken')) {
      const other = [...query.keys()].find((key) => key !== 'fields' && key !== 'nextPageToken')
      if (other !== undefined) return failed(400, 195, `Parameter ${other} is not allowed with nextPageToken`)
      const chain = this.chains.get(query.get('nextPageToken'))
      if (!chain) return failed(400, 196, 'The nextPageToken is not valid')
      return this.page(name, fields, chain.rows, chain.limit, chain.read)
    }
    const limit = query.has('limit') ? Number(query.get('limit')) : 200
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000) return failed(400, 198, 'The limit must be between 1 and 1000')
    if (query.has('orderBy') && !/^(id|createdAt|updatedAt)( (ASC|DESC))?$/.test(query.get('orderBy'))) return failed(400, 194, 'Invalid orderBy')
    const filtered = new Set()
    let rows = [...this.rows.get(name)]
    for (const [key, value] of query) {
      if (['fields', 'limit', 'orderBy'].includes(key)) continue
      const range = /^(\w+At)(AfterOrEqualTo|BeforeOrEqualTo|After|Before)$/.exec(key)
      if (key === 'idGreaterThan') {
        if (!/^\d+$/.test(value)) return failed(400, 71, 'idGreaterThan is not a number')
        rows = rows.filter((row) => row.id > Number(value))
        filtered.add('id')
      } else if (range && object.ranges.includes(range[1])) {
        if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$/.test(value)) return failed(400, 71, `${key} is not a valid date`)
        const bound = Date.parse(value)
        rows = rows.filter((row) => {
          const time = Date.parse(row[range[1]])
          return { AfterOrEqualTo: time >= bound, BeforeOrEqualTo: time <= bound, After: time > bound, Before: time < bound }[range[2]]
        })
        filtered.add(range[1])
      } else if (object.equal.includes(key)) {
        rows = rows.filter((row) => String(row[key]).toLowerCase() === value.toLowerCase())
        filtered.add(key)
      } else return failed(400, 194, `Unknown parameter: ${key}`)
    }
    if (filtered.size > 3) return failed(400, 209, 'No more than 3 fields may be filtered by')
    const [by, direction] = (query.get('orderBy') || 'id').split(' ')
    rows.sort((a, b) => (a[by] < b[by] ? -1 : a[by] > b[by] ? 1 : a.id - b.id) * (direction === 'DESC' ? -1 : 1))
    return this.page(name, fields, rows, limit, 0)
  }

  page(name, fields, rows, limit, read) {
    const part = rows.slice(0, Math.max(1, limit - this.settings.short))
    const done = read + part.length
    const headers = {}
    let token = null
    if (part.length < rows.length && done < this.settings.chain) {
      token = Buffer.from(`${name}:${this.chains.size}`).toString('base64')
      this.chains.set(token, { rows: rows.slice(part.length), limit, read: done })
    } else if (part.length < rows.length) headers['Pardot-Warning'] = '203: the query has more results than one chain of pages may have'
    const url = token && `https://pi.pardot.com/api/v5/objects/${name}?fields=${encodeURIComponent(fields.join(','))}&nextPageToken=${token}`
    return { status: 200, headers, body: { nextPageToken: token, nextPageUrl: url, values: part.map((row) => this.project(row, fields)) } }
  }
}

new Service(new Unit()).start()
