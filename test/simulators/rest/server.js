// A REST service as they are: the same books behind every kind of paging, query
// grammar, authentication and error, each by a route of its own.
//
//   node server.js         prints "ready PORT"
//
// Paths are /AUTH/ROUTE, AUTH one of open, basic, key, param, custom, bearer.  It
// refuses what such services refuse: wrong credentials, pages too large, parameters
// it does not know, queries that are none.  GET /seen gives the requests seen, /reset forgets
// them, /publish?N=MILLISECONDS dates a book anew, /set?NAME=VALUE sets how it misbehaves (see "trouble").

'use strict'

const http = require('node:http')

const COUNT = 57
const MAX_PAGE = 20

const books = []
for (let i = 1; i <= COUNT; i++) {
  books.push({
    id: i,
    title: i % 10 === 0 ? `Ti,tle "${i}" ä` : `Title ${i}`,
    price: i * 1.5,
    stock: i % 7 === 0 ? null : i * 100,
    sold: i % 2 === 0,
    note: i % 3 === 0 ? '' : 'x',
    published: new Date(Date.UTC(2026, 0, i, 12)).toISOString().replace('.000', ''),
    changed: Date.UTC(2026, 0, 1) / 1000 + Math.floor(i / 4) * 3600, // four to an hour
    seen: new Date(Date.UTC(2026, 0, i)).toISOString().slice(0, 19).replace('T', ' '),
    author: { name: `Author ${i % 5}`, born: 1900 + i },
    extra: [{ id: 36, value: `v${i}` }, { id: 37, value: { deep: i } }],
    shelf: i % 3
  })
}

let seen = []
let tokens = new Set()
let made = 0
let trouble = {}
let things = new Map()
let jobs = new Map()

const reply = (res, status, body, headers = {}) => {
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
  res.writeHead(status, { 'Content-Type': 'application/json', ...headers })
  res.end(text)
}
const refuse = (res, status, code, message) => reply(res, status, { error: { code, message } })

// ---------- who is asking ----------

const authorized = {
  open: () => true,
  basic: (req) => req.headers.authorization === 'Basic ' + Buffer.from('me:planted-password').toString('base64'),
  key: (req) => req.headers['x-book-key'] === 'Key planted-key',
  param: (req, query) => query.get('key') === 'planted-key',
  custom: (req) => req.headers['x-user'] === 'me' && req.headers['x-secret'] === 'planted-secret',
  bearer: (req) => tokens.has((req.headers.authorization || '').replace(/^Bearer /, ''))
}

// ---------- queries ----------

const fieldOf = (book, path) => path.split('.').reduce((o, k) => (o === null || o === undefined ? undefined : o[k]), book)
const literal = (text) => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text)
const comparable = (value) => (typeof value === 'string' && /^\d{4}-\d\d-\d\d[T ]/.test(value) ? Date.parse(value.replace(' ', 'T').replace(/Z?$/, 'Z')) : value)
const compare = (value, op, operand) => {
  if (op === 'ISEMPTY') return value === null || value === ''
  if (op === 'ISNOTEMPTY') return value !== null && value !== ''
  if (value === null || value === undefined) return false
  let a = comparable(value)
  let b = comparable(typeof value === 'number' ? literal(operand) : operand)
  if (typeof a === 'boolean') a = String(a)
  switch (op) {
    case '=': return a === b
    case '!=': return a !== b
    case '>': return a > b
    case '>=': return a >= b
    case '<': return a < b
    case '<=': return a <= b
    case 'STARTSWITH': return String(a).startsWith(b)
    case 'LIKE': return String(a).includes(b)
    case 'IN': return operand.split(',').includes(String(value))
  }
}

