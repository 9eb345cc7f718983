// Singular's Reporting API v2.0: asynchronous reports, what can be asked for, and the object store that reports lie in.
//
//   node server.js        prints "ready PORT"
//
// The API key planted-singular (or k1) is good until /control/expire. See ../rest/service.js. /control/seed {"days": n, "from": date} makes facts of n days
// from that on, or 2024-01-01. /control/set: polls (questions until a report is done), fail (the next reports that do), stale (the next URLs that are not good any
// more), refuse (the next answers that are an error with status 200), cap (records of a report), named (own dimensions come by their names for people).

'use strict'

const crypto = require('node:crypto')
const { Service } = require('../rest/service')

const DAY = 86400000
const iso = (ms) => new Date(ms).toISOString().slice(0, 10)
const dimensions = ['app', 'source', 'os', 'platform', 'country_field', 'adn_campaign_id', 'adn_campaign_name', 'adn_sub_campaign_name', 'keyword', 'publisher_id', 'adn_creative_name']
const custom = { '8e10d3891cba7051a76062541641325b': 'Incentivized', '430164a52cdb2b9dff48b06a080a3d3f': 'Team. North' }
const metrics = ['adn_cost', 'adn_impressions', 'custom_clicks', 'custom_installs', 'ctr', 'cvr', 'ecpi']
const discrepancies = ['adn_clicks', 'adn_installs', 'tracker_clicks', 'tracker_installs']
const cohorts = { revenue: 'Revenue', roi: 'ROI', retained_users: 'Retained users' }
const periods = ['1d', '7d', '30d', 'actual']

// values by their names in filters and for people
const values = {
  os: [[1, 'iOS'], [4, 'Android']],
  source: [['adwords', 'AdWords'], ['facebook', 'Facebook'], ['applovin', 'AppLovin "X"']],
  app: [['app-1', 'Größe'], ['app-2', 'Second']],
  country_field: [['DEU', 'DEU'], ['NOR', 'NOR']]
}

const shown = (dimension, i) => values[dimension][i % values[dimension].length][1]

// what was on the nth day from start on: 24 facts
function facts(day, start) {
  const made = []
  for (let n = 0; n < 24; n++) {
    const k = day * 24 + n
    made.push({
      day: start + day * DAY, app: shown('app', n), source: shown('source', n >> 1), os: shown('os', n >> 2), platform: shown('os', n >> 2), country_field: shown('country_field', n >> 3),
      adn_campaign_id: `c${n % 5}`, adn_campaign_name: `Campaign ${n % 5}`, adn_sub_campaign_name: `s${n % 3}`, keyword: `k${n}`, publisher_id: '', adn_creative_name: `v${n}`,
      '8e10d3891cba7051a76062541641325b': n % 2 ? 'Yes' : 'No', '430164a52cdb2b9dff48b06a080a3d3f': `Team ${n % 3}`,
      cost: (k % 17) / 4, impressions: k % 7 === 0 ? 0 : (k % 101) * 10, clicks: k % 13, installs: k % 5, revenue: (k % 11) / 2
    })
  }
  return made
}

function sums(list) {
  const total = { cost: 0, impressions: 0, clicks: 0, installs: 0, revenue: 0 }
  for (const fact of list) for (const key of Object.keys(total)) total[key] += fact[key]
  return {
    adn_cost: total.cost, adn_impressions: total.impressions, custom_clicks: total.clicks, custom_installs: total.installs,
    ctr: total.impressions ? total.clicks / total.impressions : 0, cvr: total.clicks ? total.installs / total.clicks : 0, ecpi: total.installs ? total.cost / total.installs : 0,
    adn_clicks: total.clicks, adn_installs: total.installs, tracker_clicks: total.clicks * 2, tracker_installs: total.installs * 2,
    ...Object.fromEntries(periods.flatMap((period, i) => [[`revenue_${period}`, total.revenue * (i + 1)], [`roi_${period}`, total.cost ? total.revenue * (i + 1) / total.cost : 0], [`retained_users_${period}`, total.installs]]))
  }
}

// the first day of the period that a day is in
function begin(ms, breakdown, window) {
  const date = new Date(ms)
  if (breakdown === 'all') return window.from
  if (breakdown === 'week') return Math.max(ms - ((date.getUTCDay() + 6) % 7) * DAY, window.from)
  if (breakdown === 'month') return Math.max(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1), window.from)
  return ms
}

