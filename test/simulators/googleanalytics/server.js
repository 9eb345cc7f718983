// Google Analytics: the Data API v1beta and the Admin API's account summaries (GA4), the Reporting API v4 and the
// Management API v3 with its metadata (Universal Analytics), and Google's token endpoint; all at one address.
//
//   node server.js        prints "ready PORT"
//
// The client planted-client / planted-client-secret has the refresh token planted-refresh; access tokens are good until /control/expire, and
// planted-google (or ya29.a0 with 1//04) is one from the beginning. See ../rest/service.js. /control/seed {"events": n, "from": date, "properties": n, "views": n}.
// /control/set: max (rows of a page), today, other, thresholds, sampled, restricted, grow (rows added after each page), off (views are switched off), limited (the next requests of the Management API are too many, for a reason),
// disabled (the Admin API is), swap (columns in another order).
//
// Requests are held against Google's own types: what they do not have is refused, as Google does.

'use strict'

const { Service } = require('../rest/service')
const { event, report, sort, day } = require('./facts')
const { views } = require('./views')

const failed = (code, status, message, more) => ({ status: code, body: { error: { code, message, status, ...more } } })
const invalid = (message) => failed(400, 'INVALID_ARGUMENT', message)

class Refusal extends Error {}
function refuse(message) {
  throw new Refusal(message)
}

const dimensions = ['date', 'dateHour', 'dateHourMinute', 'country', 'city', 'deviceCategory', 'eventName', 'pagePath', 'sessionSource', 'browser', 'language', 'operatingSystem', 'customEvent:plan', 'customEvent:serial']
const metrics = {
  activeUsers: ['users', 'TYPE_INTEGER'], totalUsers: ['users', 'TYPE_INTEGER'], newUsers: ['users', 'TYPE_INTEGER'], sessions: ['sessions', 'TYPE_INTEGER'],
  eventCount: ['events', 'TYPE_INTEGER'], screenPageViews: ['views', 'TYPE_INTEGER'], totalRevenue: ['revenue', 'TYPE_CURRENCY'], purchaseRevenue: ['revenue', 'TYPE_CURRENCY'],
  averageSessionDuration: ['seconds', 'TYPE_SECONDS'], engagementRate: ['share', 'TYPE_FLOAT'], bounceRate: ['share', 'TYPE_FLOAT'], engagedSessions: ['sessions', 'TYPE_INTEGER'],
  advertiserAdCost: ['revenue', 'TYPE_CURRENCY']
}

// an object that has no members but these
function members(value, names, what) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) refuse(`Invalid value at '${what}'`)
  const unknown = Object.keys(value).find((name) => !names.includes(name))
  if (unknown) refuse(`Invalid JSON payload received. Unknown name "${unknown}" at '${what}': Cannot find field.`)
  return value
}
function one(value, names, what) {
  members(value, [...names], what)
  const keys = Object.keys(value)
  if (keys.length !== 1) refuse(`Invalid value at '${what}' (oneof), oneof field is already set`)
  return keys[0]
}
function list(value, what) {
  if (value === undefined) return []
  if (!Array.isArray(value)) refuse(`Invalid value at '${what}'`)
  return value
}
const int64 = (value) => typeof value === 'string' && /^-?\d+$/.test(value)

function numeric(value, what) {
  const kind = one(value, ['int64Value', 'doubleValue'], what)
  if (kind === 'int64Value' ? !int64(value.int64Value) : typeof value.doubleValue !== 'number') refuse(`Invalid value at '${what}.${kind}' (TYPE_${kind === 'int64Value' ? 'INT64' : 'DOUBLE'})`)
  return Number(value[kind])
}

const operations = { EQUAL: (a, b) => a === b, LESS_THAN: (a, b) => a < b, LESS_THAN_OR_EQUAL: (a, b) => a <= b, GREATER_THAN: (a, b) => a > b, GREATER_THAN_OR_EQUAL: (a, b) => a >= b }
const matches = {
  EXACT: (a, b) => a === b, BEGINS_WITH: (a, b) => a.startsWith(b), ENDS_WITH: (a, b) => a.endsWith(b), CONTAINS: (a, b) => a.includes(b),
  FULL_REGEXP: (a, b) => new RegExp(`^(?:${b})$`).test(a), PARTIAL_REGEXP: (a, b) => new RegExp(b).test(a)
}

