// Tables of a ServiceNow instance, their dictionary, and records to fill them with.

'use strict'

const crypto = require('node:crypto')

const id = (text) => crypto.createHash('md5').update(text).digest('hex')
const START = Date.UTC(2024, 0, 1) / 1000
const time = (seconds) => new Date((START + seconds) * 1000).toISOString().slice(0, 19).replace('T', ' ')

// name, internal type, length, more
const system = [
  ['sys_id', 'GUID', 32, { primary: 'true', label: 'Sys ID' }], ['sys_created_on', 'glide_date_time', 40], ['sys_created_by', 'string', 40],
  ['sys_updated_on', 'glide_date_time', 40], ['sys_updated_by', 'string', 40], ['sys_mod_count', 'integer', 40], ['sys_tags', 'related_tags', 255]
]

const tables = {
  task: {
    label: 'Task',
    columns: [...system, ['number', 'string', 40, { mandatory: 'true' }], ['short_description', 'string', 160], ['description', 'string', 4000], ['active', 'boolean', 40],
      ['state', 'integer', 40], ['priority', 'integer', 40], ['assigned_to', 'reference', 32, { reference: 'sys_user' }], ['opened_at', 'glide_date_time', 40],
      ['due_date', 'due_date', 40], ['work_start', 'glide_date_time', 40], ['sys_class_name', 'sys_class_name', 80], ['impact', 'integer', 40]]
  },
  incident: { label: 'Incident', parent: 'task', columns: [['caller_id', 'reference', 32, { reference: 'sys_user' }], ['category', 'choice', 40], ['severity', 'integer', 40], ['business_duration', 'glide_duration', 40], ['u_cost', 'decimal', 15], ['u_day', 'glide_date', 40]] },
  problem: { label: 'Problem', parent: 'task', columns: [['known_error', 'boolean', 40]] },
  major_incident: { label: 'Major incident', parent: 'incident', columns: [['u_war_room', 'string', 100]] },
  sys_user: { label: 'User', columns: [...system, ['user_name', 'string', 40], ['name', 'string', 151], ['email', 'email', 100], ['active', 'boolean', 40], ['manager', 'reference', 32, { reference: 'sys_user' }]] },
  cmdb_ci: { label: 'Configuration Item', columns: [...system, ['name', 'string', 255], ['asset_tag', 'string', 40], ['sys_class_name', 'sys_class_name', 80]] },
  cmdb_ci_server: { label: 'Server', parent: 'cmdb_ci', columns: [['ip_address', 'ip_addr', 255], ['ram', 'integer', 40]] },
  sys_db_object: { label: 'Tables', columns: [...system, ['name', 'string', 80], ['label', 'translated_field', 80], ['super_class', 'reference', 32, { reference: 'sys_db_object' }]] },
  sys_dictionary: {
    label: 'Dictionary Entry',
    columns: [...system, ['name', 'table_name', 80], ['element', 'field_name', 80], ['column_label', 'documentation_field', 80], ['internal_type', 'glide_var', 80], ['max_length', 'integer', 40],
      ['mandatory', 'boolean', 40], ['read_only', 'boolean', 40], ['primary', 'boolean', 40], ['active', 'boolean', 40], ['reference', 'reference', 80]]
  }
}

const label = (name) => name.replace(/^(sys|u)_/, '').replace(/_/g, ' ').replace(/^./, (c) => c.toUpperCase())

// rows of sys_db_object and sys_dictionary
function dictionary() {
  const objects = []
  const entries = []
  for (const [name, table] of Object.entries(tables)) {
    objects.push({ sys_id: id(`table ${name}`), name, label: table.label, super_class: table.parent ? id(`table ${table.parent}`) : '', sys_updated_on: time(0), sys_created_on: time(0) })
    entries.push({ sys_id: id(`collection ${name}`), name, element: '', internal_type: 'collection', column_label: '', max_length: '', mandatory: 'false', read_only: 'false', primary: 'false', active: 'true', reference: '' })
    for (const [element, type, length, more] of table.columns) {
      entries.push({ sys_id: id(`${name} ${element}`), name, element, internal_type: type, column_label: (more && more.label) || label(element), max_length: String(length),
        mandatory: (more && more.mandatory) || 'false', read_only: element.startsWith('sys_') ? 'true' : 'false', primary: (more && more.primary) || 'false', active: 'true', reference: (more && more.reference) || '' })
    }
  }
  return { objects, entries }
}

const pick = (values, n) => values[n % values.length]

const makers = {
  incident: (n) => ({
    sys_id: id(`incident ${n}`), number: `INC${String(n).padStart(7, '0')}`, short_description: n % 10 === 0 ? `Ünï "${n}" \\ a^b 日本` : pick(['Network down', 'network slow', 'Printer smokes'], n),
    description: `line 1\nline 2 of ${n}`, active: n % 3 ? 'true' : 'false', state: String(1 + (n % 7)), priority: String(1 + (n % 5)), impact: '3',
    assigned_to: n % 2 ? id(`sys_user ${1 + (n % 20)}`) : '', caller_id: id(`sys_user ${1 + (n % 20)}`), opened_at: time(n * 60), due_date: '', work_start: '', sys_class_name: 'incident',
    category: pick(['network', 'hardware', ''], n), severity: String(1 + (n % 3)), business_duration: '', u_cost: (n * 1.25).toFixed(2), u_day: time(n * 86400).slice(0, 10),
    sys_created_on: time(n * 60), sys_created_by: 'admin', sys_updated_on: time(n * 120), sys_updated_by: 'admin', sys_mod_count: String(n % 4), sys_tags: ''
  }),
  sys_user: (n) => ({ sys_id: id(`sys_user ${n}`), user_name: `user${n}`, name: `User ${n}`, email: `user${n}@example.com`, active: 'true', manager: n > 1 ? id('sys_user 1') : '', sys_created_on: time(n), sys_created_by: 'admin', sys_updated_on: time(n), sys_updated_by: 'admin', sys_mod_count: '0', sys_tags: '' }),
  problem: (n) => ({ ...makers.incident(n), sys_id: id(`problem ${n}`), number: `PRB${String(n).padStart(7, '0')}`, sys_class_name: 'problem', known_error: 'false' }),
  cmdb_ci_server: (n) => ({ sys_id: id(`server ${n}`), name: `srv${n}`, asset_tag: `A${n}`, sys_class_name: 'cmdb_ci_server', ip_address: `10.0.0.${n % 250}`, ram: String(n * 1024), sys_created_on: time(n), sys_created_by: 'admin', sys_updated_on: time(n), sys_updated_by: 'admin', sys_mod_count: '0', sys_tags: '' })
}

module.exports = { tables, dictionary, generate: (name, n) => makers[name](n), id }