class Refusal extends Error {}
const refuse = (message) => { throw new Refusal(message) }
const names = (text) => (text ? text.split(',') : [])
const day = (text) => (/^\d{4}-\d\d-\d\d$/.test(text || '') && iso(Date.parse(text)) === text ? Date.parse(text) : refuse(`Invalid date: ${text}`))

class Singular {
  constructor() {
    this.settings = {}
    this.keys = new Set(['planted-singular', 'k1'])
    this.days = []
    this.start = Date.UTC(2024, 0, 1)
    this.reports = new Map()
    this.secret = crypto.randomBytes(16)
  }

  expire() {
    this.keys.clear()
  }

  seed(what) {
    if (what.keys) this.keys = new Set(what.keys)
    if (what.from !== undefined) this.start = Date.parse(what.from)
    if (what.days !== undefined) this.days = Array.from({ length: what.days }, (_, n) => facts(n, this.start))
    return {}
  }

  records() {
    return this.days.flat().map((fact) => ({ ...fact, day: iso(fact.day) }))
  }

  throttled() {
    return { status: 429, headers: { 'Retry-After': '1' }, body: { status: 1, substatus: 15, value: 'Too many concurrent reports' } }
  }

  take(name) {
    if (!(this.settings[name] > 0)) return false
    this.settings[name]--
    return true
  }

  async handle(request) {
    const { method, path, query, headers } = request
    if (path.startsWith('/store/')) return this.download(request)
    if (query.has('api_key')) return { status: 400, body: { status: 1, substatus: 1, value: 'the key is not wanted in the URL here' } }
    if (!this.keys.has(headers.authorization)) return { status: 401, body: { status: 1, substatus: 2, value: 'API key is not valid' } }
    if (this.take('refuse')) return this.answer(null, 'Something is wrong with your API key quota')
    try {
      switch (`${method} ${path}`) {
        case 'POST /api/v2.0/create_async_report': return this.answer({ report_id: this.create(this.form(request)) })
        case 'GET /api/v2.0/get_report_status': return this.answer(this.status(request))
        case 'GET /api/custom_dimensions': return this.answer({ custom_dimensions: Object.entries(custom).map(([id, display_name]) => ({ id, display_name })) })
        case 'GET /api/cohort_metrics': return this.answer({ metrics: Object.entries(cohorts).map(([name, display_name]) => ({ name, display_name })), periods })
        case 'GET /api/v2.0/reporting/filters': return this.answer({ dimensions: Object.entries(values).map(([name, list]) => ({ name, display_name: `The ${name}`, values: list.map(([value, display_name]) => ({ name: value, display_name })) })) })
      }
    } catch (error) {
      if (error instanceof Refusal) return this.answer(null, error.message)
      throw error
    }
    return { status: 404, text: 'Not Found' }
  }

  answer(value, problem) {
    return { status: 200, body: problem === undefined ? { status: 0, substatus: 0, value } : { status: 1, substatus: 3, value: problem } }
  }

  form(request) {
    if (!(request.headers['content-type'] || '').startsWith('application/x-www-form-urlencoded')) refuse('the body is not a form')
    const form = new URLSearchParams(request.body)
    const known = ['start_date', 'end_date', 'dimensions', 'metrics', 'discrepancy_metrics', 'cohort_metrics', 'cohort_periods', 'time_breakdown', 'format', 'country_code_format', 'filters', 'display_alignment', 'source', 'app']
    const unknown = [...form.keys()].find((key, i, keys) => !known.includes(key) || keys.indexOf(key) !== i)
    if (unknown) refuse(`Unknown or repeated parameter: ${unknown}`)
    return form
  }