// a=b^c>d^ORe=f^ORDERBYx^ORDERBYDESCy; ^^ is a caret.  Throws what is wrong.
function encoded(query) {
  const terms = query.split(/(?<!\^)\^(?!\^)/).map((t) => t.replace(/\^\^/g, '^'))
  const groups = []
  const order = []
  for (const term of terms) {
    const sort = /^ORDERBY(DESC)?([a-z.]+)$/.exec(term)
    if (sort) {
      order.push([sort[2], sort[1] ? -1 : 1])
      continue
    }
    const m = /^(OR)?([a-z.]+)(!=|>=|<=|=|>|<|LIKE|IN|STARTSWITH|ISEMPTY|ISNOTEMPTY)(.*)$/s.exec(term)
    if (!m) throw new Error(`cannot read "${term}"`)
    if (fieldOf(books[0], m[2]) === undefined) throw new Error(`no field "${m[2]}"`)
    if (m[4].startsWith('javascript:')) throw new Error('scripts are not allowed')
    const test = (b) => compare(fieldOf(b, m[2]), m[3], m[4])
    if (m[1]) {
      if (groups.length === 0) throw new Error('OR without a term before it')
      groups[groups.length - 1].push(test)
    } else groups.push([test])
  }
  const found = books.filter((b) => groups.every((g) => g.some((t) => t(b))))
  found.sort((a, b) => {
    for (const [f, way] of order) {
      const x = fieldOf(a, f)
      const y = fieldOf(b, f)
      if (x !== y) return (x === null ? -1 : y === null ? 1 : x < y ? -1 : 1) * way
    }
    return 0
  })
  return found
}

