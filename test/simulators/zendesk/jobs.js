// Writes to Zendesk: bulk jobs that are done later and tell of each record, and the
// entities that are written one by one.

'use strict'

const { entities, statuses } = require('./data')

const ROWS = 100
const json = (status, body, headers) => ({ status, body, headers })
const read_only = new Set(['id', 'url', 'created_at', 'updated_at', 'description', 'raw_subject', 'via', 'has_incidents', 'submitter_id'])
const known = { status: statuses, priority: ['low', 'normal', 'high', 'urgent'], type: ['problem', 'incident', 'question', 'task'], role: ['end-user', 'agent', 'admin'] }

class Jobs {
  constructor(account) {
    this.account = account
    this.jobs = new Map()
    this.count = 0
  }

  get settings() {
    return this.account.settings
  }

  write(request, name, verb) {
    const entity = entities[name]
    const { method } = request
    if (entity.bulk) {
      const body = method === 'DELETE' ? null : this.body(request)
      if (body && body.failed) return body.failed
      if (method === 'POST' && verb === 'create_many') return this.queue(request, name, body[entity.many], (row) => this.create(name, row))
      if (method === 'PUT' && verb === 'update_many' && !request.query.has('ids') && !request.query.has('external_ids')) return this.queue(request, name, body[entity.many], (row) => this.update(name, row))
      if (method === 'POST' && verb === 'create_or_update_many' && entity.upsert) return this.queue(request, name, body[entity.many], (row) => this.upsert(name, row))
      if (method === 'DELETE' && verb === 'destroy_many') {
        const ids = (request.query.get('ids') || '').split(',').filter(Boolean)
        return this.queue(request, name, ids.map((id) => ({ id })), (row) => this.destroy(name, row))
      }
      if (method === 'POST' && verb === 'create_or_update' && name === 'organizations') return this.one(name, this.upsert(name, body.organization || {}))
    }
    if (entity.single || entity.bulk) {
      if (method === 'POST' && verb === undefined) return this.one(name, this.create(name, this.body(request)[entity.one] || {}), 201)
      if (method === 'PUT' && /^\d+$/.test(verb)) return this.one(name, this.update(name, { ...this.body(request)[entity.one], id: verb }))
      if (method === 'DELETE' && /^\d+$/.test(verb)) {
        const result = this.destroy(name, { id: verb })
        return result.success ? { status: 204 } : this.account.missing()
      }
    }
    return null
  }

  body(request) {
    try {
      if (!/^application\/json/.test(request.headers['content-type'] || '')) throw new Error('Content-Type')
      return request.json()
    } catch (error) {
      return { failed: json(400, { error: 'Unprocessable Entity', message: 'Server could not parse JSON' }) }
    }
  }

  one(name, result, status = 200) {
    if (!result.success) {
      return result.error === 'RecordNotFound' ? this.account.missing()
        : json(422, { error: 'RecordInvalid', description: 'Record validation errors', details: { [result.field]: [{ description: result.details, error: result.error }] } })
    }
    return json(status, { [entities[name].one]: this.account.store.get(name).get(String(result.id)) })
  }

  // ---------- jobs ----------

  queue(request, name, rows, act) {
    if (!Array.isArray(rows) || rows.length === 0) return json(400, { error: { title: 'Invalid attribute', message: `You passed an invalid value for the ${name} attribute. Invalid parameter: ${name} must be an array` } })
    if (rows.length > ROWS) return json(400, { error: 'TooManyValues', description: `Too many ${name}: the limit is ${ROWS}` })
    if ([...this.jobs.values()].filter((job) => job.results === null && !job.ended).length >= this.settings.job_limit) {
      return json(429, { error: 'TooManyJobs', description: `You have ${this.settings.job_limit} queued jobs. Please wait until one of them has completed` }, { 'Retry-After': '1' })
    }
    const id = `8b726e606741012ffc2d${String(++this.count).padStart(12, '0')}`
    this.jobs.set(id, { name, rows, act, polls: this.settings.polls, results: null, fate: this.settings.job_failure })
    this.settings.job_failure = ''
    return json(200, { job_status: this.shown(request, id) })
  }

  shown(request, id) {
    const job = this.jobs.get(id)
    const status = job.ended || (job.results ? 'completed' : job.started ? 'working' : 'queued')
    return {
      id, job_type: 'Bulk', url: `${request.base}/api/v2/job_statuses/${id}.json`, total: job.rows.length,
      progress: job.results ? job.rows.length : null, status, message: job.ended ? `Job ${job.ended}` : job.results ? `Completed at ${new Date().toISOString()}` : null,
      results: job.results
    }
  }

