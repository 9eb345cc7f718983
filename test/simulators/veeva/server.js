// Veeva Vault: sessions, metadata, VQL, document files.
//
//   node server.js [SEED]      prints "ready PORT"
//
// Users: me / planted-veeva and olivia@veepharm.com / V4ult-Secret may enter this vault, elsewhere / planted-veeva
// another one only. Five wrong passwords in a row lock a user out. All answers but files have status 200. See
// ../rest/service.js for /control/; here
//
//   /control/expire                    ends all sessions
//   /control/set {"burst": n}          after n more calls answers say so and are delayed by "delay" ms
//   /control/set {"links": "gone"}     links to pages have expired
//   /control/set {"shrink": n}         pages have n records at most, whatever was asked for
//   /control/fault?kind=failure=TYPE   FAILURE with an error of that type (exception=TYPE: EXCEPTION)
//   /control/fault?kind=loop           the page's link leads to itself
//   /control/fault?kind=stop           a file breaks off after two thirds

'use strict'

const crypto = require('node:crypto')
const { Service, sleep } = require('../rest/service')
const { Vault, objects, properties, types } = require('./vault')
const { Parser, VqlError, compile, sorter } = require('./vql')

const ROOT = '/api/v25.2'
const PIECE = 64 * 1024

const failed = (type, message, status = 'FAILURE') => ({ status: 200, body: { responseStatus: status, errors: [{ type, message }], errorType: type === 'INVALID_SESSION_ID' ? 'AUTHENTICATION_FAILED' : undefined } })
const done = (body) => ({ status: 200, body: { responseStatus: 'SUCCESS', ...body } })

class Simulator extends Vault {
  constructor() {
    super()
    this.settings = { burst: -1, delay: 0, links: 'good', shrink: 0 }
    this.sessions = new Set()
    this.logins = 0
    this.early = 0 // requests that did not hold back as long as answers were delayed
    this.quiet = 0 // until then
    this.users = new Map([['me', 'planted-veeva'], ['olivia@veepharm.com', 'V4ult-Secret'], ['elsewhere', 'planted-veeva']])
    this.wrong = new Map()
    this.pages = new Map()
  }

  expire() { this.sessions.clear() }
  throttled() { return failed('API_LIMIT_EXCEEDED', 'You have exceeded the API limit. Please try again later.') }
  records(name) { return name === 'logins' ? this.logins : name === 'early' ? this.early : name === 'documents' ? this.documents : this.rows.get(name) }

  fault(kind, request) {
    const [what, type] = kind.split('=')
    if (what === 'failure') return failed(type, `Told to: ${type}`)
    if (what === 'exception') return failed(type, `Told to: ${type}`, 'EXCEPTION')
    return null
  }

  login(request) {
    const form = new URLSearchParams(request.body)
    const user = form.get('username')
    this.logins++
    if (!form.get('password')) return failed('NO_PASSWORD_PROVIDED', 'No password was provided for the login call.')
    if ((this.wrong.get(user) || 0) >= 5) return failed('USER_LOCKED_OUT', 'The user is locked out.')
    if (this.users.get(user) !== form.get('password')) {
      this.wrong.set(user, (this.wrong.get(user) || 0) + 1)
      return failed('USERNAME_OR_PASSWORD_INCORRECT', `Authentication failed for user: ${user}, password: ${form.get('password')}`)
    }
    this.wrong.delete(user)
    const sessionId = crypto.randomBytes(48).toString('hex').toUpperCase()
    this.sessions.add(sessionId)
    return done({
      sessionId, userId: 12021, vaultId: user === 'elsewhere' ? 1777 : 1776,
      vaultIds: [{ id: 1777, name: 'eTMF', url: 'https://etmf-veepharm.veevavault.com/api' }, ...(user === 'elsewhere' ? [] : [{ id: 1776, name: 'PromoMats', url: `${request.base}/api` }])]
    })
  }