// type:book published>2026-01-05 title:"Title 3": dates have days only
function search(query) {
  const words = query.match(/(?:[^\s"]|"(?:[^"\\]|\\.)*")+/g) || []
  if (words[0] !== 'type:book') throw new Error('a query begins with type:book')
  return books.filter((b) => words.slice(1).every((word) => {
    const m = /^([a-z.]+)(>=|<=|>|<|:)(.*)$/s.exec(word)
    if (!m || fieldOf(b, m[1]) === undefined) throw new Error(`cannot read ${word}`)
    let value = fieldOf(b, m[1])
    const operand = m[3].startsWith('"') ? m[3].slice(1, -1).replace(/\\(.)/g, '$1') : m[3]
    if (m[1] === 'published') {
      if (!/^\d{4}-\d\d-\d\d$/.test(operand)) throw new Error(`${operand} is no date`)
      value = value.slice(0, 10)
    }
    // words are found anywhere, in any case: less exact than asked for
    if (m[2] === ':') return String(value).toLowerCase().includes(operand.toLowerCase())
    return compare(value, m[2], operand)
  }))
}

// ---------- routes ----------

const sizeOf = (res, text) => {
  const size = Number(text || MAX_PAGE)
  if (!Number.isInteger(size) || size < 1 || size > MAX_PAGE) {
    refuse(res, 400, 'bad_size', `page size must be from 1 to ${MAX_PAGE}`)
    return 0
  }
  return size
}
const known = (res, query, names) => {
  for (const name of query.keys()) {
    if (!names.includes(name) && name !== 'key') {
      refuse(res, 400, 'unknown_parameter', `no parameter "${name}"`)
      return false
    }
  }
  return true
}
const mark = (n) => Buffer.from(`from:${n}`).toString('base64url')
const unmark = (text) => Number(Buffer.from(text, 'base64url').toString().slice(5))
const chosen = (list, query) => {
  if (!query.get('fields')) return list
  const names = query.get('fields').split(',')
  return list.map((b) => Object.fromEntries(names.map((n) => n.split('.')[0]).map((n) => [n, b[n]])))
}

const routes = {
  'offset/books' (req, res, query) {
    if (!known(res, query, ['start', 'limit', 'fields', 'shelf', 'min_id', 'lang'])) return
    const size = sizeOf(res, query.get('limit'))
    if (!size) return
    let list = books
    if (query.has('shelf')) list = list.filter((b) => b.shelf === Number(query.get('shelf')))
    if (query.has('min_id')) list = list.filter((b) => b.id >= Number(query.get('min_id')))
    const start = Number(query.get('start') || 0)
    reply(res, 200, { result: { total: list.length, items: chosen(list.slice(start, start + size), query) } })
  },
  'page/books' (req, res, query) {
    const size = sizeOf(res, query.get('per_page'))
    const page = Number(query.get('page'))
    if (!size) return
    if (!(page >= 1)) return refuse(res, 400, 'bad_page', 'pages count from 1')
    reply(res, 200, books.slice((page - 1) * size, page * size))
  },
  'cursor/books' (req, res, query) {
    const size = sizeOf(res, query.get('limit'))
    if (!size) return
    if (query.has('cursor') && query.has('since')) return refuse(res, 400, 'bad_since', 'since goes with the first page only')
    const list = books.filter((b) => b.changed >= Number(query.get('since') || 0))
    const from = query.has('cursor') ? unmark(query.get('cursor')) : 0
    if (Number.isNaN(from)) return refuse(res, 400, 'bad_cursor', 'what cursor?')
    const next = from + size < list.length ? mark(trouble.loop ? 0 : from + size) : ''
    reply(res, 200, { books: list.slice(from, from + size), meta: { next, more: next !== '' } })
  },
  'link/books' (req, res, query) {
    const size = sizeOf(res, query.get('size'))
    if (!size) return
    const from = Number(query.get('from') || 0)
    const next = from + size < COUNT ? `${trouble.elsewhere || ''}${req.path}?size=${size}&from=${from + size}` : null
    reply(res, 200, { next, books: books.slice(from, from + size) })
  },
  'linkheader/books' (req, res, query) {
    const size = sizeOf(res, query.get('size'))
    const from = Number(query.get('from') || 0)
    const links = [`<http://${req.headers.host}${req.path}?size=${size}>; rel="first"`]
    if (from + size < COUNT) links.push(`<http://${req.headers.host}${req.path}?size=${size}&from=${from + size}>; rel="next"`)
    reply(res, 200, books.slice(from, from + size), { Link: links.join(', ') })
  },
  'tokenheader/books' (req, res, query) {
    const from = query.has('token') ? unmark(query.get('token')) : 0
    const size = sizeOf(res, query.get('size'))
    reply(res, 200, { list: books.slice(from, from + size) }, from + size < COUNT ? { 'X-Next': mark(from + size) } : {})
  },
  'time/books' (req, res, query) {
    // from a time on, inclusive: the last of a page come again
    const since = Number(query.get('start'))
    const size = sizeOf(res, query.get('size'))
    if (!query.has('start')) return refuse(res, 422, 'no_start', 'start is missing')
    const list = books.filter((b) => b.changed >= since).slice(0, size)
    const end = list.length > 0 ? list[list.length - 1].changed : since
    reply(res, 200, { books: list, end_time: end, end_of_stream: list.length < size })
  },
  'key/books' (req, res, query) {
    const size = sizeOf(res, query.get('size'))
    reply(res, 200, { books: books.filter((b) => b.id > Number(query.get('after') || 0)).slice(0, size) })
  },
  'encoded/books' (req, res, query) {
    if (!known(res, query, ['query', 'limit', 'start', 'fields'])) return
    const size = sizeOf(res, query.get('limit'))
    const start = Number(query.get('start') || 0)
    if (!size) return
    try {
      const list = query.get('query') ? encoded(query.get('query')) : books
      reply(res, 200, { result: chosen(list.slice(start, start + size), query) }, { 'X-Total-Count': String(list.length) })
    } catch (e) { refuse(res, 400, 'bad_query', e.message) }
  },
  'search/books' (req, res, query) {
    const size = sizeOf(res, query.get('limit'))
    const page = Number(query.get('page') || 1)
    try {
      const list = search(query.get('q') || '')
      reply(res, 200, { count: list.length, results: list.slice((page - 1) * size, page * size) })
    } catch (e) { refuse(res, 422, 'bad_query', e.message) }
  },
  'post/books' (req, res, query, body) {
    if (req.method !== 'POST' || !/^application\/json/.test(req.headers['content-type'] || '')) return refuse(res, 405, 'no', 'POST JSON')
    const asked = JSON.parse(body)
    if (typeof asked.limit !== 'number' || typeof asked.start !== 'number') return refuse(res, 400, 'bad_body', 'limit and start must be numbers')
    reply(res, 200, { books: books.slice(asked.start, asked.start + asked.limit) })
  },
  'form/books' (req, res, query, body) {
    const asked = new URLSearchParams(body)
    if (req.headers['content-type'] !== 'application/x-www-form-urlencoded') return refuse(res, 415, 'no', 'a form, please')
    const start = Number(asked.get('start'))
    reply(res, 200, { books: books.slice(start, start + Number(asked.get('limit'))) })
  },
  // failures are told by ok, with status 200
  'ok/books' (req, res, query) {
    if (trouble.expireok && trouble.expireok-- > 0) return reply(res, 200, { ok: false, error: 'token_expired' })
    if (trouble.busyok && trouble.busyok-- > 0) return reply(res, 200, { ok: false, error: 'ratelimited' })
    if (trouble.deny) return reply(res, 200, { ok: false, error: trouble.deny, detail: 'the scope books:read is missing' })
    const from = query.has('cursor') ? unmark(query.get('cursor')) : 0
    reply(res, 200, { ok: true, books: books.slice(from, from + 20), next: from + 20 < COUNT ? mark(from + 20) : '' })
  },
  'html/books' (req, res) { reply(res, 200, '<!DOCTYPE html><html><body>Sign in</body></html>', { 'Content-Type': 'text/html' }) },
  'cut/books' (req, res) {
    res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '100000' })
    res.write(JSON.stringify({ books: books.slice(0, 5) }).slice(0, -30))
    setTimeout(() => res.destroy(), 50)
  },
  'short/books' (req, res) { reply(res, 200, JSON.stringify({ books: books.slice(0, 5) }).slice(0, -30)) },
  'overflow/books' (req, res) { reply(res, 200, '{"books":[{"id":1,"title":"fits"},{"id":99999999999999999999,"title":"does not"},{"id":3,"title":"fits"}]}') },
  'utf8/books' (req, res) { reply(res, 200, Buffer.concat([Buffer.from('{"books":[{"id":1,"title":"a'), Buffer.from([0xff, 0xfe]), Buffer.from('"}]}')])) },
  'twice/books' (req, res) { reply(res, 200, '{"books":[{"id":1,"title":"a","title":"b"}]}') },
  'none/books' (req, res) { reply(res, 200, '{"data":[]}') },
  'null/books' (req, res) { reply(res, 200, '{"books":null}') },
  'moody/books' (req, res) { reply(res, Number(trouble.status || 500), trouble.text || { error: { code: 'moody', message: 'not today' } }) },
  // as many as wanted, 1,000 to a page
  'endless/books' (req, res, query) {
    const from = query.has('cursor') ? unmark(query.get('cursor')) : 0
    const count = Number(trouble.count || 5000)
    let text = '{"books":['
    for (let i = from; i < Math.min(from + 1000, count); i++) {
      text += `${i > from ? ',' : ''}{"id":${i},"title":"Title ${i}","price":${i}.5,"changed":${1767225600 + i},"note":"","author":{"name":"Author ${i % 5}"},"extra":[{"id":36,"value":"v${i}"}]}`
    }
    reply(res, 200, `${text}],"next":${from + 1000 < count ? `"${mark(from + 1000)}"` : null}}`)
  },
  // points of series in two more levels of arrays; three series to a page, the second one empty; trouble.points in each
  'nested/books' (req, res, query) {
    const from = query.has('cursor') ? unmark(query.get('cursor')) : 0
    const count = Number(trouble.points || 4)
    const result = [0, 1, 2].map((i) => ({
      id: from + i,
      unit: 'EUR',
      data: i === 1 ? [] : ['a', 'b'].map((host, k) => ({
        dimensions: [host, `d${from + i}`],
        map: { host },
        times: Array.from({ length: count }, (_, n) => 1767225600000 + n * 60000),
        values: Array.from({ length: count }, (_, n) => (n % 4 === 3 ? null : (from + i) * 1000000 + k * 100000 + n + 0.5))
      }))
    }))
    reply(res, 200, { status: trouble.status || 'ok', error: trouble.text, result, next: from + 3 < 9 ? mark(from + 3) : null })
  },
  'pairs/books' (req, res) {
    reply(res, 200, `{"series":[{"scope":"host:a","pointlist":[[1767225600000.0,1.5],[1.76722566E12,null],[1767225720000,"x"]]},{"scope":"host:b","pointlist":[[1767225600000,${'9'.repeat(25)}.25]]},{"scope":"host:c","pointlist":null},{"scope":"host:d"}]}`)
  },
  'grid/books' (req, res) {
    reply(res, 200, { data: { xValues: ['2026-01-01', '2026-01-02', '2026-01-03'], series: [[1, 2, 3], [4, 5, 6]], seriesLabels: ['a', 'b'] }, asked: req.url })
  },
  'ratelimit/books' (req, res, query) {
    const left = trouble.left === undefined ? 1 : Number(trouble.left)
    reply(res, 200, { books: books.slice(0, 2) }, { 'X-Left': String(left), 'X-Reset': String(trouble.reset || 1) })
  },
  'schema/book' (req, res, query) {
    reply(res, 200, {
      fields: [
        { key: 'id', kind: 'number', label: 'Id', table: 'thing' },
        { key: 'title', kind: 'text', label: 'Title', table: 'book', size: 40, must: true },
        { key: 'published', kind: 'moment', label: 'Published', table: 'book' },
        { key: 'price', kind: 'money', label: 'Price', table: 'book' },
        { key: 'shelf', kind: 'choice', label: 'Shelf', table: 'book', options: [{ v: '0' }, { v: '1' }, { v: '2' }] },
        { key: 'secret', kind: 'text', label: 'Gone', table: 'book', retired: true },
        { key: 'hull', kind: 'text', label: 'Hull', table: 'boat' }
      ].filter((f) => (query.get('of') || '').split(',').includes(f.table))
    })
  },
  'list/things' (req, res, query) {
    const all = [...things.values()].filter((t) => !query.has('id') || String(t.id) === query.get('id'))
    reply(res, 200, { things: all })
  },
  kinds (req, res, query) {
    const parents = { book: 'thing', thing: '' }
    const name = query.get('name')
    reply(res, 200, { kinds: name in parents ? [{ name, parent: { name: parents[name] } }] : [] })
  },
  shelves (req, res, query) {
    const all = [{ id: 'S0', name: 'Fiction' }, { id: 'S1', name: 'Travel' }, { id: 'S2', name: 'Old', archived: true }, { id: 'S3', name: 'Empty' }]
    const from = query.has('cursor') ? unmark(query.get('cursor')) : 0
    reply(res, 200, { shelves: all.slice(from, from + 2), next: from + 2 < all.length ? mark(from + 2) : null })
  }
}

// ---------- things that can be written ----------

const problemOf = (thing) => {
  if (thing === null || typeof thing !== 'object') return ['invalid', 'not an object']
  if (typeof thing.name !== 'string' || thing.name === '') return ['missing_name', 'name must be text']
  if (thing.name === 'bad') return ['bad_name', 'that name is not allowed']
  for (const key of Object.keys(thing)) if (!['id', 'name', 'size', 'made', 'owner', 'extra'].includes(key)) return ['unknown_field', `no field "${key}"`]
  return null
}
const store = (operation, thing) => {
  if (operation === 'delete') return things.delete(String(thing.id)) ? { ok: true, id: thing.id } : { ok: false, error: 'not_found', text: `no thing ${thing.id}` }
  if (operation === 'update' && !things.has(String(thing.id))) return { ok: false, error: 'not_found', text: `no thing ${thing.id}` }
  const whole = operation === 'update' ? { ...things.get(String(thing.id)), ...thing } : thing
  const problem = problemOf(whole)
  if (problem) return { ok: false, error: problem[0], text: problem[1] }
  if (operation === 'insert' && things.has(String(thing.id))) return { ok: false, error: 'duplicate', text: `thing ${thing.id} is there already` }
  const id = thing.id === undefined ? `new-${things.size + 1}` : thing.id
  things.set(String(id), { ...whole, id })
  return { ok: true, id }
}
const statusOf = { duplicate: 409, not_found: 404 }

function write (req, res, path, body) {
  const one = /^things\/([^/]+)$/.exec(path)
  const json = body === '' ? undefined : JSON.parse(body)
  const single = (operation, thing) => {
    const outcome = store(operation, thing)
    if (trouble.loseanswers && trouble.loseanswers-- > 0) return res.destroy()
    if (!outcome.ok) return refuse(res, statusOf[outcome.error] || 422, outcome.error, outcome.text)
    reply(res, operation === 'delete' ? 204 : 200, operation === 'delete' ? '' : { thing: { id: outcome.id } })
  }
  if (trouble.failwrites && trouble.failwrites-- > 0) return refuse(res, 500, 'broken', 'the disk is full')
  if (trouble.busywrites && trouble.busywrites-- > 0) return reply(res, 429, { error: { code: 'slow_down', message: 'too fast' } }, { 'Retry-After': '0' })
  if (path === 'things' && req.method === 'POST') return single('insert', json.thing)
  if (one && req.method === 'PATCH') return single('update', { ...json, id: decodeURIComponent(one[1]) })
  if (one && req.method === 'PUT') return single('upsert', { ...json, id: decodeURIComponent(one[1]) })
  if (one && req.method === 'DELETE') return single('delete', { id: decodeURIComponent(one[1]) })
  if (/^things\/(many|job)$/.test(path)) return refuse(res, 405, 'method', 'POST')
  const many = /^(many|jobs)\/(insert|update|upsert|delete)$/.exec(path)
  if (!many || req.method !== 'POST') return refuse(res, 404, 'no_route', path)
  if (json.things.length > 3) return refuse(res, 413, 'too_many', 'three at most')
  const results = json.things.map((thing, index) => ({ index, ...store(many[2], thing) }))
  if (many[1] === 'many') return reply(res, 200, { results: trouble.lose ? results.slice(1) : trouble.shuffle ? results.reverse() : results })
  const id = `job-${jobs.size + 1}`
  jobs.set(id, { results, asked: 0 })
  reply(res, 202, { job: { id, state: 'queued' } })
}

// ---------- the server ----------

function serve (req, res, body) {
  const url = new URL(req.url, 'http://x')
  const query = url.searchParams
  if (url.pathname === '/seen') return reply(res, 200, seen)
  if (url.pathname === '/reset') { seen = []; trouble = {}; things = new Map(); jobs = new Map(); return reply(res, 200, {}) }
  if (url.pathname === '/set') { for (const [k, v] of query) trouble[k] = v; return reply(res, 200, {}) }
  if (url.pathname === '/publish') {
    // ?N=MILLISECONDS: when book N was published
    for (const [k, v] of query) books[Number(k) - 1].published = new Date(Number(v)).toISOString()
    return reply(res, 200, {})
  }
  if (url.pathname === '/expire') { tokens.clear(); return reply(res, 200, {}) }
  if (url.pathname === '/things') return reply(res, 200, [...things.values()])
  if (url.pathname === '/token') {
    const form = new URLSearchParams(body)
    if (form.get('client_secret') !== 'planted-client-secret') return reply(res, 401, { error: 'invalid_client' })
    const token = `planted-token-${++made}`
    tokens.add(token)
    seen.push({ method: 'POST', url: '/token' })
    return reply(res, 200, { access_token: token, expires_in: 3600 })
  }
  seen.push({ method: req.method, url: decodeURIComponent(req.url), raw: req.url, headers: req.headers, body })
  const [, auth, path] = /^\/([a-z]+)\/(.*)$/.exec(url.pathname) || []
  if (!authorized[auth]) return refuse(res, 404, 'no_route', 'no such place')
  req.path = url.pathname
  if (trouble.expireafter !== undefined && --trouble.expireafter < 0) { tokens.clear(); delete trouble.expireafter }
  if (!authorized[auth](req, query)) return refuse(res, 401, 'unauthorized', 'who are you?')
  if (trouble.throttle && trouble.throttle-- > 0) return reply(res, 429, { error: { code: 'slow_down', message: 'too fast' } }, { 'Retry-After': '0' })
  if (trouble.forbid) return refuse(res, 403, 'forbidden', 'the scope books:read is missing')
  const shelf = /^shelves\/S(\d)\/books$/.exec(path)
  if (shelf) return reply(res, 200, { books: books.filter((b) => b.shelf === Number(shelf[1])) })
  const job = /^jobs\/(job-\d+)$/.exec(path)
  if (job && req.method === 'GET') {
    const it = jobs.get(job[1])
    if (!it) return refuse(res, 404, 'no_job', 'what job?')
    if (trouble.failjob) return reply(res, 200, { job: { id: job[1], state: 'failed', error: 'the worker died' } })
    const state = ['queued', 'working', 'completed'][Math.min(it.asked++, 2)]
    return reply(res, 200, { job: { id: job[1], state, results: state === 'completed' ? it.results : undefined } })
  }
  if (routes[path]) return routes[path](req, res, query, body)
  write(req, res, path, body)
}

const server = http.createServer((req, res) => {
  const parts = []
  req.on('data', (d) => parts.push(d))
  req.on('end', () => {
    try { serve(req, res, Buffer.concat(parts).toString()) } catch (e) { refuse(res, 500, 'exception', String(e)) }
  })
})
server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`))