  create(form) {
    const window = { from: day(form.get('start_date')), to: day(form.get('end_date')) }
    if (window.from > window.to) refuse('start_date is after end_date')
    const breakdown = form.get('time_breakdown') || 'all'
    if (!['all', 'day', 'week', 'month'].includes(breakdown)) refuse(`Invalid time_breakdown: ${breakdown}`)
    if (!['json', 'csv'].includes(form.get('format'))) refuse('Invalid format')
    if (form.get('format') !== 'json') refuse('only json is made here')
    if (!['iso', 'iso3'].includes(form.get('country_code_format') || 'iso3')) refuse('Invalid country_code_format')
    const lists = [['dimensions', [...dimensions, ...Object.keys(custom)]], ['metrics', metrics], ['discrepancy_metrics', discrepancies], ['cohort_metrics', Object.keys(cohorts)], ['cohort_periods', periods]].map(([name, known]) => {
      const asked = names(form.get(name))
      const unknown = asked.find((entry) => !known.includes(entry))
      if (unknown !== undefined) refuse(`Invalid ${name}: ${unknown}`)
      if (new Set(asked).size !== asked.length) refuse(`Repeated ${name}`)
      return asked
    })
    const [asked, counted, discrepant, cohort, period] = lists
    if ((cohort.length === 0) !== (period.length === 0)) refuse('cohort_metrics must be used with cohort_periods')
    if (asked.length + counted.length + discrepant.length + cohort.length === 0) refuse('nothing is asked for')
    let keep = () => true
    if (form.has('filters')) {
      const filters = JSON.parse(form.get('filters'))
      if (!Array.isArray(filters) || filters.length === 0) refuse('Invalid filters')
      const tests = filters.map((filter) => {
        if (Object.keys(filter).sort().join() !== 'dimension,operator,values' || !values[filter.dimension] || !['in', 'not in'].includes(filter.operator)) refuse(`Invalid filter: ${JSON.stringify(filter)}`)
        // names of values, without regard to case; others match nothing
        const wanted = filter.values.map((value) => values[filter.dimension].find(([name]) => (typeof name === 'string' && typeof value === 'string' ? name.toLowerCase() === value.toLowerCase() : name === value))).filter(Boolean).map(([, name]) => name)
        return (fact) => wanted.includes(fact[filter.dimension]) === (filter.operator === 'in')
      })
      keep = (fact) => tests.every((test) => test(fact))
    }
    const groups = new Map()
    for (const fact of this.days.flat()) {
      if (fact.day < window.from || fact.day > window.to || !keep(fact)) continue
      const from = begin(fact.day, breakdown, window)
      const key = [from, ...asked.map((name) => fact[name])].join('\0')
      if (!groups.has(key)) groups.set(key, { from, facts: [] })
      groups.get(key).facts.push(fact)
    }
    const wanted = [...counted, ...discrepant, ...cohort.flatMap((name) => period.map((of) => `${name}_${of}`))]
    let rows = [...groups.values()].map(({ from, facts }) => {
      const row = { start_date: iso(from), end_date: iso(breakdown === 'all' ? window.to : Math.max(...facts.map((fact) => fact.day))) }
      for (const name of asked) row[this.settings.named && custom[name] ? custom[name] : name] = facts[0][name]
      const all = sums(facts)
      for (const name of wanted) if (all[name] !== 0) row[name] = all[name]
      return row
    })
    if (this.settings.cap > 0) rows = Array.from({ length: this.settings.cap }, (_, i) => rows[i % rows.length])
    const id = crypto.createHash('md5').update(`${this.reports.size}${form}`).digest('hex')
    this.reports.set(id, { polls: this.settings.polls || 0, failed: this.take('fail'), text: JSON.stringify({ results: rows }) })
    return id
  }

  sign(id, expires) {
    return crypto.createHmac('sha256', this.secret).update(`${id} ${expires}`).digest('hex')
  }

  status(request) {
    const id = request.query.get('report_id')
    const report = this.reports.get(id)
    if (!report) return refuse(`Report ${id} does not exist`)
    const told = { report_id: id }
    if (report.polls > 0) {
      report.polls--
      return { ...told, status: report.polls > 1 ? 'QUEUED' : 'STARTED' }
    }
    if (report.failed) return { ...told, status: 'FAILED', error_message: 'Internal timeout while making the report' }
    const expires = Math.floor(Date.now() / 1000) + (this.take('stale') ? -10 : 3600)
    return { ...told, status: 'DONE', url_expires_in: 3600, download_url: `${request.base.replace('127.0.0.1', 'localhost')}/store/${id}?X-Amz-Expires=${expires}&X-Amz-Signature=${this.sign(id, expires)}` }
  }

  // an object store refuses what is signed twice
  download(request) {
    const xml = (status, code, message) => ({ status, headers: { 'Content-Type': 'application/xml' }, text: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>` })
    const id = request.path.slice('/store/'.length)
    const expires = request.query.get('X-Amz-Expires')
    if (request.headers.authorization) return xml(400, 'InvalidArgument', 'Only one auth mechanism allowed')
    if (request.query.get('X-Amz-Signature') !== this.sign(id, expires)) return xml(403, 'SignatureDoesNotMatch', 'The request signature we calculated does not match the signature you provided.')
    if (Number(expires) < Date.now() / 1000) return xml(403, 'AccessDenied', 'Request has expired')
    return { status: 200, text: this.reports.get(id).text }
  }
}

new Service(new Singular()).start()