  query(request) {
    if (request.query.has('q')) return failed('MALFORMED_URL', 'The query belongs in the body.')
    if (!/^application\/x-www-form-urlencoded/.test(request.headers['content-type'] || '')) return failed('PARAMETER_REQUIRED', 'Missing required parameter [q]')
    const text = new URLSearchParams(request.body).get('q')
    if (!text) return failed('PARAMETER_REQUIRED', 'Missing required parameter [q]')
    if ([...text].length > 50000) return failed('INVALID_DATA', 'The query exceeds the maximum length of 50,000 characters')
    const query = new Parser(text).query()
    const target = this.target(query)
    if (!target) throw new VqlError('INVALID_DATA', `[${query.target}] is not a valid query target`)
    const columns = query.select.map((item) => this.column(item, target))
    let rows = query.where ? target.rows.filter(compile(query.where, target)) : target.rows.slice()
    if (query.order.length) rows.sort(sorter(query.order, target))
    if (query.skip) rows = rows.slice(query.skip)
    if (query.maxrows !== undefined) rows = rows.slice(0, query.maxrows)
    let size = Math.min(query.pagesize === undefined ? (target.documents ? 200 : 1000) : query.pagesize, 1000)
    if (this.settings.shrink) size = Math.min(size, this.settings.shrink)
    const id = crypto.randomUUID()
    this.pages.set(id, { columns, rows })
    return this.page(id, size, query.pageoffset || 0)
  }

  column(item, target) {
    const [relation, name] = item.name.split('.')
    if (name) {
      const found = (target.relationships || []).find((one) => one.relationship_name === relation)
      if (!found || !objects[found.object.name].fields.some((one) => one.name === name)) throw new VqlError('ATTRIBUTE_NOT_SUPPORTED', `[${item.name}] is not a field of [${target.name}]`)
      return { name: item.name, get: (row) => { const other = this.rows.get(found.object.name).find((one) => one.id === row[found.field]); return other ? other[name] : null } }
    }
    const field = target.fields.get(item.name)
    if (!field) throw new VqlError('ATTRIBUTE_NOT_SUPPORTED', `[${item.name}] is not a field of [${target.name}]`)
    const long = field.type === 'LongText' || field.type === 'RichText'
    if (item.function && item.function !== 'TONAME' && !long) throw new VqlError('INVALID_DATA', `${item.function}() does not work on [${item.name}]`)
    const get = (row) => {
      let value = row[field.name] === undefined ? null : row[field.name]
      if (field.formula) value = row.units__c === null ? null : row.units__c * 2
      if (typeof value === 'string' && long && !item.function) return value.replace(/<[^>]*>/g, '').slice(0, 250)
      if (field.type === 'Picklist' && !target.documents && value !== null && !Array.isArray(value)) return [value]
      return value
    }
    return { name: item.name, get }
  }

  page(id, size, offset) {
    const { columns, rows } = this.pages.get(id)
    const slice = size > 0 ? rows.slice(offset, offset + size) : []
    const link = (at) => `${ROOT}/query/${id}?pagesize=${size}&pageoffset=${at}`
    const details = { pagesize: size, pageoffset: offset, size: slice.length, total: rows.length }
    if (offset > 0) details.previous_page = link(Math.max(offset - size, 0))
    if (size > 0 && offset + size < rows.length) details.next_page = link(offset + size)
    return done({ responseDetails: details, data: slice.map((row) => Object.fromEntries(columns.map((column) => [column.name, column.get(row)]))) })
  }

  nextPage(request) {
    const id = request.path.slice(`${ROOT}/query/`.length)
    if (this.settings.links !== 'good' || !this.pages.has(id)) return failed('INVALID_DATA', `The pagination link has expired. Please submit the query again.`)
    return this.page(id, Number(request.query.get('pagesize')), Number(request.query.get('pageoffset')))
  }

  metadata(path, base) {
    const [, ...parts] = path.split('/')
    if (path === '/vobjects') return done({ objects: Object.entries(objects).map(([name, object]) => ({ url: `${ROOT}/metadata/vobjects/${name}`, label: object.label, name, status: object.status || ['active__v'] })) })
    if (parts[0] === 'vobjects' && parts.length === 2 && Object.prototype.hasOwnProperty.call(objects, parts[1])) {
      const object = objects[parts[1]]
      return done({
        object: {
          name: parts[1], label: object.label, data_store: object.data_store || 'standard', status: object.status || ['active__v'], relationships: object.relationships || [],
          fields: object.fields.map((one) => ({ required: false, editable: true, help_content: null, lookup_source_field: null, status: ['active__v'], ...one }))
        }
      })
    }
    if (path === '/objects/documents/properties') return done({ properties })
    if (path === '/objects/documents/types') return done({ types: Object.entries(types).map(([name, label]) => ({ label, value: `${base}${ROOT}/metadata/objects/documents/types/${name}` })), lock: `${base}${ROOT}/metadata/objects/documents/lock` })
    if (parts.slice(0, 3).join('/') === 'objects/documents/types' && Object.prototype.hasOwnProperty.call(types, parts[3])) {
      return done({ name: parts[3], label: types[parts[3]], properties, renditions: ['viewable_rendition__v', 'imported_rendition__c'] })
    }
    return failed('MALFORMED_URL', 'The resource [metadata] cannot be found.')
  }

