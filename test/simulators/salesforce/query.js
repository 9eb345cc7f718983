// query.js
//	REST: /query and /queryAll with their pages.
//
//	A query's result stays as it was when it was asked for, its pages hold up to 2,000
//	records, fewer where records are wide, and only the user's ten newest are kept.

'use strict'

const { parse, run, render } = require('./soql.js')

exports.install = ({ routes, control, org, state }) => {
  const cursors = new Map()
  let number = 0
  state.pageSize = null // what tests set

  function batchSize (context) {
    const match = /batchSize=(\d+)/.exec(context.request.headers['sforce-query-options'] || '')
    const size = match ? Math.min(2000, Math.max(200, Number(match[1]))) : 2000
    return state.pageSize || size
  }

  function page (context, id, from) {
    const cursor = cursors.get(id)
    const to = Math.min(from + cursor.size, cursor.records.length)
    const done = to === cursor.records.length
    const answer = { totalSize: cursor.records.length, done }
    if (!done) answer.nextRecordsUrl = `/services/data/v${context.version}/query/${id}-${to}`
    answer.records = cursor.records.slice(from, to).map((r) => render(cursor.query, r, org, context.version))
    context.json(200, answer)
  }

  const query = (deleted) => (context) => {
    const text = context.url.searchParams.get('q')
    if (!text) return context.error(400, 'MALFORMED_QUERY', 'A query string has to be specified')
    const parsed = parse(text, org, { deleted })
    const result = run(parsed, org)
    if (result.count !== undefined) return context.json(200, { totalSize: state.countAs ?? result.count, done: true, records: [] })
    if (result.groups) return context.json(200, { totalSize: result.groups.length, done: true, records: result.groups })
    const id = `01g5g00000${String(++number).padStart(5, '0')}AAA`
    cursors.set(id, { query: parsed, records: result.records, size: batchSize(context) })
    if (cursors.size > 10) cursors.delete(cursors.keys().next().value)
    page(context, id, 0)
  }

  function more (context) {
    const [, id, from] = context.match
    if (!cursors.has(id) || Number(from) >= cursors.get(id).records.length) return context.error(400, 'INVALID_QUERY_LOCATOR', 'invalid query locator')
    page(context, id, Number(from))
  }

  routes.push(['GET', /^\/query\/?$/, query(false)], ['GET', /^\/queryAll\/?$/, query(true)], ['GET', /^\/query(?:All)?\/(\w+)-(\d+)$/, more])
  control['forget-cursors'] = () => { cursors.clear(); return true }
}