  status(request, id) {
    const job = this.jobs.get(id)
    if (!job) return this.account.missing()
    if (!job.results && !job.ended) {
      job.started = true
      if (job.polls-- <= 0) {
        if (job.fate) job.ended = job.fate
        else {
          job.results = job.rows.map((row, index) => this.result(row, index, job.act(row)))

          // only those of new records tell their number
          if (job.rows.every(({ id }) => id !== undefined)) job.results = job.results.map(({ index, ...rest }) => rest).reverse()
        }
      }
    }
    return json(200, { job_status: this.shown(request, id) })
  }

  result(row, index, done) {
    if (!done.success) return { index, id: row.id === undefined ? null : Number(row.id), error: done.error, details: done.details, success: false }
    return { index, id: done.id, action: done.action, status: done.status, success: true, external_id: row.external_id === undefined ? undefined : row.external_id }
  }

  // ---------- records ----------

  invalid(name, row, creating) {
    for (const [field, value] of Object.entries(this.settings.reject)) {
      if (String(row[field]) === String(value)) return { error: 'RecordInvalid', field, details: `${field}: ${value} is refused` }
    }
    for (const [field, values] of Object.entries(known)) {
      if (row[field] !== undefined && row[field] !== null && !(field === 'type' && name !== 'tickets') && !values.includes(row[field])) return { error: 'InvalidValue', field, details: `${field[0].toUpperCase()}${field.slice(1)}: ${row[field]} is not valid` }
    }
    if (creating && name === 'tickets' && !(row.comment && typeof row.comment === 'object' && (row.comment.body || row.comment.html_body))) return { error: 'BlankValue', field: 'base', details: 'Description: cannot be blank' }
    if (creating && name !== 'tickets' && !row.name) return { error: 'BlankValue', field: 'name', details: 'Name: is too short (minimum one character)' }
    if (row.email !== undefined && !/^[^@\s]+@[^@\s]+$/.test(row.email)) return { error: 'InvalidValue', field: 'email', details: `Email: ${row.email} is not properly formatted` }
    if (row.tags !== undefined && !Array.isArray(row.tags)) return { error: 'InvalidValue', field: 'tags', details: 'Tags: is not an array' }
    for (const field of ['email', 'name']) {
      const unique = (name === 'users' && field === 'email') || (name === 'organizations' && field === 'name')
      if (unique && row[field] !== undefined && this.account.records(name).some((other) => other[field] === row[field] && String(other.id) !== String(row.id))) return { error: 'DuplicateValue', field, details: `${field[0].toUpperCase()}${field.slice(1)}: ${row[field]} is already being used` }
    }
    return null
  }

  create(name, row) {
    const refused = this.invalid(name, { ...row, id: undefined }, true)
    if (refused) return refused
    const table = this.account.store.get(name)
    const id = Math.max(0, ...[...table.values()].map((other) => other.id)) + 1
    const now = new Date().toISOString().replace(/\.\d+/, '')
    const kept = Object.fromEntries(Object.entries(row).filter(([field]) => !read_only.has(field) && field !== 'comment'))
    table.set(String(id), { ...(name === 'tickets' ? { status: 'new', description: row.comment.body || row.comment.html_body } : {}), ...kept, id, created_at: now, updated_at: now })
    return { success: true, id, action: 'create', status: 'Created' }
  }

  update(name, row) {
    const old = this.account.store.get(name).get(String(row.id))
    if (!old || old.status === 'deleted') return { error: 'RecordNotFound', field: 'id', details: 'Record not found' }
    const refused = this.invalid(name, row, false)
    if (refused) return refused
    if (name === 'tickets' && old.status === 'closed') return { error: 'RecordInvalid', field: 'status', details: 'Status: closed prevents ticket update' }
    for (const [field, value] of Object.entries(row)) {
      if (!read_only.has(field) && field !== 'comment') old[field] = value
    }
    old.updated_at = new Date().toISOString().replace(/\.\d+/, '')
    return { success: true, id: old.id, action: 'update', status: 'Updated' }
  }

  upsert(name, row) {
    const found = this.account.records(name).find((other) =>
      (row.external_id !== undefined && row.external_id !== null && other.external_id === row.external_id) || (row.email !== undefined && other.email === row.email))
    return found ? this.update(name, { ...row, id: found.id }) : this.create(name, row)
  }

  destroy(name, row) {
    const table = this.account.store.get(name)
    const old = table.get(String(row.id))
    const refused = old && this.invalid(name, { id: row.id }, false)
    if (refused) return refused
    if (!old || old.status === 'deleted') return { error: 'RecordNotFound', field: 'id', details: 'Record not found' }
    if (name === 'tickets') old.status = 'deleted'
    else table.delete(String(row.id))
    return { success: true, id: old.id, action: 'delete', status: 'Deleted' }
  }
}

module.exports = { Jobs }
