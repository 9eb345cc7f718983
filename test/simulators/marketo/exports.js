// Export and import jobs, as "Bulk extract" and "Bulk import" of the REST API guide tell.

'use strict'

const crypto = require('node:crypto')

const DAY = 86400000
const fine = (result, more = {}) => ({ status: 200, body: { requestId: 'b1#1', success: true, result, ...more } })
const refused = (code, message) => ({ status: 200, body: { requestId: 'b1#2', success: false, errors: [{ code: String(code), message }] } })
const shown = (ms) => new Date(ms).toISOString().slice(0, 19) + 'Z'

const quoted = (text) => (/[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text)

// RFC 4180 text to arrays of texts
function parseCsv(text) {
  const rows = []
  let row = []
  let at = 0
  while (at < text.length) {
    let value = ''
    if (text[at] === '"') {
      for (at++; ; at++) {
        if (text[at] === '"' && text[at + 1] === '"') at++
        else if (text[at] === '"') break
        value += text[at]
      }
      at++
    } else {
      const end = text.slice(at).search(/[,\n]/)
      value = end < 0 ? text.slice(at) : text.slice(at, at + end)
      at += value.length
    }
    row.push(value)
    if (text[at] === '\n' || at >= text.length) {
      rows.push(row)
      row = []
    }
    at++
  }
  return rows
}

class Exports {
  constructor(settings) {
    this.settings = settings
    this.jobs = new Map()
  }

  waiting() {
    return [...this.jobs.values()].filter((job) => ['Queued', 'Processing'].includes(job.status)).length
  }

  told(job) {
    const { exportId, status, createdAt, format } = job
    const more = status === 'Completed' ? { numberOfRecords: job.count + (this.settings.miscount || 0), fileSize: job.file.length, fileChecksum: `sha256:${this.settings.checksum || job.checksum}` } : {}
    return { exportId, format, status, createdAt, ...more, ...(status === 'Failed' ? { errorMsg: 'the export ran out of luck' } : {}) }
  }

  // source: {fields: names, times: of filters, find(filter, from, until) => records}
  create(source, request) {
    const body = request.json()
    if (this.settings.exportQuota) return refused(1029, 'Export daily quota 500MB exceeded')
    if (!Array.isArray(body.fields) || body.fields.length === 0) return refused(1002, "Missing value for the required parameter 'fields'")
    const unknown = body.fields.find((name) => !source.fields.includes(name))
    if (unknown !== undefined) return refused(1006, `Field '${unknown}' not found`)
    if (body.format !== undefined && !['CSV', 'TSV', 'SSV'].includes(body.format)) return refused(1001, `Invalid value '${body.format}'. Required of type 'format'`)
    const names = Object.keys(body.filter || {})
    if (names.length !== 1) return refused(1003, 'Exactly one filter is required')
    if (names[0] === 'updatedAt' && this.settings.noUpdatedAt) return refused(1035, 'Unsupported filter type for target subscription: updatedAt')
    if (!source.times.includes(names[0])) return refused(1003, `Invalid filter type '${names[0]}'`)
    const { startAt, endAt } = body.filter[names[0]]
    if (![startAt, endAt].every((time) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$/.test(time))) return refused(704, 'Invalid date format')
    const [from, until] = [Date.parse(startAt), Date.parse(endAt)]
    if (from >= until) return refused(1003, 'startAt must be before endAt')
    if (until - from > 31 * DAY) return refused(1003, 'The date range must be 31 days or fewer')
    const exportId = crypto.randomUUID()
    this.jobs.set(exportId, { exportId, status: 'Created', format: 'CSV', createdAt: shown(Date.now()), fields: body.fields, by: names[0], from, until, source, polls: 0 })
    return fine([this.told(this.jobs.get(exportId))])
  }

  complete(job) {
    const rows = job.source.find(job.by, job.from, job.until)
    const lines = [job.fields.map(quoted).join(',')]
    for (const row of rows) lines.push(job.fields.map((name) => (row[name] === null || row[name] === undefined ? 'null' : this.settings.dirty && name === 'notes' ? row[name] : quoted(String(row[name])))).join(','))
    job.file = Buffer.from(lines.join('\n') + '\n')
    job.count = rows.length
    job.checksum = crypto.createHash('sha256').update(job.file).digest('hex')
    job.status = this.settings.failJobs ? 'Failed' : 'Completed'
  }

  handle(source, verb, id, request) {
    if (verb === 'create') return request.method === 'POST' ? this.create(source, request) : refused(605, 'HTTP Method not supported')
    const job = this.jobs.get(id)
    if (verb === 'file') return this.file(job, request)
    if (!job) return refused(1003, `Export job '${id}' not found`)
    if (verb === 'status') {
      if (['Queued', 'Processing'].includes(job.status) && job.polls++ >= this.settings.polls) this.complete(job)
      else if (job.status === 'Queued') job.status = 'Processing'
      return fine([this.told(job)])
    }
    if (request.method !== 'POST') return refused(605, 'HTTP Method not supported')
    if (verb === 'enqueue') {
      if (job.status !== 'Created') return refused(1029, 'Job already queued')
      if (this.settings.queueFull > 0) {
        this.settings.queueFull--
        return refused(1029, 'Too many jobs in queue')
      }
      if (this.waiting() >= 10) return refused(1029, 'Too many jobs in queue')
      job.status = 'Queued'
      if (this.settings.stolen) {
        this.settings.stolen--
        return refused(1029, 'Job already queued')
      }
      return fine([this.told(job)])
    }
    if (verb === 'cancel') {
      if (!['Created', 'Queued', 'Processing'].includes(job.status)) return refused(1003, 'The job cannot be cancelled')
      job.status = 'Canceled'
      return fine([{ ...this.told(job), status: 'Cancelled' }])
    }
    return refused(610, 'Requested resource not found')
  }

  file(job, request) {
    if (!job || job.status !== 'Completed' || this.settings.gone) return { status: 404, headers: { 'Content-Type': 'text/plain' }, text: 'File not found' }
    const headers = { 'Content-Type': 'text/csv', 'Accept-Ranges': 'bytes' }
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range || '')
    if (!range || this.settings.noRange) return { status: 200, headers, text: job.file.toString() }
    const begin = Number(range[1])
    const end = range[2] === '' ? job.file.length - 1 : Math.min(Number(range[2]), job.file.length - 1)
    if (begin >= job.file.length) return { status: 416, headers, text: '' }
    return { status: 206, headers: { ...headers, 'Content-Range': `bytes ${begin}-${end}/${job.file.length}` }, bytes: job.file.subarray(begin, end + 1) }
  }
}

