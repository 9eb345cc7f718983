// What a Marketo subscription holds: leads, records of other kinds, activities, and how they
// are described.

'use strict'

const rest = (name, dataType, more = {}) => ({ name, dataType, ...more })

// leads: the field's REST name, or none
const leadFields = [
  rest('id', 'integer', { readOnly: true }),
  rest('email', 'email', { length: 255 }),
  rest('firstName', 'string', { length: 255 }),
  rest('lastName', 'string', { length: 255 }),
  rest('company', 'string', { length: 255 }),
  rest('leadScore', 'score'),
  rest('annualRevenue', 'currency'),
  rest('share', 'percent'),
  rest('unsubscribed', 'boolean'),
  rest('dateOfBirth', 'date'),
  rest('lastSeen', 'datetime'),
  rest('notes', 'text', { length: 2000 }),
  rest('createdAt', 'datetime', { readOnly: true }),
  rest('updatedAt', 'datetime', { readOnly: true }),
  { soap: 'LegacyScore', dataType: 'integer' }
]
const leadSearch = ['id', 'email', 'cookies', 'facebookId', 'linkedInId', 'twitterId', 'sfdcLeadId']

const field = (name, dataType, updateable = true, length) => ({ name, displayName: name, dataType, updateable, ...(length ? { length } : {}) })
const stamps = [field('createdAt', 'datetime', false), field('updatedAt', 'datetime', false)]

// records that are found by values: name of the path => what describe.json tells
const objects = {
  companies: {
    name: 'Company', idField: 'id', dedupeFields: ['externalCompanyId'], searchableFields: [['externalCompanyId'], ['id'], ['company']],
    fields: [field('id', 'integer', false), field('externalCompanyId', 'string', false, 100), field('company', 'string', true, 255), field('annualRevenue', 'currency'), field('numberOfEmployees', 'integer'), ...stamps],
    make: (n) => ({ externalCompanyId: `C-${n}`, company: n % 2 ? `Company ${n}` : `Ümlaut & Söhne ${n}`, annualRevenue: n * 1000.5, numberOfEmployees: n % 3 ? n : null })
  },
  opportunities: {
    name: 'Opportunity', idField: 'marketoGUID', dedupeFields: ['externalOpportunityId'], searchableFields: [['externalOpportunityId'], ['marketoGUID']],
    fields: [field('marketoGUID', 'string', false, 36), field('externalOpportunityId', 'string', false, 50), field('name', 'string', true, 255), field('amount', 'currency'), field('isWon', 'boolean'), ...stamps],
    make: (n) => ({ externalOpportunityId: `O-${n}`, name: `Deal ${n}`, amount: n * 10, isWon: n % 2 === 0 })
  },
  'opportunities/roles': {
    name: 'opportunityRole', idField: 'marketoGUID', dedupeFields: ['externalOpportunityId', 'leadId', 'role'], searchableFields: [['externalOpportunityId', 'leadId', 'role'], ['marketoGUID'], ['leadId'], ['externalOpportunityId']],
    fields: [field('marketoGUID', 'string', false, 36), field('externalOpportunityId', 'string', false, 50), field('leadId', 'integer', false), field('role', 'string', false, 50), field('isPrimary', 'boolean'), field('externalCreatedDate', 'datetime')],
    make: (n) => ({ externalOpportunityId: `O-${n}`, leadId: n, role: 'Buyer', isPrimary: n % 2 === 1 })
  },
  namedaccounts: {
    name: 'Named Account', idField: 'marketoGUID', dedupeFields: ['name'], searchableFields: [['marketoGUID'], ['name'], ['city']],
    fields: [field('marketoGUID', 'string', false, 36), field('name', 'string', true, 255), field('city', 'string', true, 255), field('annualRevenue', 'currency'), ...stamps],
    make: (n) => ({ name: `Account ${n}`, city: n % 2 ? 'Berlin' : 'Wien', annualRevenue: n })
  },
  salespersons: {
    name: 'SalesPerson', idField: 'id', dedupeFields: ['externalSalesPersonId'], searchableFields: [['email'], ['id'], ['externalSalesPersonId']],
    fields: [field('id', 'integer', false), field('externalSalesPersonId', 'string', false, 255), field('email', 'string', true, 255), field('firstName', 'string', true, 255), ...stamps],
    make: (n) => ({ externalSalesPersonId: `S-${n}`, email: `sales${n}@example.com`, firstName: `Sam ${n}` })
  },
  'customobjects/car_c': {
    name: 'car_c', displayName: 'Car', born: '2024-01-01T00:00:00Z', idField: 'marketoGUID', dedupeFields: ['vin'], searchableFields: [['vin'], ['marketoGUID'], ['leadId']],
    fields: [field('marketoGUID', 'string', false, 36), field('vin', 'string', true, 36), field('leadId', 'integer'), field('color', 'string', true, 255), field('year', 'integer'), ...stamps],
    make: (n) => ({ vin: `VIN-${n}`, leadId: n, color: n % 4 ? 'red, "dark"' : null, year: 2000 + (n % 20) })
  }
}

const activityTypes = [
  { id: 1, name: 'Visit Webpage', primaryAttribute: { name: 'Webpage ID', dataType: 'integer' }, attributes: [{ name: 'Client IP Address', dataType: 'string' }, { name: 'User Agent', dataType: 'string' }, { name: 'Seconds', dataType: 'integer' }] },
  { id: 2, name: 'Fill Out Form', primaryAttribute: { name: 'Webform ID', dataType: 'integer' }, attributes: [{ name: 'Form Fields', dataType: 'text' }] },
  { id: 12, name: 'New Lead', primaryAttribute: { name: 'Lead ID', dataType: 'integer' }, attributes: [{ name: 'Source Type', dataType: 'string' }, { name: 'leadId', dataType: 'integer' }] },
  { id: 37, name: 'Delete Lead', primaryAttribute: { name: 'Lead ID', dataType: 'integer' }, attributes: [] },
  ...Array.from({ length: 10 }, (_, i) => ({ id: 100 + i, name: `Custom ${i}`, primaryAttribute: { name: 'What', dataType: 'string' }, attributes: [] }))
]

module.exports = { leadFields, leadSearch, objects, activityTypes }
