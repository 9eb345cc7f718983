// store.js
//	An organization of Salesforce: its objects, their fields as describe tells them, and
//	their records.  What may be written is what Salesforce lets be written.
//
//	Values are kept so: date 'YYYY-MM-DD', datetime as epoch milliseconds, time
//	'hh:mm:ss.sssZ', numbers, booleans and text as they are.  There is no empty text:
//	it is null.

'use strict'

const { EventEmitter } = require('node:events')

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

// the three characters behind 15 that say which of them are upper case
function suffix (id15) {
  let out = ''
  for (let block = 0; block < 3; block++) {
    let bits = 0
    for (let i = 0; i < 5; i++) if (/[A-Z]/.test(id15[block * 5 + i])) bits |= 1 << i
    out += 'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345'[bits]
  }
  return out
}

function makeId (prefix, number) {
  let tail = ''
  for (let n = number; tail.length < 9; n = Math.floor(n / 62)) tail = DIGITS[n % 62] + tail
  const id15 = prefix + '5g0' + tail
  return id15 + suffix(id15)
}

// 18 characters of an id, or null if it is none
function fullId (text) {
  if (typeof text !== 'string' || !/^[0-9A-Za-z]+$/.test(text)) return null
  if (text.length === 15) return text + suffix(text)
  if (text.length !== 18) return null
  // the suffix restores the letter case of the rest
  let id = ''
  for (let i = 0; i < 15; i++) {
    const bits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345'.indexOf(text[15 + Math.floor(i / 5)].toUpperCase())
    if (bits < 0) return null
    id += bits & (1 << (i % 5)) ? text[i].toUpperCase() : text[i].toLowerCase()
  }
  return suffix(id) === text.slice(15).toUpperCase() ? id + suffix(id) : null
}

const LENGTHS = { id: 18, reference: 18, string: 255, textarea: 255, email: 80, phone: 40, url: 255, picklist: 255, multipicklist: 4099, combobox: 255, encryptedstring: 175 }
const SOAP = { id: 'tns:ID', reference: 'tns:ID', boolean: 'xsd:boolean', int: 'xsd:int', long: 'xsd:long', double: 'xsd:double', currency: 'xsd:double', percent: 'xsd:double', date: 'xsd:date', datetime: 'xsd:dateTime', time: 'xsd:time', base64: 'xsd:base64Binary', address: 'urn:address', location: 'urn:location' }

// a member of describe's "fields"
function field (name, type, more = {}) {
  const text = type in LENGTHS
  const number = ['double', 'currency', 'percent'].includes(type)
  const long = type === 'textarea' && (more.length || 0) > 255
  const plain = !long && !['base64', 'address', 'location', 'encryptedstring'].includes(type)
  const values = more.values
  return {
    aggregatable: plain && !['boolean', 'multipicklist', 'time'].includes(type), autoNumber: false,
    byteLength: text ? (more.length || LENGTHS[type]) * 3 : 0, calculated: false, caseSensitive: false,
    createable: true, custom: name.endsWith('__c'), defaultedOnCreate: type === 'boolean', deprecatedAndHidden: false,
    digits: type === 'int' ? 9 : 0, encrypted: type === 'encryptedstring', externalId: false,
    filterable: plain, groupable: plain && !number && !['datetime', 'time', 'multipicklist'].includes(type),
    idLookup: false, inlineHelpText: null, label: name.replace(/__c$/, '').replace(/_/g, ' '),
    length: text ? LENGTHS[type] : 0, nameField: false, nillable: type !== 'boolean' && type !== 'id', permissionable: true,
    picklistValues: (values || []).map((value) => ({ active: true, defaultValue: false, label: value, validFor: null, value })),
    precision: number ? 18 : 0, referenceTo: [], relationshipName: null, restrictedPicklist: false,
    scale: number ? 2 : 0, soapType: SOAP[type] || 'xsd:string', sortable: plain && type !== 'multipicklist', type, unique: false, updateable: true,
    ...more, values: undefined, name
  }
}

const system = (more = {}) => ({ createable: false, updateable: false, nillable: false, ...more })
const compound = { createable: false, updateable: false, filterable: true, sortable: false }

