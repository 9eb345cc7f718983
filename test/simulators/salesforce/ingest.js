// ingest.js
//	Bulk API 2.0 ingest: jobs that insert, update, upsert and delete from CSV.
//
//	A job takes data once, and does nothing before it is told UploadComplete.  It works
//	in batches, after a while.  Lists of results are in no particular order.

'use strict'

const { makeId } = require('./store.js')

const BATCH = 10000
const MAXIMUM = 150 * 1024 * 1024 / 1.5
const DELIMITERS = { COMMA: ',', SEMICOLON: ';', TAB: '\t', PIPE: '|', CARET: '^', BACKQUOTE: '`' }

// rows of CSV by the vendor's rules; throws what a job fails with
function parse (text, delimiter, lineEnding) {
  const rows = []
  const lineEnd = lineEnding === 'CRLF' ? '\r\n' : '\n'
  let row = []
  let i = 0

  if (lineEnding === 'LF' && /\r\n/.test(text.replace(/"(?:[^"]|"")*"/g, ''))) throw new Error('ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF')
  if (lineEnding === 'CRLF' && /[^\r]\n/.test(text.replace(/"(?:[^"]|"")*"/g, ''))) throw new Error('ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is CRLF')
  while (i < text.length) {
    let value
    if (text[i] === '"') {
      const pieces = []
      for (;;) {
        const end = text.indexOf('"', i + 1)
        if (end < 0) throw new Error('InvalidBatch : Failed to parse CSV: quote is not closed')
        pieces.push(text.slice(i + 1, end))
        i = end + 1
        if (text[i] !== '"') break
      }
      value = pieces.join('"')
      if (i < text.length && text[i] !== delimiter && !text.startsWith(lineEnd, i)) throw new Error('InvalidBatch : Failed to parse CSV: text behind a quoted value')
    } else {
      let end = i
      while (end < text.length && text[end] !== delimiter && !text.startsWith(lineEnd, end)) end++
      value = text.slice(i, end)
      if (value.includes('"')) throw new Error('InvalidBatch : Failed to parse CSV: a quote in a value that is not quoted')
      i = end
    }
    row.push(value)
    if (i >= text.length) break
    if (text[i] === delimiter) {
      i++
      if (i === text.length || text.startsWith(lineEnd, i)) row.push('')
      if (i < text.length && !text.startsWith(lineEnd, i)) continue
    }
    i += lineEnd.length
    rows.push(row)
    row = []
  }
  if (row.length) rows.push(row)
  return rows
}

const quoted = (value) => `"${String(value ?? '').replaceAll('"', '""')}"`
const csv = (header, rows) => [header, ...rows].map((row) => row.map(quoted).join(',') + '\n').join('')

function install ({ routes, control, org, state }) {
  const jobs = new Map()
  let number = 0

  // {delay: ms of a batch, hold: nothing goes on, batch: records of a batch}
  state.ingest = { delay: 30, hold: false, batch: BATCH }
  state.unsupported = new Set()
  control.ingest = (values) => { Object.assign(state.ingest, values); return true }
  control['ingest-jobs'] = () => [...jobs.values()].map((job) => info(job, '58.0'))
  control['no-bulk'] = ({ object }) => { state.unsupported.add(object); return true }

  const info = (job, version) => ({
    id: job.id, operation: job.operation, object: job.object, createdById: org.user.Id, createdDate: '2024-03-05T09:12:44.000+0000',
    systemModstamp: '2024-03-05T09:12:44.000+0000', state: job.state, ...(job.externalIdFieldName ? { externalIdFieldName: job.externalIdFieldName } : {}),
    concurrencyMode: 'Parallel', contentType: 'CSV', apiVersion: Number(version), jobType: 'V2Ingest', lineEnding: job.lineEnding, columnDelimiter: job.columnDelimiter,
    ...(job.state === 'Open' ? { contentUrl: `services/data/v${version}/jobs/ingest/${job.id}/batches` } : {}),
    numberRecordsProcessed: job.done.length, numberRecordsFailed: job.done.filter((r) => !r.result.success).length,
    retries: 0, totalProcessingTime: 0, apiActiveProcessingTime: 0, apexProcessingTime: 0, ...(job.errorMessage ? { errorMessage: job.errorMessage } : {})
  })

  function create (context) {
    const body = JSON.parse(context.body)
    const refuse = (code, message) => context.error(400, code, message)
    const object = org.object(body.object || '')
    if (!object) return refuse('INVALIDENTITY', `InvalidJob : ${body.object} is not a valid object`)
    if (state.unsupported.has(object.name)) return refuse('INVALIDENTITY', `Entity '${object.name}' is not supported by the Bulk API.`)
    if (!['insert', 'update', 'upsert', 'delete', 'hardDelete'].includes(body.operation)) return refuse('INVALIDOPERATION', 'InvalidJob : operation is not valid')
    if (body.contentType && body.contentType !== 'CSV') return refuse('INVALIDJOB', 'InvalidJob : contentType must be CSV')
    if (body.operation === 'upsert' && !body.externalIdFieldName) return refuse('INVALIDJOB', 'InvalidJob : External ID was blank. An External ID must be specified for upsert.')
    const job = { lineEnding: 'LF', columnDelimiter: 'COMMA', ...body, object: object.name, id: makeId('750', ++number), state: 'Open', done: [], rest: [], header: [] }
    if (!DELIMITERS[job.columnDelimiter] || !['LF', 'CRLF'].includes(job.lineEnding)) return refuse('INVALIDJOB', 'InvalidJob : delimiter or line ending is not valid')
    jobs.set(job.id, job)
    context.json(200, info(job, context.version))
  }

  const find = (context, then) => {
    const job = jobs.get(context.match[1])
    return job ? then(job) : context.error(404, 'NOT_FOUND', 'The requested resource does not exist')
  }

  function upload (context, job) {
    if (!/^text\/csv/.test(context.request.headers['content-type'] || '')) return context.error(415, 'UNSUPPORTED_MEDIA_TYPE', 'The Content-Type must be text/csv')
    if (job.state !== 'Open' || job.data) return context.error(400, 'INVALIDJOBSTATE', `Found multiple contents for job: <${job.id}>, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job and make sure you only do 'PUT' once on a given Job.`)
    if (context.body.length > MAXIMUM) return context.error(413, 'REQUEST_ENTITY_TOO_LARGE', 'Maximum size of the data exceeded')
    job.data = context.body
    context.send(201, {}, '')
  }

  // one row -> what is written
  function valuesOf (job, row) {
    const values = {}
    job.header.forEach((name, i) => {
      const value = row[i]
      if (value === '') return
      const given = value === '#N/A' ? null : value
      const [relation, key] = name.split('.')
      if (key === undefined) values[name] = given
      else if (given === null) values[org.object(job.object).fields.find((f) => f.relationshipName === relation).name] = null
      else values[relation] = { [key]: given }
    })
    return values
  }

  function carryOut (job, row, met) {
    const fail = (statusCode, message) => ({ row, result: { id: null, success: false, created: false, errors: [{ statusCode, message, fields: [] }] } })
    if (row.length !== job.header.length) return fail('INVALID_CSV', `InvalidBatch : row has ${row.length} values, the header ${job.header.length}`)
    const values = valuesOf(job, row)
    const keyName = job.operation === 'upsert' ? job.externalIdFieldName : 'Id'
    const key = values[Object.keys(values).find((k) => k.toLowerCase() === keyName.toLowerCase())]
    if (job.operation !== 'insert' && key) {
      if (met.has(key)) return fail(job.operation === 'upsert' ? 'DUPLICATE_VALUE' : 'INVALID_FIELD', job.operation === 'upsert' ? `Duplicate external id specified: ${key}` : `duplicate id in list: ${key}`)
      met.add(key)
    }
    for (const [name, value] of Object.entries(values)) {
      const f = org.field(org.object(job.object), name)
      if (f && f.type === 'boolean' && value !== null) {
        if (!['true', 'false', '1', '0'].includes(String(value).toLowerCase())) return fail('INVALID_TYPE_ON_FIELD_IN_RECORD', `value not of required type: ${value}`)
        values[name] = ['true', '1'].includes(String(value).toLowerCase())
      }
    }
    const result = state.write(job.operation === 'hardDelete' ? 'delete' : job.operation, job.object, values, job.externalIdFieldName)
    for (const error of result.errors) {
      if (error.statusCode === 'JSON_PARSER_ERROR') Object.assign(error, { statusCode: 'INVALID_TYPE_ON_FIELD_IN_RECORD' })
    }
    return { row, result }
  }

  function begin (job) {
    const object = org.object(job.object)
    try {
      if (!job.data) throw new Error('InvalidBatch : The job has no data')
      let text
      try {
        text = new TextDecoder('utf-8', { fatal: true }).decode(job.data)
      } catch { throw new Error('ClientInputError : Failed to read the data: it is not UTF-8') }
      const rows = parse(text, DELIMITERS[job.columnDelimiter], job.lineEnding)
      job.header = rows.shift() || []
      job.rest = rows
      for (const name of job.header) {
        const [relation, key] = name.split('.')
        const known = key === undefined ? org.field(object, name) : object.fields.find((f) => f.relationshipName === relation)
        if (!known || job.header.indexOf(name) !== job.header.lastIndexOf(name)) throw new Error(`InvalidBatch : Field name not found : ${name}`)
      }
      if (job.operation === 'delete' && job.header.join() !== 'Id') throw new Error(`InvalidBatch : Field name not found : ${job.header.find((n) => n !== 'Id')}`)
    } catch (error) {
      job.state = 'Failed'
      job.errorMessage = error.message
    }
  }

  function step (job) {
    if (!['UploadComplete', 'InProgress'].includes(job.state)) return
    if (state.ingest.hold) return setTimeout(step, 50, job)
    if (job.state === 'UploadComplete') {
      job.state = 'InProgress'
      begin(job)
    } else {
      const met = new Set()
      for (const row of job.rest.splice(0, state.ingest.batch)) job.done.push(carryOut(job, row, met))
      if (state.ingest.fail) {
        job.state = 'Failed'
        job.errorMessage = state.ingest.fail
        state.ingest.fail = null
      } else if (!job.rest.length) job.state = 'JobComplete'
      if (state.ingest.holdAfter) { state.ingest.hold = true; state.ingest.holdAfter = false }
    }
    setTimeout(step, state.ingest.delay, job)
  }

  function change (context, job) {
    const wanted = JSON.parse(context.body).state
    if (wanted === 'UploadComplete') {
      if (job.state !== 'Open') return context.error(400, 'INVALIDJOBSTATE', 'Closing already closed Job not allowed')
      job.state = 'UploadComplete'
      setTimeout(step, state.ingest.delay, job)
    } else if (wanted === 'Aborted') {
      if (!['Open', 'UploadComplete', 'InProgress'].includes(job.state)) return context.error(400, 'INVALIDJOBSTATE', 'Aborting already completed Job not allowed')
      job.state = 'Aborted'
    } else return context.error(400, 'INVALIDJOBSTATE', 'state is not valid')
    context.json(200, info(job, context.version))
  }

  function results (context, job, rows, header) {
    if (!['JobComplete', 'Failed', 'Aborted'].includes(job.state)) return context.error(400, 'INVALIDJOBSTATE', 'Job is not complete')
    context.send(200, { 'Content-Type': 'text/csv' }, rows.length || header.length > job.header.length ? csv(header, rows) : '')
  }
  const errorsOf = (result) => result.errors.map((e) => `${e.statusCode}:${e.message}:${e.fields.join(',')} --`).join('')

  const base = '^\\/jobs\\/ingest'
  routes.push(
    ['POST', new RegExp(`${base}\\/?$`), create],
    ['GET', new RegExp(`${base}\\/?$`), (c) => c.json(200, { done: true, records: [...jobs.values()].map((job) => info(job, c.version)), nextRecordsUrl: null })],
    ['GET', new RegExp(`${base}\\/(\\w+)\\/?$`), (c) => find(c, (job) => c.json(200, info(job, c.version)))],
    ['PATCH', new RegExp(`${base}\\/(\\w+)\\/?$`), (c) => find(c, (job) => change(c, job))],
    ['DELETE', new RegExp(`${base}\\/(\\w+)\\/?$`), (c) => find(c, (job) => {
      if (['Open', 'InProgress'].includes(job.state)) return c.error(400, 'INVALIDJOBSTATE', 'Job is not complete')
      jobs.delete(job.id)
      c.send(204, {}, '')
    })],
    ['PUT', new RegExp(`${base}\\/(\\w+)\\/batches\\/?$`), (c) => find(c, (job) => upload(c, job))],
    ['GET', new RegExp(`${base}\\/(\\w+)\\/successfulResults\\/?$`), (c) => find(c, (job) => results(c, job,
      job.done.filter((r) => r.result.success).reverse().map((r) => [r.result.id, r.result.created, ...r.row]), ['sf__Id', 'sf__Created', ...job.header]))],
    ['GET', new RegExp(`${base}\\/(\\w+)\\/failedResults\\/?$`), (c) => find(c, (job) => results(c, job,
      job.done.filter((r) => !r.result.success).reverse().map((r) => [r.result.id || '', errorsOf(r.result), ...r.row]), ['sf__Id', 'sf__Error', ...job.header]))],
    ['GET', new RegExp(`${base}\\/(\\w+)\\/unprocessedrecords\\/?$`), (c) => find(c, (job) => results(c, job, [...job.rest].reverse(), job.header))]
  )
}

module.exports = { install }
