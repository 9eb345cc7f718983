// What is in the simulated Vault: objects, document types, documents with versions, files and renditions.

'use strict'

const field = (name, type, more = {}) => ({ name, type, label: name.replace(/__\w+$/, '').replace(/_/g, ' '), ...more })
const iso = (ms) => new Date(ms).toISOString()
const START = Date.parse('2024-01-01T00:00:00.000Z')

const objects = {
  product__v: {
    label: 'Product',
    fields: [
      field('id', 'ID'), field('name__v', 'String', { max_length: 128, required: true }), field('external_id__v', 'String', { max_length: 50 }),
      field('status__v', 'Picklist', { multi_value: false }), field('areas__c', 'Picklist', { multi_value: true }),
      field('units__c', 'Number', { scale: 0 }), field('rating__c', 'Number', { scale: 2 }), field('price__c', 'Currency', { scale: 2 }),
      field('launch_date__c', 'Date'), field('approved__c', 'Boolean'), field('notes__c', 'LongText', { max_length: 32000 }), field('story__c', 'RichText', { max_length: 32000 }),
      field('country__c', 'Object'), field('twice__c', 'Number', { scale: 0, formula: 'units__c * 2' }), field('region__c', 'String', { lookup_source_field: 'region__c', searchable: false }),
      field('old__c', 'String', { status: ['inactive__v'] }), field('created_date__v', 'DateTime'), field('modified_date__v', 'DateTime')
    ],
    relationships: [{ relationship_name: 'country__cr', field: 'country__c', relationship_type: 'reference_outbound', object: { name: 'country__v' } }],
    make: (n) => ({
      id: `V00${String(n).padStart(9, '0')}`, name__v: `Produkt "${n}" – 100% it's\\${n % 3}`, external_id__v: n % 4 ? `E${n}` : null, status__v: [n % 5 ? 'active__v' : 'inactive__v'],
      areas__c: ['oncology__c', 'cardiology__c', 'immunology__c'].filter((_, i) => (n >> i) & 1), units__c: n % 11 === 0 ? null : n, rating__c: n % 7 === 0 ? null : ((n % 50) / 10).toFixed(2), price__c: n % 6 === 0 ? null : `$${n}.50`,
      launch_date__c: n % 8 === 0 ? null : iso(START + (n % 700) * 86400000).slice(0, 10), approved__c: n % 9 === 0 ? null : n % 2 === 0, notes__c: n % 10 === 0 ? null : `note ${n} ` + 'ab cd '.repeat(n === 1 ? 100 : 2),
      story__c: `<p>${n}</p>` + (n === 2 ? '<b>x</b>'.repeat(100) : ''), country__c: `C${n % 3}`, region__c: 'north', old__c: 'x', created_date__v: iso(START), modified_date__v: iso(START + n * 60000 + (n % 1000))
    })
  },
  country__v: {
    label: 'Country',
    fields: [field('id', 'ID'), field('name__v', 'String', { max_length: 128 }), field('modified_date__v', 'DateTime')],
    make: (n) => ({ id: `C${n - 1}`, name__v: ['Österreich', 'France', '日本'][(n - 1) % 3], modified_date__v: iso(START) })
  },
  reading__c: {
    label: 'Reading',
    data_store: 'raw',
    fields: [field('id', 'ID'), field('name__v', 'String', { max_length: 128 }), field('value__c', 'Number', { scale: 0 }), field('modified_date__v', 'DateTime')],
    make: (n) => ({ id: `R${n}`, name__v: `r${n}`, value__c: n % 3 ? n : null, modified_date__v: iso(START) })
  },
  retired__c: { label: 'Retired', status: ['inactive__v'], fields: [field('id', 'ID')], make: (n) => ({ id: `X${n}` }) }
}

const property = (name, type, more = {}) => field(name, type, { queryable: true, repeating: false, disabled: false, ...more })

const properties = [
  property('id', 'id', { maxLength: 20 }), property('name__v', 'String', { maxLength: 100 }), property('type__v', 'Picklist'), property('status__v', 'Picklist'),
  property('language__v', 'Picklist', { repeating: true }), property('product__v', 'ObjectReference', { repeating: true }), property('document_number__v', 'ExactMatchString'),
  property('major_version_number__v', 'Number', { scale: 0 }), property('minor_version_number__v', 'Number', { scale: 0 }), property('filename__v', 'ExactMatchString'), property('format__v', 'ExactMatchString'),
  property('size__v', 'Number', { scale: 0 }), property('locked__v', 'Boolean'), property('expires__c', 'Date'), property('version_creation_date__v', 'DateTime'), property('version_modified_date__v', 'DateTime'),
  property('hidden__v', 'String', { queryable: false })
]

const types = { component__c: 'Component', leaflet__c: 'Leaflet', base_document__v: 'Base Document' }

// rows of all versions; the last of each document is its latest
function versions(n, given = {}) {
  const { versions: list = [[0, 1], [1, 0]].slice(n % 2), ...more } = given
  return list.map(([major, minor], i) => ({
    id: n, name__v: `Dokument ${n}`, type__v: n % 3 ? 'Component' : 'Leaflet', status__v: n % 4 ? 'Approved' : 'Draft', language__v: n % 5 ? ['English', 'German'] : [], product__v: [`V00${n}`],
    document_number__v: `VV-${String(n).padStart(5, '0')}`, major_version_number__v: major, minor_version_number__v: minor, filename__v: `file ${n}.pdf`, format__v: 'application/pdf', size__v: 1000 + n,
    locked__v: n % 6 === 0, expires__c: n % 7 ? null : '2025-06-30', version_creation_date__v: iso(START + i * 1000), version_modified_date__v: iso(START + n * 60000 + i * 1000),
    renditions: ['viewable_rendition__v'], latest: i === list.length - 1, ...more
  }))
}

class Vault {
  constructor() {
    this.rows = new Map(Object.keys(objects).map((name) => [name, []]))
    this.documents = []
    this.seed({ country__v: 3 })
  }

  // {"object": n | rows, "documents": n | [{id, ...}]}
  seed(what) {
    for (const [name, have] of Object.entries(what)) {
      if (name === 'documents') this.documents = typeof have === 'number' ? Array.from({ length: have }, (_, i) => versions(i + 1)).flat() : have.flatMap((one) => versions(one.id, one))
      else this.rows.set(name, typeof have === 'number' ? Array.from({ length: have }, (_, i) => objects[name].make(i + 1)) : have.map((one, i) => ({ ...objects[name].make(i + 1), ...one })))
    }
    return {}
  }

  // what a query is about: its rows and fields
  target(query) {
    if (query.target === 'documents') {
      return {
        name: 'documents', documents: true, fields: new Map(properties.filter((one) => one.queryable).map((one) => [one.name, one])),
        rows: this.documents.filter((row) => query.all || row.latest)
      }
    }
    const object = Object.prototype.hasOwnProperty.call(objects, query.target) && !objects[query.target].status ? objects[query.target] : null
    if (!object || query.all) return null
    return {
      name: query.target, raw: object.data_store === 'raw', fields: new Map(object.fields.filter((one) => !one.status).map((one) => [one.name, one])),
      relationships: object.relationships || [], rows: this.rows.get(query.target)
    }
  }

  version(id, major, minor) {
    return this.documents.find((row) => row.id === Number(id) && row.major_version_number__v === Number(major) && row.minor_version_number__v === Number(minor))
  }
}

module.exports = { Vault, objects, properties, types }