function standard (extra) {
  return [
    field('Id', 'id', { createable: false, updateable: false, idLookup: true, defaultedOnCreate: true }),
    field('IsDeleted', 'boolean', system()),
    ...extra,
    field('CreatedDate', 'datetime', system()),
    field('LastModifiedDate', 'datetime', system()),
    field('SystemModstamp', 'datetime', system())
  ]
}

const INDUSTRIES = ['Agriculture', 'Banking', 'Energy', 'Technology']

function catalogue () {
  const object = (name, label, keyPrefix, fields, more = {}) => ({
    name, label, labelPlural: label + 's', keyPrefix, custom: name.includes('__'), queryable: true, createable: true, updateable: true, deletable: true,
    retrieveable: true, searchable: true, undeletable: true, replicateable: true, layoutable: true, triggerable: true, deprecatedAndHidden: false,
    customSetting: false, mergeable: false, feedEnabled: false, hasSubtypes: false, isSubtype: false, fields, ...more
  })
  const event = (name, label, fields) => object(name, label, null, fields, { queryable: false, updateable: false, deletable: false, createable: name.endsWith('__e') })
  const change = (name, extra) => event(name, name.replace(/(__)?ChangeEvent$/, ' Change Event'), [
    field('Id', 'id', system()), field('ReplayId', 'string', system({ nillable: true })), field('ChangeEventHeader', 'complexvalue', system({ filterable: false })), ...extra])
  return [
    object('User', 'User', '005', standard([
      field('Name', 'string', { length: 121, nillable: false, createable: false, updateable: false, nameField: true }),
      field('Email', 'email', { idLookup: true })])),
    object('Account', 'Account', '001', standard([
      field('Name', 'string', { nillable: false, nameField: true }),
      field('Type', 'picklist', { values: ['Prospect', 'Customer', 'Partner'] }),
      field('ParentId', 'reference', { referenceTo: ['Account'], relationshipName: 'Parent' }),
      field('BillingStreet', 'textarea'), field('BillingCity', 'string', { length: 40 }), field('BillingCountry', 'string', { length: 80 }),
      field('BillingAddress', 'address', compound),
      field('Phone', 'phone'), field('Website', 'url'),
      field('Industry', 'picklist', { values: INDUSTRIES, restrictedPicklist: true }),
      field('AnnualRevenue', 'currency', { scale: 0 }), field('NumberOfEmployees', 'int', { digits: 8 }),
      field('Description', 'textarea', { length: 32000 }),
      field('OwnerId', 'reference', { referenceTo: ['User'], relationshipName: 'Owner', nillable: false, defaultedOnCreate: true }),
      field('External_Id__c', 'string', { externalId: true, unique: true, idLookup: true, length: 40, inlineHelpText: 'Its key in the shop' })])),
    object('Contact', 'Contact', '003', standard([
      field('LastName', 'string', { length: 80, nillable: false }), field('FirstName', 'string', { length: 40 }),
      field('Name', 'string', { length: 121, createable: false, updateable: false, nameField: true, calculated: true }),
      field('AccountId', 'reference', { referenceTo: ['Account'], relationshipName: 'Account' }),
      field('Email', 'email', { idLookup: true }), field('Birthdate', 'date'), field('DoNotCall', 'boolean'),
      field('OwnerId', 'reference', { referenceTo: ['User'], relationshipName: 'Owner', nillable: false, defaultedOnCreate: true })])),
    object('Thing__c', 'Thing', 'a00', standard([
      field('Name', 'string', { length: 80, nameField: true }),
      field('Text__c', 'string'), field('Code__c', 'string', { externalId: true, unique: true, caseSensitive: true, idLookup: true, length: 40 }),
      field('Long__c', 'textarea', { length: 32768 }), field('Flag__c', 'boolean'),
      field('Int__c', 'int', { digits: 9 }), field('Number__c', 'double', { scale: 6 }), field('Money__c', 'currency'), field('Share__c', 'percent'),
      field('Day__c', 'date'), field('Moment__c', 'datetime'), field('Clock__c', 'time'),
      field('Choice__c', 'picklist', { values: ['Red', 'Green', 'Blue'], restrictedPicklist: true }),
      field('Choices__c', 'multipicklist', { values: ['Red', 'Green', 'Dark Green', 'Blue'], restrictedPicklist: true, precision: 4 }),
      field('Open__c', 'picklist', { values: ['Small', 'Large'] }),
      field('Place__c', 'location', compound), field('Place__Latitude__s', 'double', { scale: 6 }), field('Place__Longitude__s', 'double', { scale: 6 }),
      field('Secret__c', 'encryptedstring'),
      field('Account__c', 'reference', { referenceTo: ['Account'], relationshipName: 'Account__r' }),
      field('OwnerId', 'reference', { referenceTo: ['Group', 'User'], relationshipName: 'Owner', nillable: false, defaultedOnCreate: true })])),
    object('Big__c', 'Big', 'a01', standard([
      field('Name', 'string', { length: 80, nameField: true }), field('Amount__c', 'double'), field('Count__c', 'int'),
      field('When__c', 'datetime'), field('Note__c', 'string')])),
    object('Hidden__c', 'Hidden', 'a02', standard([]), { queryable: false }),
    change('AccountChangeEvent', [field('Name', 'string'), field('Industry', 'picklist')]),
    change('Thing__ChangeEvent', [field('Text__c', 'string'), field('Int__c', 'int')]),
    event('Order_Placed__e', 'Order Placed', [
      field('ReplayId', 'string', system({ nillable: true })), field('EventUuid', 'string', system({ nillable: true })),
      field('CreatedDate', 'datetime', system()), field('CreatedById', 'reference', system({ referenceTo: ['User'], relationshipName: 'CreatedBy' })),
      field('Order_Number__c', 'string', { length: 40 }), field('Total__c', 'double')])
  ]
}

