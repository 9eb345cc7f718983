// Universal Analytics: views, the columns that they have, and reports of them by the Reporting API v4.

'use strict'

const { report, sort } = require('./facts')

const dimensions = { 'ga:date': 'date', 'ga:dateHour': 'dateHour', 'ga:country': 'country', 'ga:city': 'city', 'ga:deviceCategory': 'deviceCategory', 'ga:pagePath': 'pagePath', 'ga:source': 'sessionSource', 'ga:browser': 'browser', 'ga:language': 'language', 'ga:operatingSystem': 'operatingSystem', 'ga:dimension1': 'customEvent:plan', 'ga:dimension2': 'customEvent:serial' }
const metrics = { 'ga:users': ['users', 'INTEGER'], 'ga:newUsers': ['users', 'INTEGER'], 'ga:sessions': ['sessions', 'INTEGER'], 'ga:hits': ['events', 'INTEGER'], 'ga:pageviews': ['views', 'INTEGER'], 'ga:avgSessionDuration': ['seconds', 'TIME'], 'ga:bounceRate': ['share', 'PERCENT'], 'ga:transactionRevenue': ['revenue', 'CURRENCY'], 'ga:goal1Starts': ['views', 'INTEGER'], 'ga:goal2Starts': ['views', 'INTEGER'] }

const comparisons = { EQUAL: (a, b) => a === b, LESS_THAN: (a, b) => a < b, GREATER_THAN: (a, b) => a > b }
const matches = {
  EXACT: (a, b) => a === b[0], BEGINS_WITH: (a, b) => a.startsWith(b[0]), ENDS_WITH: (a, b) => a.endsWith(b[0]), PARTIAL: (a, b) => a.includes(b[0]),
  REGEXP: (a, b) => new RegExp(b[0]).test(a), IN_LIST: (a, b) => b.includes(a)
}

function columns() {
  const column = (id, attributes) => ({ id, kind: 'analytics#column', attributes: { group: 'Any', status: 'PUBLIC', uiName: `The ${id.slice(3)}`, description: `What ${id} is.`, ...attributes } })
  const items = Object.keys(dimensions).filter((id) => !id.startsWith('ga:dimension')).map((id) => column(id, { type: 'DIMENSION', dataType: 'STRING' }))
  items.push(column('ga:dimensionXX', { type: 'DIMENSION', dataType: 'STRING', uiName: 'Custom Dimension XX', minTemplateIndex: '1', maxTemplateIndex: '20', premiumMinTemplateIndex: '1', premiumMaxTemplateIndex: '200' }))
  items.push(...Object.entries(metrics).filter(([id]) => !id.startsWith('ga:goal')).map(([id, [, dataType]]) => column(id, { type: 'METRIC', dataType })))
  items.push(column('ga:goalXXStarts', { type: 'METRIC', dataType: 'INTEGER', uiName: 'Goal XX Starts', minTemplateIndex: '1', maxTemplateIndex: '20' }))
  return { kind: 'analytics#columns', etag: '"e"', totalResults: items.length, attributeNames: ['uiName', 'type', 'dataType', 'group', 'status', 'description'], items }
}

function summaries(google, query) {
  const start = Number(query.get('start-index') || 1)
  const size = Math.min(Number(query.get('max-results') || 1000), google.settings.viewPage || 1000)
  const accounts = Array.from({ length: google.views }, (_, n) => ({
    id: String(n + 1), kind: 'analytics#accountSummary', name: `Old account ${n + 1}`,
    webProperties: [{ kind: 'analytics#webPropertySummary', id: `UA-${n + 1}-1`, name: 'Site', internalWebPropertyId: '7', level: 'STANDARD', websiteUrl: 'https://www.example.com', profiles: [{ kind: 'analytics#profileSummary', id: String(9001 + n), name: 'All data', type: 'WEB' }] }]
  }))
  const part = accounts.slice(start - 1, start - 1 + size)
  return { kind: 'analytics#accountSummaries', username: 'me@example.com', totalResults: accounts.length, startIndex: start, itemsPerPage: size, ...(start - 1 + size < accounts.length ? { nextLink: 'https://www.googleapis.com/analytics/v3/management/accountSummaries' } : {}), items: part }
}

