// A server for each phase in which a call can hang, and for bodies that come in a
// stream.  What a path does is in its last part:
//
//   silence second-bytes      never an answer; a byte of one each second
//   headers                   the head of an answer, and nothing behind
//   upload                    tells length and SHA-256 of the body it got
//   slow-upload               the same, but takes its time to read
//   no-upload                 answers 413 before the body is there, and closes
//   cut-upload                closes amid the body
//   hold-upload               never reads the body
//   tenth                     401 to the tenth request of a token, until another is got
//   token                     another token
//   wait                      429 with X-Vendor-Wait: 1200, then 200
//   times                     when /wait and /tick were asked, in ms
//   tick endless              200; a body without end
//
//   node phases.js CERT KEY EXPIREDCERT EXPIREDKEY
//     prints "ready PORT TLSPORT EXPIREDPORT DEADPORT"; DEADPORT says nothing, ever

'use strict'

const crypto = require('node:crypto')
const fs = require('node:fs')
const http = require('node:http')
const https = require('node:https')
const net = require('node:net')

let token = 0
let uses = 0
let waits = 0
const times = []
const json = (res, status, value, headers = {}) => { res.writeHead(status, { 'Content-Type': 'application/json', ...headers }); res.end(JSON.stringify(value)) }

function upload(req, res, pace) {
  const hash = crypto.createHash('sha256')
  let length = 0
  req.on('data', (piece) => {
    hash.update(piece)
    length += piece.length
    if (pace) { req.pause(); setTimeout(() => req.resume(), pace) }
  })
  req.on('end', () => res.end(`${length} ${hash.digest('hex')}`))
}

const behaviours = {
  silence: (req) => req.resume(),
  'second-bytes': (req, res) => {
    res.writeHead(200, { 'Content-Length': 1000000 })
    const timer = setInterval(() => res.write('x'), 1000)
    res.on('close', () => clearInterval(timer))
  },
  headers: (req, res) => { res.writeHead(200, { 'Content-Length': 100 }); res.flushHeaders() },
  endless: (req, res) => {
    res.writeHead(200, {})
    const block = Buffer.alloc(65536, 120)
    const more = () => { while (!res.destroyed && res.write(block)); }
    res.on('drain', more)
    more()
  },
  upload: (req, res) => upload(req, res, 0),
  'slow-upload': (req, res) => upload(req, res, 5),
  'no-upload': (req, res) => { res.writeHead(413, { Connection: 'close' }); res.end('too much') },
  'cut-upload': (req) => req.once('data', () => req.socket.destroy()),
  'hold-upload': (req) => req.socket.pause(),
  tenth: (req, res) => {
    if (req.headers.authorization !== `Bearer planted-${token}` || ++uses % 10 === 0) { token++; return json(res, 401, []) }
    json(res, 200, { uses })
  },
  token: (req, res) => { req.resume(); json(res, 200, { access_token: `planted-${token}`, refresh_token: 'planted-refresh', expires_in: 3600 }) },
  wait: (req, res) => {
    times.push(Date.now())
    if (waits++ % 2 === 0) return json(res, 429, {}, { 'X-Vendor-Wait': '1200' })
    json(res, 200, {})
  },
  tick: (req, res) => { times.push(Date.now()); json(res, 200, {}) },
  times: (req, res) => json(res, 200, times.splice(0))
}

function serve(req, res) {
  const last = req.url.split('?')[0].split('/').pop()
  res.on('error', () => {})
  req.on('error', () => {})
  ;(behaviours[last] || behaviours.tick)(req, res)
}

async function start() {
  const [cert, key, oldCert, oldKey] = process.argv.slice(2).map((path) => fs.readFileSync(path))
  const servers = [http.createServer(serve), https.createServer({ cert, key }, serve), https.createServer({ cert: oldCert, key: oldKey }, serve),
    net.createServer((socket) => socket.on('error', () => {}))]
  for (const server of servers) {
    server.on('tlsClientError', () => {})
    await new Promise((done) => server.listen(0, '127.0.0.1', 511, done))
  }
  console.log(`ready ${servers.map((s) => s.address().port).join(' ')}`)
}
start()
