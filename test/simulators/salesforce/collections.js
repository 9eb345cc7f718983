// collections.js
//	sObject Collections: up to 200 records in a request, each with an outcome of its own.
//
//	A request that cannot be read, or names a field that there is not, is refused as a
//	whole, and nothing of it is done.

'use strict'

const LIMIT = 200

const refusal = (status, code, message) => Object.assign(new Error(message), { status, code })

function install ({ routes, control, org, state }) {
  // records with one of these values are locked for so many attempts more
  state.lockFor = []
  control['lock-for'] = ({ values, times }) => { state.lockFor.push({ values: new Set(values), times }); return true }

  // {object, field, pattern}: how many records there are
  control.count = ({ object, field, pattern }) => [...org.records.get(object).all()].filter((r) => !r.IsDeleted && new RegExp(pattern).test(r[field] ?? '')).length

  // {value}: how often a record with that was written
  state.writes = new Map()
  control.writes = ({ value }) => state.writes.get(value) || 0

  function write (operation, object, values, externalField) {
    for (const value of Object.values(values)) {
      if (typeof value === 'string') state.writes.set(value, (state.writes.get(value) || 0) + 1)
    }
    const lock = state.lockFor.find((l) => l.times > 0 && Object.values(values).some((v) => l.values.has(v)))
    if (lock) {
      lock.times--
      return { id: null, success: false, created: false, errors: [{ statusCode: 'UNABLE_TO_LOCK_ROW', message: 'unable to obtain exclusive access to this record', fields: [] }] }
    }
    return org.write(operation, object, values, externalField)
  }
  state.write = write

  function read (context) {
    if (!/^application\/json/.test(context.request.headers['content-type'] || '')) throw refusal(415, 'UNSUPPORTED_MEDIA_TYPE', 'The Content-Type is not supported')
    let body
    try {
      body = JSON.parse(context.body)
    } catch (error) {
      throw refusal(400, 'JSON_PARSER_ERROR', `Unexpected character: ${error.message}`)
    }
    if (!Array.isArray(body.records) || !body.records.length) throw refusal(400, 'INVALID_INPUT', 'records is required')
    if (body.records.length > LIMIT) throw refusal(400, 'EXCEEDED_ID_LIMIT', `record limit reached. cannot submit more than ${LIMIT} records into this call`)
    if (body.allOrNone) throw refusal(400, 'INVALID_INPUT', 'allOrNone is not played here')
    for (const record of body.records) check(record)
    return body.records
  }

  // what spoils the whole request
  function check (record) {
    const object = record.attributes && org.object(record.attributes.type)
    if (!object) throw refusal(400, 'INVALID_TYPE', 'sObject type is required, or not known')
    for (const [name, value] of Object.entries(record)) {
      if (name === 'attributes') continue
      const f = org.field(object, name)
      if (!f) {
        const relation = object.fields.find((g) => g.relationshipName && g.relationshipName.toLowerCase() === name.toLowerCase())
        if (!relation || value === null || typeof value !== 'object') throw refusal(400, 'INVALID_FIELD', `No such column '${name}' on sobject of type ${object.name}`)
        continue
      }
      // REST's JSON has types: true is not "true"
      if (f.type === 'boolean' && value !== null && typeof value !== 'boolean') throw refusal(400, 'JSON_PARSER_ERROR', `Cannot deserialize instance of boolean from VALUE_STRING value ${value}`)
      try {
        org.accept(f, value)
      } catch (error) {
        if (error.statusCode === 'JSON_PARSER_ERROR') throw refusal(400, 'JSON_PARSER_ERROR', error.message + ' or request may be missing a required field at [line:1, column:20]')
      }
    }
  }

  const answer = (context, results, withCreated) => context.json(200, results.map((r) => ({
    ...(r.success || r.id ? { id: r.id } : {}), success: r.success, errors: r.errors, ...(withCreated && r.success ? { created: r.created } : {})
  })))
  const repeated = (statusCode, message) => ({ id: null, success: false, errors: [{ statusCode, message, fields: [] }] })

  // each record once: what comes twice is refused the second time
  function each (records, key, refuse, action) {
    const met = new Set()
    return records.map((record) => {
      const value = key(record)
      if (value !== undefined && value !== null && met.has(value)) return refuse(value)
      met.add(value)
      return action(record)
    })
  }
  const keyOf = (record, name) => record[Object.keys(record).find((k) => k.toLowerCase() === name.toLowerCase())]

  routes.push(
    ['POST', /^\/composite\/sobjects\/?$/, (context) => {
      answer(context, read(context).map((r) => write('insert', r.attributes.type, r)))
    }],
    ['PATCH', /^\/composite\/sobjects\/?$/, (context) => {
      const records = read(context)
      answer(context, each(records, (r) => keyOf(r, 'id'), (id) => repeated('INVALID_FIELD', `duplicate id in list: ${id}`), (r) => {
        const { attributes, ...values } = r
        return write('update', attributes.type, values)
      }))
    }],
    ['PATCH', /^\/composite\/sobjects\/(\w+)\/(\w+)\/?$/, (context) => {
      const [, object, name] = context.match
      const f = org.object(object) && org.field(org.object(object), name)
      if (!org.object(object)) return context.error(404, 'NOT_FOUND', 'The requested resource does not exist')
      if (!f || f.type === 'id' || !(f.externalId || f.idLookup)) return context.error(404, 'NOT_FOUND', `Provided external ID field does not exist or is not accessible: ${name}`)
      const records = read(context)
      for (const r of records) {
        if (org.object(r.attributes.type) !== org.object(object)) return context.error(400, 'INVALID_TYPE', 'records are not of the type of the URI')
        if (keyOf(r, 'id') !== undefined) return context.error(400, 'INVALID_FIELD', 'The Id field should not be specified in the sobject data.')
      }
      const fold = (v) => typeof v === 'string' && !f.caseSensitive ? v.toLowerCase() : v
      answer(context, each(records, (r) => fold(keyOf(r, name)), (v) => repeated('DUPLICATE_VALUE', `Duplicate external id specified: ${v}`), (r) => {
        const { attributes, ...values } = r
        return write('upsert', object, values, name)
      }), true)
    }],
    ['DELETE', /^\/composite\/sobjects\/?$/, (context) => {
      const ids = (context.url.searchParams.get('ids') || '').split(',')
      if (!ids[0]) return context.error(400, 'INVALID_INPUT', 'ids is required')
      if (ids.length > LIMIT) return context.error(400, 'EXCEEDED_ID_LIMIT', `record limit reached. cannot submit more than ${LIMIT} records into this call`)
      const object = (id) => [...org.objects.values()].find((o) => o.keyPrefix && o.keyPrefix === id.slice(0, 3))
      answer(context, each(ids, (id) => id, (id) => repeated('INVALID_FIELD', `duplicate id in list: ${id}`), (id) => object(id)
        ? write('delete', object(id).name, { Id: id })
        : repeated('MALFORMED_ID', `malformed id ${id}`)))
    }]
  )
}

module.exports = { install }
