// Google's own clients against the simulator, and their types (made of Google's discovery documents) against what
// the connector has asked it.
//
//   node client.js URL        prints {"what is held": "" or what is wrong, ...}

'use strict'

const fs = require('node:fs')
const { analyticsdata, auth } = require('@googleapis/analyticsdata')
const { analyticsreporting } = require('@googleapis/analyticsreporting')

const base = process.argv[2]
const results = {}

// {interface: {member: its type}} of a declaration file
function types(path) {
  const text = fs.readFileSync(require.resolve(path), 'utf8').replace(/\/\*[^]*?\*\//g, '')
  const found = {}
  for (const [, name, body] of text.matchAll(/export interface Schema\$(\w+) \{([^]*?)\n {4}\}/g)) {
    found[name] = {}
    for (const [, member, type] of body.matchAll(/^\s*(\w+)\??: ([^;]+);/gm)) found[name][member] = type.replace(' | null', '')
  }
  return found
}
const data = types('@googleapis/analyticsdata/build/v1beta.d.ts')
const reporting = types('@googleapis/analyticsreporting/build/v4.d.ts')

// what is wrong with a value of a type; '' is nothing
function wrong(all, value, type, at) {
  const list = /^(.*)\[\]$/.exec(type)
  if (list) {
    if (!Array.isArray(value)) return `${at} is no array`
    return value.map((entry, i) => wrong(all, entry, list[1], `${at}[${i}]`)).find(Boolean) || ''
  }
  const schema = /^Schema\$(\w+)$/.exec(type)
  if (!schema) return typeof value === type ? '' : `${at} is a ${typeof value}, not a ${type}`
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return `${at} is no object`
  for (const [member, inner] of Object.entries(value)) {
    const known = all[schema[1]][member]
    if (known === undefined) return `${at} has "${member}", which ${schema[1]} has not`
    const problem = wrong(all, inner, known, `${at}.${member}`)
    if (problem) return problem
  }
  return ''
}

async function main() {
  const seen = await (await fetch(`${base}/control/seen`)).json()
  for (const [path, all, type] of [[':runReport', data, 'Schema$RunReportRequest'], ['/v4/reports:batchGet', reporting, 'Schema$GetReportsRequest']]) {
    const asked = seen.filter(({ url }) => url.endsWith(path))
    results[`${asked.length} requests for ${path}`] = asked.map(({ body }) => wrong(all, JSON.parse(body), type, path)).find(Boolean) || ''
  }

  const client = new auth.OAuth2('planted-client', 'planted-client-secret')
  client.setCredentials({ access_token: 'planted-google' })
  const property = analyticsdata({ version: 'v1beta', auth: client, rootUrl: `${base}/` }).properties
  const metadata = (await property.getMetadata({ name: 'properties/1001/metadata' })).data
  results.metadata = wrong(data, metadata, 'Schema$Metadata', 'metadata') || (metadata.dimensions.length > 10 ? '' : 'few dimensions')
  const requestBody = {
    dateRanges: [{ startDate: '2024-01-01', endDate: 'today' }], dimensions: [{ name: 'date' }, { name: 'city' }], metrics: [{ name: 'activeUsers' }, { name: 'totalRevenue' }],
    dimensionFilter: { notExpression: { filter: { fieldName: 'city', stringFilter: { matchType: 'EXACT', value: 'Oslo' } } } }, orderBys: [{ dimension: { dimensionName: 'date', orderType: 'ALPHANUMERIC' } }, { dimension: { dimensionName: 'city', orderType: 'ALPHANUMERIC' } }]
  }
  const whole = (await property.runReport({ property: 'properties/1001', requestBody })).data
  const rows = []
  for (let offset = 0; offset < whole.rowCount; offset += 100) {
    const page = (await property.runReport({ property: 'properties/1001', requestBody: { ...requestBody, limit: '100', offset: String(offset) } })).data
    results[`answer from ${offset} on`] = wrong(data, page, 'Schema$RunReportResponse', 'answer')
    rows.push(...page.rows)
  }
  results['its pages'] = JSON.stringify(rows) === JSON.stringify(whole.rows) && rows.length === whole.rowCount && rows.length > 200 ? '' : 'are not the whole'
  results['a refusal'] = await property.runReport({ property: 'properties/4711', requestBody }).then(() => 'there is none', (error) => (Number(error.code) === 403 && /permissions/.test(error.message) ? '' : `${error.code} ${error.message}`))

  const reports = analyticsreporting({ version: 'v4', auth: client, rootUrl: `${base}/` }).reports
  const request = { viewId: '9001', dateRanges: requestBody.dateRanges, dimensions: [{ name: 'ga:date' }, { name: 'ga:city' }], metrics: [{ expression: 'ga:users' }], pageSize: 100 }
  const found = []
  let pageToken
  do {
    const answer = (await reports.batchGet({ requestBody: { reportRequests: [{ ...request, ...(pageToken ? { pageToken } : {}) }] } })).data
    results[`answer of a view at ${pageToken || 0}`] = wrong(reporting, answer, 'Schema$GetReportsResponse', 'answer')
    found.push(...answer.reports[0].data.rows)
    pageToken = answer.reports[0].nextPageToken
    if (!pageToken) results["a view's pages"] = found.length === answer.reports[0].data.rowCount && found.length > 200 ? '' : 'are not the whole'
  } while (pageToken)
  console.log(JSON.stringify(results))
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
