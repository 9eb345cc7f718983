// What the simulators of REST applications have in common: a server that reads
// requests, is told how to misbehave, and keeps what it has seen.
//
// Routes under /control/ are for tests, and need no credentials:
//
//   GET  /control/seen                        requests since the last reset
//   GET  /control/reset                       forget them, and all misbehaviour
//   GET  /control/fault?kind=K&n=N&match=RE   the next N answers whose URL matches are bad:
//        html (200, a page), html502, cut (the body ends early), cutjson (whole by its length, not as
//        JSON), slow (2 s), stall (half of it, and no more), utf8 (a broken byte), replace=A=>B (the first A in it is B), status=NNN (an empty answer),
//        drop (no answer), expire (as GET /control/expire, just before it is answered)
//   GET  /control/throttle?n=N&match=RE       they are refused as the vendor does, with Retry-After: 1
//   GET  /control/expire                      no access token is valid any more
//   POST /control/seed                        {"entity": records or a number, ...}
//   GET  /control/records?entity=E            what is stored
//   POST /control/set                         switches of the simulator
//
// An argument of the program is what it is seeded with, as for /control/seed.

'use strict'

const http = require('node:http')

const sleep = (ms) => new Promise((done) => setTimeout(done, ms))

class Service {
  // simulator: handle(request, fault) => answer, throttled(request) => answer, expire(), seed(what), records(entity),
  // maybe fault(kind, request) => answer or null for misbehaviour of its own; an answer may write(res) itself
  constructor(simulator) {
    this.simulator = simulator
    this.settings = simulator.settings || {}
    this.reset()
  }

  reset() {
    this.seen = []
    this.faults = []
  }

  control(request) {
    const { verb, query } = request
    switch (verb) {
      case 'seen': return this.seen
      case 'reset': this.reset(); return {}
      case 'fault':
      case 'throttle':
        this.faults.push({
          kind: verb === 'throttle' ? 'throttle' : query.get('kind'),
          left: Number(query.get('n') || 1),
          skip: Number(query.get('skip') || 0),
          match: new RegExp(query.get('match') || '')
        })
        return {}
      case 'expire': this.simulator.expire(); return {}
      case 'seed': return this.simulator.seed(request.json())
      case 'records': return this.simulator.records(query.get('entity'))
      case 'set': Object.assign(this.settings, request.json()); return this.settings
    }
    throw new Error(`no such control: ${verb}`)
  }

  // the fault that is due for a request
  due(request) {
    for (const fault of this.faults) {
      if (fault.left <= 0 || !fault.match.test(request.method + ' ' + decodeURIComponent(request.url.replace(/\+/g, ' ')))) continue
      if (fault.skip > 0) {
        fault.skip--
        continue
      }
      fault.left--
      return fault.kind
    }
    return null
  }

  async answer(req, res, body) {
    const url = new URL(req.url, `http://${req.headers.host}`)
    const request = {
      method: req.method,
      url: req.url,
      path: url.pathname,
      query: url.searchParams,
      headers: req.headers,
      base: `http://${req.headers.host}`,
      body,
      json: () => JSON.parse(body)
    }
    const control = /^\/control\/(\w+)$/.exec(url.pathname)
    if (control) {
      request.verb = control[1]
      return this.send(res, { status: 200, body: this.control(request) })
    }
    const fault = this.due(request)
    this.seen.push({ method: req.method, url: req.url, body, type: req.headers['content-type'], at: Date.now(), fault })
    if (fault === 'expire') this.simulator.expire()
    if (fault === 'throttle') return this.send(res, this.simulator.throttled(request))
    if (fault === 'html') return this.send(res, { status: 200, headers: { 'Content-Type': 'text/html' }, text: '<!DOCTYPE html><html><body>Please log in</body></html>' })
    if (fault === 'html502') return this.send(res, { status: 502, headers: { 'Content-Type': 'text/html' }, text: '<html><h1>502 Bad Gateway</h1></html>' })
    if (fault && fault.startsWith('status=')) return this.send(res, { status: Number(fault.slice(7)), text: '' })
    if (fault === 'drop') return req.socket.destroy()
    if (fault === 'slow') await sleep(2000)
    const own = fault && this.simulator.fault && this.simulator.fault(fault, request)
    if (own) return this.send(res, own)
    const answer = await this.simulator.handle(request, fault)
    if (answer.write) return answer.write(res)
    return this.send(res, answer, fault)
  }

  send(res, answer, fault) {
    const text = answer.text !== undefined ? answer.text : answer.body === undefined ? '' : JSON.stringify(answer.body)
    let bytes = answer.bytes || Buffer.from(text)
    const headers = { 'Content-Type': 'application/json; charset=utf-8', ...answer.headers }
    if (fault === 'utf8') bytes = Buffer.concat([bytes.subarray(0, bytes.lastIndexOf(0x7d)), Buffer.from(',"x":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')])
    if (fault && fault.startsWith('replace=')) bytes = Buffer.from(text.replace(...fault.slice(8).split('=>')))
    if (fault === 'cutjson') bytes = bytes.subarray(0, Math.floor(bytes.length * 2 / 3))
    if (answer.status === 204) {
      res.writeHead(204, headers)
      return res.end()
    }
    headers['Content-Length'] = bytes.length
    res.writeHead(answer.status, headers)
    if (fault === 'stall') return res.write(bytes.subarray(0, Math.floor(bytes.length / 2)))
    if (fault === 'cut') {
      res.write(bytes.subarray(0, Math.floor(bytes.length * 2 / 3)), () => res.destroy())
      return
    }
    res.end(bytes)
  }

  start() {
    const server = http.createServer((req, res) => {
      const chunks = []
      req.on('data', (chunk) => chunks.push(chunk))
      req.on('end', () => {
        this.answer(req, res, Buffer.concat(chunks).toString('utf8')).catch((error) => {
          console.error(error)
          res.writeHead(500, { 'Content-Type': 'text/plain' })
          res.end(`simulator: ${error.stack}`)
        })
      })
    })
    server.keepAliveTimeout = 60000
    if (process.argv[2]) this.simulator.seed(JSON.parse(process.argv[2]))
    server.listen(0, '127.0.0.1', 511, () => console.log(`ready ${server.address().port}`))
  }
}

// access and refresh tokens of an application; a refresh token is good for one use
class Tokens {
  constructor(prefix, lifetime) {
    this.prefix = prefix
    this.lifetime = lifetime
    this.access = new Map() // token => scopes
    this.refresh = new Map()
    this.count = 0
  }

  issue(scopes) {
    const access = `${this.prefix}-access-${++this.count}`
    const refresh = `${this.prefix}-refresh-${this.count}`
    this.access.set(access, scopes)
    this.refresh.set(refresh, { scopes, access })
    return { access, refresh, lifetime: this.lifetime, scopes }
  }

  // a refresh token for new ones, or null
  renew(refresh) {
    const old = this.refresh.get(refresh)
    if (!old) return null
    this.refresh.delete(refresh)
    this.access.delete(old.access)
    return this.issue(old.scopes)
  }

  expire() {
    this.access.clear()
  }
}

module.exports = { Service, Tokens, sleep }