  // /objects/documents/{id}/versions/{major}/{minor}/file, .../renditions, .../renditions/{type}
  files(request, path) {
    const found = /^\/objects\/documents\/(\d+)\/versions\/(\d+)\/(\d+)\/(file|renditions)(?:\/(\w+))?$/.exec(path)
    const row = found && this.version(found[1], found[2], found[3])
    if (!row) return failed('MALFORMED_URL', 'The resource cannot be found.')
    const url = `${request.base}${ROOT}${path}`
    if (found[4] === 'renditions' && !found[5]) return done({ renditions: Object.fromEntries(row.renditions.map((type) => [type, `${url}/${type}`])) })
    if (row.refused) return failed('INSUFFICIENT_ACCESS', 'User does not have sufficient privileges to download the file.')
    if (found[4] === 'file' && row.filename__v === null) return failed('INVALID_DATA', 'The document has no source file.')
    if (found[5] && !row.renditions.includes(found[5])) return failed('INVALID_DATA', `The rendition [${found[5]}] does not exist.`)
    return { file: { kind: `${found[1]}-${found[2]}-${found[3]}-${found[5] || 'source'}|`, size: row.bytes === undefined ? 1000 + row.id : row.bytes, name: found[5] ? `${row.document_number__v}.pdf` : row.download === undefined ? row.filename__v : row.download } }
  }

  async handle(request, fault) {
    if (request.path === `${ROOT}/auth` && request.method === 'POST') return this.login(request)
    if (!request.path.startsWith(`${ROOT}/`)) return failed('MALFORMED_URL', 'The specified resource cannot be found.')
    if (!this.sessions.has(request.headers.authorization)) return failed('INVALID_SESSION_ID', 'Invalid or expired session ID.')
    if (Date.now() < this.quiet) this.early++
    const answer = this.route(request)
    answer.headers = { 'X-VaultAPI-BurstLimit': '2000', 'X-VaultAPI-BurstLimitRemaining': String(this.settings.burst < 0 ? 1999 : Math.max(this.settings.burst, 0)), ...answer.headers }
    if (this.settings.burst === 0) {
      answer.headers['X-VaultAPI-ResponseDelay'] = String(this.settings.delay)
      await sleep(this.settings.delay)
      this.quiet = Date.now() + this.settings.delay - 20
    } else if (this.settings.burst > 0) this.settings.burst--
    if (fault === 'loop' && answer.body.responseDetails) answer.body.responseDetails.next_page = request.url.includes('?') ? request.url : `${ROOT}/query/${[...this.pages.keys()].pop()}?pagesize=1000&pageoffset=0`
    if (answer.file) answer.write = (res) => this.write(res, answer, fault)
    return answer
  }

  route(request) {
    const path = request.path.slice(ROOT.length)
    try {
      if (path === '/query') return request.method === 'POST' ? this.query(request) : failed('METHOD_NOT_SUPPORTED', 'GET is not supported here.')
      if (path.startsWith('/query/')) return this.nextPage(request)
      if (request.method !== 'GET') return failed('METHOD_NOT_SUPPORTED', `${request.method} is not supported here.`)
      if (path.startsWith('/metadata/')) return this.metadata(path.slice('/metadata'.length), request.base)
      return this.files(request, path)
    } catch (error) {
      if (!(error instanceof VqlError)) throw error
      return failed(error.type, error.message)
    }
  }

  // a file: its kind, again and again
  async write(res, { file, headers }, fault) {
    const kind = Buffer.from(file.kind.repeat(Math.ceil((PIECE + file.kind.length) / file.kind.length)))
    const end = fault === 'stop' ? Math.floor(file.size * 2 / 3) : file.size
    res.writeHead(200, { 'Content-Type': 'application/octet-stream;charset=UTF-8', 'Content-Disposition': `attachment;filename="${file.name}"`, ...headers })
    let wake = () => {}
    res.on('drain', () => wake())
    res.on('close', () => wake())
    for (let at = 0; at < end && !res.destroyed;) {
      const from = at % file.kind.length
      const piece = kind.subarray(from, from + Math.min(PIECE, end - at))
      at += piece.length
      if (!res.write(piece)) await new Promise((go) => { wake = go })
    }
    if (fault === 'stop') return res.destroy()
    res.end()
  }
}

new Service(new Simulator()).start()