// a FilterExpression as a predicate of a name's value; names are those that it may have
function predicate(expression, names, kind, what) {
  const key = one(expression, ['andGroup', 'orGroup', 'notExpression', 'filter'], what)
  if (key === 'notExpression') {
    const inner = predicate(expression[key], names, kind, `${what}.not_expression`)
    return (of) => !inner(of)
  }
  if (key !== 'filter') {
    const parts = list(members(expression[key], ['expressions'], what).expressions, what).map((part) => predicate(part, names, kind, `${what}.${key}`))
    if (parts.length === 0) refuse(`${key} must have expressions`)
    return key === 'andGroup' ? (of) => parts.every((part) => part(of)) : (of) => parts.some((part) => part(of))
  }
  const { fieldName, ...rest } = members(expression.filter, ['fieldName', 'stringFilter', 'inListFilter', 'numericFilter', 'betweenFilter', 'emptyFilter'], `${what}.filter`)
  if (!names.includes(fieldName)) refuse(`Field ${fieldName} is not a valid ${kind}. For a list of valid dimensions and metrics, see https://developers.google.com/analytics/devguides/reporting/data/v1/api-schema`)
  const type = one(rest, ['stringFilter', 'inListFilter', 'numericFilter', 'betweenFilter', 'emptyFilter'], `${what}.filter`)
  if ((kind === 'metric') !== (type === 'numericFilter' || type === 'betweenFilter')) refuse(`A ${type} cannot be used with the ${kind} ${fieldName}`)
  if (type === 'numericFilter') {
    const { operation, value } = members(rest.numericFilter, ['operation', 'value'], what)
    const number = numeric(value, `${what}.value`)
    if (!operations[operation]) refuse(`Invalid value at '${what}.operation' (TYPE_ENUM), "${operation}"`)
    return (of) => operations[operation](of(fieldName), number)
  }
  if (type === 'betweenFilter') {
    const { fromValue, toValue } = members(rest.betweenFilter, ['fromValue', 'toValue'], what)
    const [from, to] = [numeric(fromValue, what), numeric(toValue, what)]
    return (of) => of(fieldName) >= from && of(fieldName) <= to
  }
  if (type === 'inListFilter') {
    const { values, caseSensitive } = members(rest.inListFilter, ['values', 'caseSensitive'], what)
    if (list(values, what).length === 0) refuse('inListFilter must have values')
    const folded = values.map((value) => (caseSensitive ? value : value.toLowerCase()))
    return (of) => folded.includes(caseSensitive ? of(fieldName) : of(fieldName).toLowerCase())
  }
  if (type === 'emptyFilter') return (of) => of(fieldName) === '' || of(fieldName) === '(not set)'
  const { matchType = 'MATCH_TYPE_UNSPECIFIED', value, caseSensitive } = members(rest.stringFilter, ['matchType', 'value', 'caseSensitive'], what)
  if (!matches[matchType]) refuse(`Invalid value at '${what}.match_type' (TYPE_ENUM), "${matchType}"`)
  if (typeof value !== 'string' || value === '') refuse('stringFilter must have a value')
  return (of) => (caseSensitive ? matches[matchType](of(fieldName), value) : matches[matchType](of(fieldName).toLowerCase(), value.toLowerCase()))
}

class Google {
  constructor() {
    this.settings = {}
    this.tokens = new Set(['planted-google', 'ya29.a0'])
    this.issued = 0
    this.events = []
    this.first = Date.UTC(2024, 0, 1)
    this.properties = 3
    this.views = 2
  }

  expire() {
    this.tokens.clear()
  }

  seed(what) {
    if (what.from !== undefined) this.first = Date.parse(what.from)
    if (what.events !== undefined) this.events = Array.from({ length: what.events }, (_, n) => event(n, this.first))
    if (what.properties !== undefined) this.properties = what.properties
    if (what.views !== undefined) this.views = what.views
    return {}
  }

  records() {
    return this.events
  }

  throttled() {
    return failed(429, 'RESOURCE_EXHAUSTED', 'Exhausted concurrent requests quota. Please finish your current requests before sending new requests. To learn more, see https://developers.google.com/analytics/devguides/reporting/data/v1/quotas')
  }

  token(request) {
    const form = new URLSearchParams(request.body)
    if (request.method !== 'POST' || !(request.headers['content-type'] || '').startsWith('application/x-www-form-urlencoded')) return { status: 404, text: 'Not Found' }
    if (form.get('client_id') !== 'planted-client' || form.get('client_secret') !== 'planted-client-secret') return { status: 401, body: { error: 'invalid_client', error_description: 'The OAuth client was not found.' } }
    if (form.get('grant_type') !== 'refresh_token') return { status: 400, body: { error: 'unsupported_grant_type', error_description: `Invalid grant_type: ${form.get('grant_type')}` } }
    if (form.get('refresh_token') !== 'planted-refresh') return { status: 400, body: { error: 'invalid_grant', error_description: 'Token has been expired or revoked.' } }
    const access = `planted-access-${++this.issued}`
    this.tokens.add(access)
    return { status: 200, body: { access_token: access, expires_in: 3599, scope: 'https://www.googleapis.com/auth/analytics.readonly', token_type: 'Bearer' } }
  }

