// A service that redirects, over TLS and without.  What a path asks for is in its query:
//
//   /to?URL            a redirect there, with the status of ?status=
//   /rebind?URL        the same, after the name in RESOLVER_FILE has become REBOUND's
//   /circle            to the same on the other port, for ever
//   /seen              the requests seen, with their headers; /forget forgets them
//
//   node redirects.js CERT KEY       prints "ready PORT OTHERPORT TLSPORT"

'use strict'

const fs = require('node:fs')
const http = require('node:http')
const https = require('node:https')

let seen = []
const ports = []

function serve(req, res) {
  const url = new URL(req.url, 'http://x')
  const target = decodeURIComponent(url.search.slice(1).replace(/&status=\d+$/, ''))
  const status = Number((/&status=(\d+)$/.exec(url.search) || [])[1] || 302)
  if (url.pathname === '/seen') return res.end(JSON.stringify(seen))
  if (url.pathname === '/forget') { seen = []; return res.end() }
  seen.push({ port: req.socket.localPort, url: req.url, headers: req.headers })
  if (url.pathname === '/rebind') fs.writeFileSync(process.env.RESOLVER_FILE, `rebind.test ${process.env.REBOUND}\n`)
  if (url.pathname === '/to' || url.pathname === '/rebind') {
    res.writeHead(status, { Location: target, 'Set-Cookie': 'planted-cookie=1' })
    return res.end()
  }
  if (url.pathname === '/circle') {
    const next = req.socket.localPort === ports[0] ? ports[1] : ports[0]
    res.writeHead(302, { Location: `http://127.0.0.1:${next}/circle` })
    return res.end()
  }
  res.end('there')
}

async function start() {
  const tls = { cert: fs.readFileSync(process.argv[2]), key: fs.readFileSync(process.argv[3]) }
  for (const server of [http.createServer(serve), http.createServer(serve), https.createServer(tls, serve)]) {
    await new Promise((done) => server.listen(0, '127.0.0.1', done))
    ports.push(server.address().port)
  }
  console.log(`ready ${ports.join(' ')}`)
}
start()
