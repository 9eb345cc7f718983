// An application whose answers are large: pages of 2,000 records of 16 fields, 1 MB
// each, made beforehand so that sending them is all that it does.
//
//   node server.js [PAGES]      prints "ready PORT"
//
//   GET /records?page=N             {"next": link to the next page or null, "records": [...]}
//   GET /body?page=N                the records of a page alone, as a JSON array
//   GET /csv?page=N                 id, name, revenue, employees and created of the same records as CSV without a header
//   GET /million?page=N             pages of 200 records, 5,000 of them
//   GET /control/seen               what has been asked since the last reset, in order
//   GET /control/state              {"open", "most", "broken"}: answers under way now, at most at once, and left by the
//                                   client before their end
//   GET /control/set?NAME=VALUE     delay: ms before each answer; stall: the page that stops half-way for ever; bad: the
//                                   page with a value that is no number; fail: how many answers to refuse with 503
//   GET /control/reset

'use strict'

const http = require('node:http')

const PAGES = Number(process.argv[2] || 100)
const RECORDS = 2000
const words = ('account renewed contract pending review manager asked for a quote on the larger plan after the summer while ' +
  'support closed both tickets of last week').split(' ')

let random = 42
const draw = (n) => { random = (random * 1103515245 + 12345) % 2147483648; return Math.floor(random / 65536) % n }
const two = (n) => String(n).padStart(2, '0')

function record (id) {
  return {
    id,
    name: `Account ${id} of ${words[id % words.length]}`,
    number: `CD${String(id).padStart(8, '0')}`,
    industry: ['Banking', 'Energy', 'Retail', 'Education'][draw(4)],
    revenue: draw(30000) * 1000 + draw(100) / 100,
    employees: draw(30000),
    phone: `+1 555 ${draw(1000)} ${draw(10000)}`,
    website: `https://www.customer-${id}.example/en`,
    street: `${draw(900)} Long Example Street`,
    city: ['Zürich', 'São Paulo', 'Berlin', 'Osaka'][draw(4)],
    postal_code: String(draw(30000)),
    country: ['US', 'DE', 'FR', 'JP'][draw(4)],
    active: id % 2 === 0,
    created: `20${two(10 + draw(14))}-${two(1 + draw(12))}-${two(1 + draw(28))}T${two(draw(24))}:${two(draw(60))}:${two(draw(60))}Z`,
    modified: `2024-${two(1 + draw(12))}-${two(1 + draw(28))}T${two(draw(24))}:${two(draw(60))}:${two(draw(60))}Z`,
    description: Array.from({ length: 14 }, () => words[draw(words.length)]).join(' ') + (id % 10 === 0 ? ' "as agreed"' : '')
  }
}

const cell = (value) => (/[",\n]/.test(String(value)) ? `"${String(value).replace(/"/g, '""')}"` : String(value))
const pages = []
for (let page = 1; page <= PAGES; page++) {
  const list = []
  for (let i = 0; i < RECORDS; i++) list.push(record((page - 1) * RECORDS + i + 1))
  const body = JSON.stringify(list)
  pages.push({
    body: Buffer.from(body),
    whole: Buffer.from(`{"next":${page < PAGES ? `"/records?page=${page + 1}"` : 'null'},"records":${body}}`),
    csv: Buffer.from(list.map((r) => [r.id, r.name, r.revenue, r.employees, r.created].map(cell).join(',')).join('\n') + '\n'),
    list: page === 1 ? list : null
  })
}
const small = Buffer.from(JSON.stringify(pages[0].list.slice(0, 200)))

let seen, open, most, broken, settings
const reset = () => { seen = []; open = most = broken = 0; settings = { delay: 0, stall: 0, bad: 0, fail: 0 } }
reset()

function answer (query, path) {
  const page = Number(query.get('page') || 1)
  const found = pages[page - 1]
  switch (path) {
    case '/records': {
      if (!found) return null
      if (settings.bad === page) return Buffer.from(found.whole.toString().replace(/"employees":\d+/, '"employees":"many"'))
      return found.whole
    }
    case '/body': return found && found.body
    case '/csv': return found && found.csv
    case '/million': return Buffer.concat([Buffer.from(`{"next":${page < 5000 ? `"/million?page=${page + 1}"` : 'null'},"records":`), small, Buffer.from('}')])
  }
  return null
}

http.createServer((req, res) => {
  const url = new URL(req.url, 'http://x')
  const verb = /^\/control\/(\w+)$/.exec(url.pathname)
  const reply = (body) => { res.setHeader('Content-Type', 'application/json'); res.end(JSON.stringify(body)) }
  if (verb) {
    if (verb[1] === 'reset') reset()
    for (const [name, value] of verb[1] === 'set' ? url.searchParams : []) settings[name] = Number(value)
    return reply(verb[1] === 'seen' ? seen : verb[1] === 'state' ? { open, most, broken } : {})
  }
  seen.push(req.url)
  most = Math.max(most, ++open)
  res.on('close', () => { open--; if (!res.writableFinished) broken++ })
  setTimeout(() => {
    if (settings.fail > 0) {
      settings.fail--
      res.statusCode = 503
      return res.end('{"error":"later"}')
    }
    const body = answer(url.searchParams, url.pathname)
    if (!body) {
      res.statusCode = 404
      return res.end('{"error":"no such page"}')
    }
    res.setHeader('Content-Type', 'application/json')
    res.setHeader('Content-Length', body.length)
    if (settings.stall === Number(url.searchParams.get('page') || 1)) return res.write(body.subarray(0, body.length / 2))
    res.end(body)
  }, settings.delay)
}).listen(0, '127.0.0.1', function () { console.log(`ready ${this.address().port}`) })