class Imports {
  constructor(settings) {
    this.settings = settings
    this.batches = new Map()
  }

  // target: {fields, write(record) => null or reason}
  create(target, request) {
    const type = /^multipart\/form-data; ?boundary=(.+)$/.exec(request.headers['content-type'] || '')
    if (request.method !== 'POST') return refused(605, 'HTTP Method not supported')
    if (!type) return refused(612, 'Invalid Content Type')
    if (Buffer.byteLength(request.body) > 10 * 1024 * 1024) return { status: 413, headers: { 'Content-Type': 'text/plain' }, text: 'Request Entity Too Large' }
    if (request.query.get('format') !== 'csv') return refused(1003, 'Invalid format')
    const boundary = type[1].replace(/^"|"$/g, '')
    const parts = request.body.split(`--${boundary}`)
    if (parts.length !== 3 || parts[0] !== '' || !/^--\r\n$/.test(parts[2])) return refused(613, 'Invalid Multipart Request')
    const [head, ...rest] = parts[1].split('\r\n\r\n')
    if (!/name="file"; filename="[^"]+"/.test(head) || rest.length === 0) return refused(613, 'Invalid Multipart Request')
    if ([...this.batches.values()].filter((batch) => batch.status !== 'Complete').length >= 10 || this.settings.importsFull > 0) {
      this.settings.importsFull--
      return refused(1016, 'Too many imports')
    }
    const rows = parseCsv(rest.join('\r\n\r\n').replace(/\r\n$/, ''))
    const batch = { batchId: 1000 + this.batches.size, status: 'Queued', rows, target, polls: 0, lookup: request.query.get('lookupField') || 'email' }
    this.batches.set(batch.batchId, batch)
    return fine([{ batchId: batch.batchId, importId: String(batch.batchId), status: 'Queued' }])
  }

  complete(batch) {
    const [names, ...rows] = batch.rows
    const unknown = names.find((name) => !batch.target.fields.includes(name))
    batch.failures = []
    for (const row of rows) {
      const record = Object.fromEntries(names.map((name, i) => [name, row[i]]))
      const reason = unknown !== undefined ? `Invalid column ${unknown}` : row.length !== names.length ? 'wrong number of columns' : batch.target.write(record, batch.lookup)
      if (reason) batch.failures.push([...row, reason])
    }
    if (this.settings.shuffle) batch.failures.reverse()
    batch.count = rows.length - batch.failures.length
    batch.status = this.settings.failImports ? 'Failed' : 'Complete'
  }

  handle(id, verb) {
    const batch = this.batches.get(Number(id))
    if (!batch) return refused(1003, `Batch ${id} not found`)
    if (verb === 'status') {
      if (['Queued', 'Importing'].includes(batch.status) && batch.polls++ >= this.settings.polls) this.complete(batch)
      else if (batch.status === 'Queued') batch.status = 'Importing'
      return fine([{ batchId: batch.batchId, status: batch.status, numOfLeadsProcessed: batch.count || 0, numOfObjectsProcessed: batch.count || 0, numOfRowsFailed: batch.failures ? batch.failures.length : 0, numOfRowsWithWarning: 0, message: 'as told' }])
    }
    if (!batch.failures || batch.failures.length === 0) return { status: 404, headers: { 'Content-Type': 'text/plain' }, text: 'No failures' }
    const lines = [[...batch.rows[0], 'Import Failure Reason'], ...batch.failures]
    return { status: 200, headers: { 'Content-Type': 'text/csv' }, text: lines.map((line) => line.map(quoted).join(',')).join('\n') + '\n' }
  }
}

module.exports = { Exports, Imports, fine, refused, shown }
