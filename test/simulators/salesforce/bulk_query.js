// bulk_query.js
//	Bulk API 2.0: query jobs.
//
//	A job takes its time: it is InProgress for as many questions as state.patience says.
//	Its results are CSV with all values in quotes, in pieces of at most maxRecords, each
//	with the header; Sforce-Locator tells the next, "null" that there is none.

'use strict'

const { parse, run, renderCsv } = require('./soql.js')
const { MadeRecords, makeId } = require('./store.js')

exports.install = ({ routes, control, org, state }) => {
  const jobs = new Map()
  let number = 0
  Object.assign(state, { patience: 2, jobFails: null, pieceSize: null })

  // made records that are all wanted need not be all there
  function found (query) {
    const records = org.records.get(query.object.name)
    return records instanceof MadeRecords && !query.where && !query.order.length && query.limit === Infinity ? records : run(query, org).records
  }

  const shown = (job) => ({
    id: job.id, operation: job.operation, object: job.query.object.name, createdById: org.user.Id, createdDate: new Date(job.created).toISOString().replace('Z', '+0000'),
    systemModstamp: new Date(job.created).toISOString().replace('Z', '+0000'), state: job.state, concurrencyMode: 'Parallel', contentType: 'CSV',
    apiVersion: Number(job.version), lineEnding: job.lineEnding, columnDelimiter: 'COMMA', jobType: 'V2Query',
    ...(job.state === 'JobComplete' ? { numberRecordsProcessed: job.records.length, retries: 0, totalProcessingTime: 12 } : {}),
    ...(job.state === 'Failed' ? { errorMessage: job.errorMessage } : {})
  })

  function create (context) {
    let asked
    try { asked = JSON.parse(context.body) } catch { return context.error(400, 'JSON_PARSER_ERROR', 'Unexpected end-of-input') }
    if (!/^application\/json(;|$)/.test(context.request.headers['content-type'] || '')) return context.error(415, 'UNSUPPORTED_MEDIA_TYPE', 'The media type is not supported')
    if (!['query', 'queryAll'].includes(asked.operation)) return context.error(400, 'INVALIDJOB', `Operation ${asked.operation} is not supported`)
    if ((asked.contentType || 'CSV') !== 'CSV') return context.error(400, 'INVALIDJOB', 'Content type must be CSV')
    if (!asked.query) return context.error(400, 'INVALIDJOB', 'No query provided')
    const query = parse(asked.query, org, { bulk: true, deleted: asked.operation === 'queryAll' })
    const job = { id: `7505g00000${String(++number).padStart(5, '0')}AAA`, operation: asked.operation, query, text: asked.query, state: 'UploadComplete', asked: 0, created: Date.now(), version: context.version, lineEnding: asked.lineEnding || 'LF' }
    jobs.set(job.id, job)
    context.json(200, shown(job))
  }

  function jobOf (context) {
    const found = jobs.get(context.match[1])
    if (!found) context.error(404, 'NOT_FOUND', 'The requested resource does not exist')
    else if (found.version !== context.version) { context.error(409, 'API_ERROR', `Version conflict: job was created with version ${found.version}`); return null }
    return found
  }

  function look (context) {
    const job = jobOf(context)
    if (!job) return
    if (['UploadComplete', 'InProgress'].includes(job.state)) {
      job.state = 'InProgress'
      if (++job.asked > state.patience) {
        if (state.jobFails) Object.assign(job, { state: 'Failed', errorMessage: state.jobFails })
        else Object.assign(job, { state: 'JobComplete', records: found(job.query) })
      }
    }
    context.json(200, shown(job))
  }

  function results (context) {
    const found = jobOf(context)
    if (!found) return
    if (found.state !== 'JobComplete') return context.error(400, 'INVALIDJOBSTATE', `The job ${found.id} is in state ${found.state}: results are not available`)
    const from = context.url.searchParams.has('locator') ? Number(Buffer.from(context.url.searchParams.get('locator'), 'base64')) : 0
    if (!Number.isInteger(from)) return context.error(400, 'API_ERROR', 'Invalid locator')
    const most = Math.min(Number(context.url.searchParams.get('maxRecords') || 50000), state.pieceSize || Infinity)
    const to = Math.min(from + most, found.records.length)
    const end = found.lineEnding === 'CRLF' ? '\r\n' : '\n'
    const lines = [found.query.selected.map((s) => `"${s.name}"`).join(',')]
    for (let i = from; i < to; i++) lines.push(renderCsv(found.query, found.records.at(i), org))
    context.send(200, {
      'Content-Type': 'text/csv', 'Sforce-NumberOfRecords': to - from,
      'Sforce-Locator': to < found.records.length ? Buffer.from(String(to)).toString('base64') : 'null'
    }, lines.join(end) + end)
  }

  function change (context) {
    const found = jobOf(context)
    if (!found) return
    if (JSON.parse(context.body).state !== 'Aborted') return context.error(400, 'INVALIDJOBSTATE', 'Only Aborted is allowed')
    if (found.state === 'JobComplete') return context.error(400, 'INVALIDJOBSTATE', 'Aborting already Completed Job not allowed')
    found.state = 'Aborted'
    context.json(200, shown(found))
  }

  function remove (context) {
    const found = jobOf(context)
    if (!found) return
    if (['UploadComplete', 'InProgress'].includes(found.state)) return context.error(400, 'API_ERROR', `Deleting not allowed for jobs in state ${found.state}`)
    jobs.delete(found.id)
    context.send(204, {}, '')
  }

  const id = /^\/jobs\/query\/(\w+)\/?$/
  routes.push(['POST', /^\/jobs\/query\/?$/, create], ['GET', id, look], ['PATCH', id, change], ['DELETE', id, remove],
    ['GET', /^\/jobs\/query\/(\w+)\/results$/, results])
  // {count}: that many records of Big__c
  control['make-big'] = ({ count }) => {
    const start = Date.UTC(2024, 0, 1)
    org.records.set('Big__c', new MadeRecords(count, (i) => ({
      Id: makeId('a01', i), IsDeleted: false, Name: `Big ${i}`, Amount__c: i / 4, Count__c: i, When__c: start + i * 1000, Note__c: i % 10 ? `note "${i}", of some length` : null,
      CreatedDate: start, LastModifiedDate: start + i, SystemModstamp: start + i })))
    return count
  }
  control['forget-jobs'] = () => { jobs.clear(); return true }
  control['query-jobs'] = () => [...jobs.values()].map(shown)
}