const problem = (statusCode, message, fields = []) => ({ statusCode, message, fields })

// Records of an object; a generated one makes them as they are asked for
class Records {
  constructor () { this.byId = new Map() }
  get (id) { return this.byId.get(id) }
  set (record) { this.byId.set(record.Id, record) }
  * all () { yield * this.byId.values() }
}

// as many as one likes, made when they are asked for, not kept
class MadeRecords {
  constructor (length, make) { Object.assign(this, { length, at: make }) }
  get (id) { return undefined }
  * all () { for (let i = 0; i < this.length; i++) yield this.at(i) }
}

class Org extends EventEmitter {
  constructor () {
    super()
    this.setMaxListeners(0)
    this.objects = new Map(catalogue().map((object) => [object.name, object]))
    this.records = new Map([...this.objects.keys()].map((name) => [name, new Records()]))
    this.sequence = 0
    this.clock = null // milliseconds; null: the real one
    this.locked = new Set() // ids of records that somebody else is writing
    this.user = this.put('User', { Name: 'Integration User', Email: 'integration@example.com' })
  }

  now () { return this.clock ?? Date.now() }

  // the name as it is spelled, of one in any letter case
  object (name) {
    return this.objects.get(name) || [...this.objects.values()].find((o) => o.name.toLowerCase() === String(name).toLowerCase())
  }

  field (object, name) { return object.fields.find((f) => f.name.toLowerCase() === name.toLowerCase()) }

  // without any check: for tests
  put (name, values) {
    const object = this.objects.get(name)
    const now = this.now()
    const record = { Id: makeId(object.keyPrefix, ++this.sequence), IsDeleted: false }
    for (const f of object.fields) if (f.type === 'boolean' && f.name !== 'IsDeleted') record[f.name] = false
    if (this.user && this.field(object, 'OwnerId')) record.OwnerId = this.user.Id
    Object.assign(record, { CreatedDate: now, LastModifiedDate: now, SystemModstamp: now }, values)
    this.derive(object, record)
    this.records.get(name).set(record)
    return record
  }