  async handle(request) {
    if (request.path === '/token') return this.token(request)
    const bearer = /^Bearer (\S+)$/.exec(request.headers.authorization || '')
    if (!bearer || !this.tokens.has(bearer[1])) return failed(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.')
    try {
      return this.route(request)
    } catch (error) {
      if (error instanceof Refusal) return invalid(error.message)
      throw error
    }
  }

  route(request) {
    const { method, path } = request
    const of = /^\/v1beta\/properties\/(\d+)(\/metadata|:runReport)$/.exec(path)
    if (path === '/v1beta/accountSummaries' && method === 'GET') return this.summaries(request.query)
    if (of && method === (of[2] === '/metadata' ? 'GET' : 'POST')) {
      const number = Number(of[1]) - 1000
      if (number < 1 || number > this.properties) return failed(403, 'PERMISSION_DENIED', 'User does not have sufficient permissions for this property. To learn more about Property ID, see https://developers.google.com/analytics/devguides/reporting/data/v1/property-id.')
      return of[2] === '/metadata' ? this.metadata(of[1]) : this.run(this.json(request))
    }
    const answer = this.settings.off ? null : views(this, request, { failed, refuse, members, list, json: () => this.json(request) })
    return answer || { status: 404, headers: { 'Content-Type': 'text/html; charset=UTF-8' }, text: '<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title><p>The requested URL was not found on this server.' }
  }

  json(request) {
    if (!(request.headers['content-type'] || '').startsWith('application/json')) refuse('Invalid JSON payload received. Unexpected token.')
    try {
      return request.json()
    } catch {
      return refuse('Invalid JSON payload received. Unexpected token.')
    }
  }

  summaries(query) {
    if (this.settings.disabled) return failed(403, 'PERMISSION_DENIED', 'Google Analytics Admin API has not been used in project 123 before or it is disabled.', { details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'SERVICE_DISABLED', domain: 'googleapis.com' }] })
    const size = Math.min(Number(query.get('pageSize') || 50), 200)
    const at = query.has('pageToken') ? Number(query.get('pageToken').replace('page-', '')) : 0
    if (!(size >= 1) || !(at >= 0)) return invalid('Invalid page')
    // accounts are what is counted; each has three properties
    const accounts = []
    for (let n = 0; n < this.properties; n += 3) accounts.push({ name: `accountSummaries/${n + 1}`, account: `accounts/${n + 1}`, displayName: `Account ${n + 1}`, propertySummaries: Array.from({ length: Math.min(3, this.properties - n) }, (_, i) => ({ property: `properties/${1001 + n + i}`, displayName: `Größe ${n + i + 1}`, propertyType: 'PROPERTY_TYPE_ORDINARY', parent: `accounts/${n + 1}` })) })
    const part = accounts.slice(at, at + size)
    return { status: 200, body: { accountSummaries: part, ...(at + size < accounts.length ? { nextPageToken: `page-${at + size}` } : {}) } }
  }

  metadata(id) {
    return {
      status: 200,
      body: {
        name: `properties/${id}/metadata`,
        dimensions: dimensions.map((apiName) => ({ apiName, uiName: `The ${apiName}`, description: `What ${apiName} is.`, category: 'Other', ...(apiName.includes(':') ? { customDefinition: true } : {}) })),
        metrics: Object.entries(metrics).map(([apiName, [, type]]) => ({ apiName, uiName: `The ${apiName}`, description: `What ${apiName} counts.`, type, category: 'Other', ...(apiName === 'advertiserAdCost' ? { blockedReasons: ['NO_COST_METRICS'] } : {}) })),
        comparisons: []
      }
    }
  }

  // the days of a request's only date range
  range(ranges) {
    if (ranges.length !== 1) refuse(ranges.length === 0 ? 'dateRanges must be specified' : 'only one date range is known here')
    const { startDate, endDate } = members(ranges[0], ['startDate', 'endDate', 'name'], 'date_ranges[0]')
    const [from, to] = [day(startDate, this.today()), day(endDate, this.today())]
    if (from === null || to === null) refuse(`Invalid startDate or endDate: ${startDate}, ${endDate}. Dates are YYYY-MM-DD, NdaysAgo, yesterday or today`)
    if (from > to) refuse(`startDate ${startDate} cannot be after endDate ${endDate}`)
    return [from, to]
  }

  today() {
    return this.settings.today || '2024-02-29'
  }

  run(body) {
    const known = ['dimensions', 'metrics', 'dateRanges', 'dimensionFilter', 'metricFilter', 'offset', 'limit', 'orderBys', 'currencyCode', 'keepEmptyRows', 'returnPropertyQuota', 'metricAggregations', 'cohortSpec', 'comparisons', 'property']
    members(body, known, 'run_report_request')
    const asked = list(body.dimensions, 'dimensions').map((entry) => members(entry, ['name', 'dimensionExpression'], 'dimensions').name)
    const counted = list(body.metrics, 'metrics').map((entry) => members(entry, ['name', 'expression', 'invisible'], 'metrics').name)
    for (const [names, known, kind] of [[asked, dimensions, 'dimension'], [counted, Object.keys(metrics), 'metric']]) {
      const unknown = names.find((name) => !known.includes(name))
      if (unknown !== undefined) refuse(`Field ${unknown} is not a valid ${kind}. For a list of valid dimensions and metrics, see https://developers.google.com/analytics/devguides/reporting/data/v1/api-schema`)
      if (new Set(names).size !== names.length) refuse(`Duplicate ${kind} names`)
    }
    if (asked.length > 9) refuse('Requests are limited to 9 dimensions within a nested request.')
    if (counted.length > 10) refuse('Requests are limited to 10 metrics within a nested request.')
    if (asked.length + counted.length === 0) refuse('Requests must have at least one dimension or metric')
    const [from, to] = this.range(list(body.dateRanges, 'date_ranges'))
    const limit = body.limit === undefined ? 10000 : int64(body.limit) ? Number(body.limit) : NaN
    const offset = body.offset === undefined ? 0 : int64(body.offset) ? Number(body.offset) : NaN
    if (!(limit > 0)) refuse('limit must be positive')
    if (!(offset >= 0)) refuse('offset must not be negative')
    const keep = body.dimensionFilter === undefined ? () => true : predicate(body.dimensionFilter, dimensions, 'dimension', 'dimension_filter')
    const having = body.metricFilter === undefined ? () => true : predicate(body.metricFilter, Object.keys(metrics), 'metric', 'metric_filter')
    const order = list(body.orderBys, 'order_bys').map((entry) => {
      const { desc = false, ...by } = members(entry, ['desc', 'dimension', 'metric', 'pivot'], 'order_bys')
      const kind = one(by, ['dimension', 'metric'], 'order_bys')
      const name = kind === 'dimension' ? members(by.dimension, ['dimensionName', 'orderType'], 'order_bys').dimensionName : members(by.metric, ['metricName'], 'order_bys').metricName
      const index = (kind === 'dimension' ? asked : counted).indexOf(name)
      if (index < 0) refuse(`Ordering by ${name} requires it to be in the request`)
      if (kind === 'dimension' && by.dimension.orderType !== 'ALPHANUMERIC') refuse(`orderType ${by.dimension.orderType} is not known here`)
      return { [kind]: index, desc }
    })

    // of a metric that only filters there is a value too, but no column
    const filtered = Object.keys(metrics).filter((name) => !counted.includes(name) && JSON.stringify(body.metricFilter || '').includes(`"${name}"`))
    if (filtered.length > 0) refuse(`Metric ${filtered[0]} of the metric filter is not in the request`)
    let rows = report(this.events, asked, counted.map((name) => metrics[name][0]), (e) => e.date >= from && e.date <= to && keep((name) => e[name]), body.keepEmptyRows === true)
    rows = rows.filter((row) => having((name) => row.metrics[counted.indexOf(name)]))
    sort(rows, order)
    const part = rows.slice(offset, offset + Math.min(limit, this.settings.max || 250000))
    const metadata = { currencyCode: 'EUR', timeZone: 'Europe/Oslo' }
    if (this.settings.other) metadata.dataLossFromOtherRow = true
    if (this.settings.thresholds) metadata.subjectToThresholding = true
    if (this.settings.sampled) metadata.samplingMetadatas = [{ samplesReadCount: '1000', samplingSpaceSize: '4000' }]
    if (this.settings.restricted) metadata.schemaRestrictionResponse = { activeMetricRestrictions: [{ metricName: counted[0], restrictedMetricTypes: ['COST_DATA'] }] }
    for (let n = 0; n < (this.settings.grow || 0); n++) this.events.push(event(this.events.length, this.first))
    return {
      status: 200,
      body: {
        ...(asked.length > 0 ? { dimensionHeaders: (this.settings.swap ? [...asked].reverse() : asked).map((name) => ({ name })) } : {}),
        ...(counted.length > 0 ? { metricHeaders: counted.map((name) => ({ name, type: metrics[name][1] })) } : {}),
        ...(part.length > 0 ? { rows: part.map((row) => ({ ...(asked.length > 0 ? { dimensionValues: row.dimensions.map((value) => ({ value })) } : {}), ...(counted.length > 0 ? { metricValues: row.metrics.map((value) => ({ value: String(value) })) } : {}) })) } : {}),
        ...(rows.length > 0 ? { rowCount: rows.length } : {}),
        metadata,
        kind: 'analyticsData#runReport'
      }
    }
  }
}

if (require.main === module) new Service(new Google()).start()
module.exports = { Google }
