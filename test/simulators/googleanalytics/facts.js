// What happened on a site: events with what they are counted by, and the grouping of them, which both APIs of
// Google Analytics share.

'use strict'

const DAY = 86400000
const places = [['Norway', 'Oslo'], ['Norway', 'Bergen'], ['Germany', 'Köln'], ['Germany', 'Berlin'], ['France', 'Paris'], ['France', 'paris'], ['(not set)', '(not set)']]
const pick = (n, list) => list[n % list.length]
const two = (n) => String(n).padStart(2, '0')

// the nth event, on one of 60 days from first on: a user of several days and cities, so that users do not add up
function event(n, first) {
  const at = new Date(first + (n % 60) * DAY + ((n * 7) % 1440) * 60000)
  const [country, city] = pick(n * 5 + Math.floor(n / 60) * 3, places)
  const date = `${at.getUTCFullYear()}${two(at.getUTCMonth() + 1)}${two(at.getUTCDate())}`
  const hour = `${date}${two(at.getUTCHours())}`
  return {
    date, dateHour: hour, dateHourMinute: `${hour}${two(at.getUTCMinutes())}`, country, city,
    deviceCategory: pick(n, ['desktop', 'mobile', 'tablet']), eventName: pick(n, ['page_view', 'click', 'scroll', 'purchase']),
    pagePath: `/p/${n % 11}`, sessionSource: pick(n, ['google', '(direct)', 'news "daily"']), browser: pick(n, ['Chrome', 'Safari']),
    language: pick(n, ['nb', 'de', 'fr']), operatingSystem: pick(n, ['Linux', 'iOS']), 'customEvent:plan': pick(n, ['free', 'paid', '']),
    'customEvent:serial': `s${n}`, user: n % 37, session: n % 211, revenue: n % 4 === 3 ? (n % 50) / 4 : 0, seconds: (n % 90) + 0.5
  }
}

const distinct = (key) => ({ make: () => new Set(), add: (set, e) => set.add(e[key]), value: (set) => set.size })
const total = (of) => ({ make: () => ({ n: 0 }), add: (sum, e) => { sum.n += of(e) }, value: (sum) => sum.n })
const measures = {
  users: distinct('user'),
  sessions: distinct('session'),
  events: total(() => 1),
  revenue: total((e) => e.revenue),
  views: total((e) => (e.eventName === 'page_view' ? 1 : 0)),
  seconds: { make: () => ({ n: 0, s: 0 }), add: (a, e) => { a.n++; a.s += e.seconds }, value: (a) => a.s / a.n },
  share: { make: () => ({ n: 0, s: 0 }), add: (a, e) => { a.n++; a.s += e.eventName === 'scroll' ? 1 : 0 }, value: (a) => a.s / a.n }
}

// rows {dimensions: [text], metrics: [number]} of the events that keep() says, those whose metrics are all 0 only with empty
function report(events, dimensions, metrics, keep, empty) {
  const groups = new Map()
  for (const e of events) {
    if (!keep(e)) continue
    const key = dimensions.map((name) => e[name]).join('\0')
    let group = groups.get(key)
    if (!group) groups.set(key, group = { dimensions: dimensions.map((name) => e[name]), sums: metrics.map((name) => measures[name].make()) })
    metrics.forEach((name, i) => measures[name].add(group.sums[i], e))
  }
  const rows = [...groups.values()].map(({ dimensions, sums }) => ({ dimensions, metrics: sums.map((sum, i) => measures[metrics[i]].value(sum)) }))
  return empty || metrics.length === 0 ? rows : rows.filter((row) => row.metrics.some((value) => value !== 0))
}

// code points, not units of UTF-16
function byCodePoint(a, b) {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

// keys: [{dimension: index} or {metric: index}, with desc]
function sort(rows, keys) {
  rows.sort((a, b) => {
    for (const { dimension, metric, desc } of keys) {
      const order = dimension !== undefined ? byCodePoint(a.dimensions[dimension], b.dimensions[dimension]) : a.metrics[metric] - b.metrics[metric]
      if (order !== 0) return desc ? -order : order
    }
    return 0
  })
}

const compact = (text) => text.replaceAll('-', '')

// a day of a date range, as YYYYMMDD; null: it is none
function day(text, today) {
  if (typeof text !== 'string') return null
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return Number.isNaN(Date.parse(text)) || new Date(text).toISOString().slice(0, 10) !== text ? null : compact(text)
  const ago = text === 'today' ? 0 : text === 'yesterday' ? 1 : /^(\d+)daysAgo$/.test(text) ? parseInt(text, 10) : null
  return ago === null ? null : compact(new Date(Date.parse(today) - ago * DAY).toISOString().slice(0, 10))
}

module.exports = { event, report, sort, day }