// clauses that must all be satisfied, as a predicate of a name's value
function clauses(given, tools, known, kind) {
  const key = kind === 'dimension' ? 'dimensionName' : 'metricName'
  const all = tools.list(given, `${kind}_filter_clauses`).map((clause) => {
    const { operator = 'OR', filters } = tools.members(clause, ['operator', 'filters'], `${kind}_filter_clauses`)
    if (operator !== 'AND' && operator !== 'OR') tools.refuse(`Invalid value at '${kind}_filter_clauses.operator' (TYPE_ENUM), "${operator}"`)
    const parts = tools.list(filters, 'filters').map((filter) => {
      tools.members(filter, kind === 'dimension' ? [key, 'not', 'operator', 'expressions', 'caseSensitive'] : [key, 'not', 'operator', 'comparisonValue'], 'filters')
      const name = filter[key]
      if (!known.includes(name)) tools.refuse(`Selected dimensions and metrics cannot be queried together: unknown ${kind}(s): ${name}`)
      let test
      if (kind === 'dimension') {
        const match = matches[filter.operator || 'REGEXP']
        if (!match || tools.list(filter.expressions, 'expressions').length === 0) tools.refuse('Invalid dimension filter')
        const fold = (text) => (filter.caseSensitive ? text : text.toLowerCase())
        test = (of) => match(fold(of(name)), filter.expressions.map(fold))
      } else {
        const compare = comparisons[filter.operator || 'EQUAL']
        if (!compare || typeof filter.comparisonValue !== 'string' || Number.isNaN(Number(filter.comparisonValue))) tools.refuse('Invalid metric filter')
        test = (of) => compare(of(name), Number(filter.comparisonValue))
      }
      return filter.not ? (of) => !test(of) : test
    })
    if (parts.length === 0) tools.refuse('a filter clause must have filters')
    return operator === 'AND' ? (of) => parts.every((part) => part(of)) : (of) => parts.some((part) => part(of))
  })
  return (of) => all.every((part) => part(of))
}