  // fields that are made of others
  derive (object, record) {
    for (const f of object.fields) if (record[f.name] === '' || record[f.name] === undefined) record[f.name] = null
    if (object.name === 'Contact') record.Name = [record.FirstName, record.LastName].filter(Boolean).join(' ')
    for (const f of object.fields) {
      if (f.type === 'address') {
        const part = (n) => record[f.name.replace('Address', n)] ?? null
        record[f.name] = part('Street') || part('City') || part('Country')
          ? { city: part('City'), country: part('Country'), countryCode: null, geocodeAccuracy: null, latitude: null, longitude: null, postalCode: null, state: null, stateCode: null, street: part('Street') }
          : null
      }
      if (f.type === 'location') {
        const base = f.name.replace(/__c$/, '')
        const latitude = record[base + '__Latitude__s'] ?? null
        record[f.name] = latitude === null ? null : { latitude, longitude: record[base + '__Longitude__s'] ?? null }
      }
    }
  }

  // a value as a client sends it -> as it is kept; throws a problem
  accept (f, value) {
    if (value === null || value === undefined || value === '') {
      if (!f.nillable && !f.defaultedOnCreate) throw problem('REQUIRED_FIELD_MISSING', `Required fields are missing: [${f.name}]`, [f.name])
      return f.type === 'boolean' ? false : null
    }
    const wrong = (kind) => { throw problem('JSON_PARSER_ERROR', `Cannot deserialize instance of ${kind} from ${typeof value === 'string' ? 'VALUE_STRING' : 'VALUE'} value ${value}`, []) }
    switch (f.type) {
      case 'boolean':
        if (typeof value === 'boolean') return value
        if (/^(true|false)$/i.test(value)) return /^true$/i.test(value)
        return wrong('boolean')
      case 'int': {
        const n = typeof value === 'number' ? value : /^[-+]?\d+$/.test(value) ? Number(value) : NaN
        if (!Number.isInteger(n)) return wrong('int')
        if (Math.abs(n) >= 10 ** (f.digits || 9)) throw problem('NUMBER_OUTSIDE_VALID_RANGE', `${f.label}: value outside of valid range on numeric field: ${value}`, [f.name])
        return n
      }
      case 'double': case 'currency': case 'percent': {
        const n = typeof value === 'number' ? value : /^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(value) ? Number(value) : NaN
        if (!Number.isFinite(n)) return wrong('double')
        if (Math.abs(n) >= 10 ** (f.precision - f.scale)) throw problem('NUMBER_OUTSIDE_VALID_RANGE', `${f.label}: value outside of valid range on numeric field: ${value}`, [f.name])
        return n
      }
      case 'date': {
        const text = /^(\d{4}-\d\d-\d\d)(T.*)?$/.exec(value)
        if (!text || Number.isNaN(Date.parse(text[1])) || new Date(text[1]).toISOString().slice(0, 10) !== text[1]) return wrong('date')
        return text[1]
      }
      case 'datetime': {
        const text = String(value).replace(/([+-]\d\d)(\d\d)$/, '$1:$2')
        if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text) || Number.isNaN(Date.parse(text))) return wrong('datetime')
        return Date.parse(text)
      }
      case 'time': {
        const text = /^(\d\d):(\d\d):(\d\d)(\.\d{1,3})?Z?$/.exec(value)
        if (!text) return wrong('time')
        return `${text[1]}:${text[2]}:${text[3]}${(text[4] || '.').padEnd(4, '0')}Z`
      }
      case 'id': case 'reference': {
        const id = fullId(value)
        if (!id) throw problem('MALFORMED_ID', `${f.label}: id value of incorrect type: ${value}`, [f.name])
        const targets = f.type === 'reference' ? f.referenceTo.map((n) => this.objects.get(n)).filter(Boolean) : []
        const target = targets.find((o) => o.keyPrefix === id.slice(0, 3))
        if (targets.length && !target) throw problem('FIELD_INTEGRITY_EXCEPTION', `${f.label}: id value of incorrect type: ${value}`, [f.name])
        if (target && (!this.records.get(target.name).get(id) || this.records.get(target.name).get(id).IsDeleted)) throw problem('INVALID_CROSS_REFERENCE_KEY', 'invalid cross reference id', [])
        return id
      }
      default: {
        if (typeof value === 'object') return wrong(f.type)
        const text = String(value)
        if (f.type === 'email' && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(text)) throw problem('INVALID_EMAIL_ADDRESS', `${f.label}: invalid email address: ${text}`, [f.name])
        if (f.restrictedPicklist) {
          const values = f.picklistValues.map((v) => v.value)
          for (const part of f.type === 'multipicklist' ? text.split(';') : [text]) {
            if (!values.includes(part)) throw problem('INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST', `${f.label}: bad value for restricted picklist field: ${part}`, [f.name])
          }
          // selected values are kept in the order of the list
          if (f.type === 'multipicklist') return values.filter((v) => text.split(';').includes(v)).join(';')
        }
        if ([...text].length > f.length) throw problem('STRING_TOO_LONG', `${f.label}: data value too large: ${text.slice(0, 40)} (max length=${f.length})`, [f.name])
        return text
      }
    }
  }

  // {field: kept value} of what a client sends, for insert or update; throws a problem
  acceptAll (object, values, inserting) {
    const kept = {}
    for (const [name, value] of Object.entries(values)) {
      if (name === 'attributes') continue
      const f = this.field(object, name)
      const relation = object.fields.find((g) => g.relationshipName && g.relationshipName.toLowerCase() === name.toLowerCase())
      if (!f && relation && value && typeof value === 'object') {
        // a parent by its external id: {"Account": {"External_Id__c": "x"}}
        const [key] = Object.keys(value).filter((k) => k !== 'attributes')
        const parent = this.findBy(this.objects.get(relation.referenceTo[0]), key, value[key])
        if (!parent.length) throw problem('INVALID_FIELD', `Foreign key external ID: ${value[key]} not found for field ${key} in entity ${relation.referenceTo[0]}`, [])
        kept[relation.name] = parent[0].Id
        continue
      }
      if (!f) throw problem('INVALID_FIELD', `No such column '${name}' on sobject of type ${object.name}`, [])
      if (inserting ? !f.createable : !f.updateable) throw problem('INVALID_FIELD_FOR_INSERT_UPDATE', `Unable to create/update fields: ${f.name}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.`, [f.name])
      kept[f.name] = this.accept(f, value)
    }
    if (inserting) {
      const missing = object.fields.filter((f) => f.createable && !f.nillable && !f.defaultedOnCreate && f.type !== 'boolean' && (kept[f.name] === undefined || kept[f.name] === null)).map((f) => f.name)
      if (missing.length) throw problem('REQUIRED_FIELD_MISSING', `Required fields are missing: [${missing.join(', ')}]`, missing)
    }
    return kept
  }

  findBy (object, name, value) {
    const f = object && this.field(object, name)
    const same = (a) => a !== null && a !== undefined && (f.caseSensitive || typeof a !== 'string' ? String(a) === String(value) : a.toLowerCase() === String(value).toLowerCase())
    return f ? [...this.records.get(object.name).all()].filter((r) => !r.IsDeleted && same(r[f.name])) : []
  }

  checkUnique (object, kept, id) {
    for (const f of object.fields) {
      if (!f.unique || kept[f.name] === undefined || kept[f.name] === null) continue
      const other = this.findBy(object, f.name, kept[f.name]).find((r) => r.Id !== id)
      if (other) throw problem('DUPLICATE_VALUE', `duplicate value found: ${f.name} duplicates value on record with id: ${other.Id}`, [])
    }
  }

  existing (object, id) {
    const full = fullId(id)
    if (!full) throw problem('MALFORMED_ID', `malformed id ${id}`, ['Id'])
    if (full.slice(0, 3) !== object.keyPrefix) throw problem('INVALID_CROSS_REFERENCE_KEY', 'invalid cross reference id', [])
    const record = this.records.get(object.name).get(full)
    if (!record) throw problem('INVALID_CROSS_REFERENCE_KEY', 'invalid cross reference id', [])
    if (record.IsDeleted) throw problem('ENTITY_IS_DELETED', 'entity is deleted', [])
    if (this.locked.has(full)) throw problem('UNABLE_TO_LOCK_ROW', 'unable to obtain exclusive access to this record or 1 records: ' + full, [])
    return record
  }

  // operation insert, update, upsert (by externalField, or Id) or delete of one record.
  // -> {id, success, created, errors}
  write (operation, objectName, values, externalField) {
    const object = this.object(objectName)
    try {
      if (operation === 'insert') return this.insert(object, values)
      if (operation === 'upsert') return this.upsert(object, values, externalField)
      const key = Object.keys(values).find((k) => k.toLowerCase() === 'id')
      if (!key || !values[key]) throw problem('MISSING_ARGUMENT', 'Id not specified in an update call', [])
      if (operation === 'delete') {
        const record = this.existing(object, values[key])
        record.IsDeleted = true
        this.touch(object, record, 'DELETE', [])
        return { id: record.Id, success: true, created: false, errors: [] }
      }
      const { [key]: id, ...rest } = values
      return this.update(object, this.existing(object, id), rest)
    } catch (error) {
      if (!error.statusCode) throw error
      return { id: null, success: false, created: false, errors: [error] }
    }
  }

  insert (object, values) {
    if (Object.keys(values).some((k) => k.toLowerCase() === 'id' && values[k])) throw problem('INVALID_FIELD_FOR_INSERT_UPDATE', 'cannot specify Id in an insert call', ['Id'])
    const kept = this.acceptAll(object, values, true)
    this.checkUnique(object, kept, null)
    const record = this.put(object.name, kept)
    this.emit('change', { object, record, type: 'CREATE', fields: Object.keys(kept) })
    return { id: record.Id, success: true, created: true, errors: [] }
  }

  update (object, record, values) {
    const kept = this.acceptAll(object, values, false)
    this.checkUnique(object, kept, record.Id)
    Object.assign(record, kept)
    this.derive(object, record)
    this.touch(object, record, 'UPDATE', Object.keys(kept))
    return { id: record.Id, success: true, created: false, errors: [] }
  }

  upsert (object, values, externalField) {
    const f = externalField && this.field(object, externalField)
    if (!f || !(f.externalId || f.idLookup)) throw problem('INVALID_FIELD', `Field name provided, ${externalField} does not match an External ID, Salesforce Id, or indexed field for ${object.name}`, [])
    const key = Object.keys(values).find((k) => k.toLowerCase() === f.name.toLowerCase())
    const value = key && values[key]
    if (f.type === 'id') {
      const { [key]: id, ...rest } = values
      return value ? this.update(object, this.existing(object, id), rest) : this.insert(object, rest)
    }
    if (value === undefined || value === null || value === '') throw problem('MISSING_ARGUMENT', `${f.name} not specified`, [f.name])
    const found = this.findBy(object, f.name, value)
    if (found.length > 1) throw problem('DUPLICATE_EXTERNAL_ID', `${f.name}: more than one record found for external id field: [${found.map((r) => r.Id).join(', ')}]`, [f.name])
    return found.length ? this.update(object, this.existing(object, found[0].Id), values) : this.insert(object, values)
  }

  touch (object, record, type, fields) {
    record.LastModifiedDate = record.SystemModstamp = this.now()
    this.emit('change', { object, record, type, fields })
  }
}

// a value as REST's JSON has it
function restValue (f, value) {
  if (value === null || value === undefined) return null
  if (f.type === 'datetime') return new Date(value).toISOString().replace('Z', '+0000')
  return value
}

// as a cell of Bulk API 2.0's CSV
function csvValue (f, value) {
  if (value === null || value === undefined) return ''
  if (f.type === 'datetime') return new Date(value).toISOString()
  if (['double', 'currency', 'percent'].includes(f.type)) {
    // as Java has it: always a fraction, small ones with an exponent
    if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential().replace(/^(-?\d)e/, '$1.0e').replace('e', 'E')
    return Number.isInteger(value) ? value.toFixed(1) : String(value)
  }
  return String(value)
}

module.exports = { Org, field, makeId, fullId, suffix, restValue, csvValue, problem, Records, MadeRecords }