function one(google, request, tools) {
  const { refuse, members, list } = tools
  members(request, ['viewId', 'dateRanges', 'dimensions', 'metrics', 'dimensionFilterClauses', 'metricFilterClauses', 'filtersExpression', 'orderBys', 'segments', 'pivots', 'cohortGroup', 'samplingLevel', 'pageSize', 'pageToken', 'includeEmptyRows', 'hideTotals', 'hideValueRanges'], 'report_requests[0]')
  const asked = list(request.dimensions, 'dimensions').map((entry) => members(entry, ['name', 'histogramBuckets'], 'dimensions').name)
  const counted = list(request.metrics, 'metrics').map((entry) => members(entry, ['expression', 'alias', 'formattingType'], 'metrics').expression)
  const unknown = asked.find((name) => !dimensions[name]) || counted.find((name) => !metrics[name])
  if (unknown) refuse(`Unknown dimension(s) or metric(s): ${unknown}. For details see https://developers.google.com/analytics/devguides/reporting/core/dimsmets.`)
  if (asked.length > 9) refuse('Too many dimensions: a maximum of 9 are allowed')
  if (counted.length > 10) refuse('Too many metrics: a maximum of 10 are allowed')
  if (counted.length === 0) refuse('Requests must specify at least one metric')
  const [from, to] = google.range(list(request.dateRanges, 'date_ranges'))
  const size = request.pageSize === undefined ? 1000 : request.pageSize
  if (!Number.isInteger(size) || size < 0) refuse("Invalid value at 'page_size' (TYPE_INT32)")
  const offset = request.pageToken === undefined ? 0 : /^\d+$/.test(request.pageToken) ? Number(request.pageToken) : refuse('Invalid page token')
  const filtered = Object.keys(metrics).find((name) => !counted.includes(name) && JSON.stringify(request.metricFilterClauses || '').includes(`"${name}"`))
  if (filtered) refuse(`Metric ${filtered} of the metric filter is not in the request`)
  const keep = clauses(request.dimensionFilterClauses, tools, Object.keys(dimensions), 'dimension')
  const having = clauses(request.metricFilterClauses, tools, Object.keys(metrics), 'metric')
  const order = list(request.orderBys, 'order_bys').map((entry) => {
    const { fieldName, orderType = 'VALUE', sortOrder = 'ASCENDING' } = members(entry, ['fieldName', 'orderType', 'sortOrder'], 'order_bys')
    if (orderType !== 'VALUE' || !['ASCENDING', 'DESCENDING'].includes(sortOrder)) refuse('Invalid order')
    if (!asked.includes(fieldName) && !counted.includes(fieldName)) refuse(`Unknown or invalid sort key: ${fieldName}`)
    return { ...(asked.includes(fieldName) ? { dimension: asked.indexOf(fieldName) } : { metric: counted.indexOf(fieldName) }), desc: sortOrder === 'DESCENDING' }
  })
  let rows = report(google.events, asked.map((name) => dimensions[name]), counted.map((name) => metrics[name][0]), (e) => e.date >= from && e.date <= to && keep((name) => e[dimensions[name]]), request.includeEmptyRows === true)
  rows = rows.filter((row) => having((name) => row.metrics[counted.indexOf(name)]))
  sort(rows, order)
  const part = rows.slice(offset, offset + Math.min(size, google.settings.max || 100000))
  const next = offset + part.length < rows.length ? String(offset + part.length) : undefined
  return {
    columnHeader: { ...(asked.length > 0 ? { dimensions: asked } : {}), metricHeader: { metricHeaderEntries: counted.map((name) => ({ name, type: metrics[name][1] })) } },
    data: {
      ...(part.length > 0 ? { rows: part.map((row) => ({ ...(asked.length > 0 ? { dimensions: row.dimensions } : {}), metrics: [{ values: row.metrics.map(String) }] })) } : {}),
      ...(rows.length > 0 ? { rowCount: rows.length } : {}),
      isDataGolden: true,
      ...(google.settings.sampled ? { samplesReadCounts: ['1000'], samplingSpaceSizes: ['4000'] } : {})
    },
    ...(next ? { nextPageToken: google.settings.stuck ? '0' : next } : {})
  }
}

// the answer to a request of Universal Analytics; undefined: it is none
function views(google, request, tools) {
  const { method, path, query } = request
  if (path.startsWith('/analytics/v3/') && google.settings.limited > 0) {
    google.settings.limited--
    const message = 'User Rate Limit Exceeded'
    return { status: 403, body: { error: { errors: [{ domain: 'usageLimits', reason: google.settings.reason || 'userRateLimitExceeded', message }], code: 403, message } } }
  }
  if (path === '/analytics/v3/management/accountSummaries' && method === 'GET') return { status: 200, body: summaries(google, query) }
  if (path === '/analytics/v3/metadata/ga/columns' && method === 'GET') return { status: 200, body: columns() }
  if (path !== '/v4/reports:batchGet' || method !== 'POST') return undefined
  const body = tools.members(tools.json(), ['reportRequests', 'useResourceQuotas'], 'get_reports_request')
  const requests = tools.list(body.reportRequests, 'report_requests')
  if (requests.length < 1 || requests.length > 5) tools.refuse('There can be a maximum of 5 requests')
  if (requests.some(({ viewId }) => !(Number(viewId) > 9000 && Number(viewId) <= 9000 + google.views))) return tools.failed(403, 'PERMISSION_DENIED', 'User does not have sufficient permissions for this profile.')
  return { status: 200, body: { reports: requests.map((one_request) => one(google, one_request, tools)), queryCost: 1 } }
}

module.exports = { views }
