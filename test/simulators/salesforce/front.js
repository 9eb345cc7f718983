'use strict'
// front.js SIMULATOR_PORT CERTIFICATE KEY
//	The hosts of Salesforce before a simulator, for clients that come through a proxy: the
//	proxy (CONNECT) leads to the hosts named here only, over TLS with the certificate. What
//	login hosts and My Domains answer differs as it does at Salesforce: the one gives tokens, the other serves
//	the organization. GET /_asked of the proxy: [[host, path]].

const fs = require('fs')
const http = require('http')
const https = require('https')
const net = require('net')

const [port, certificate, key] = process.argv.slice(2)
const HOSTS = { 'login.salesforce.com': /^\/services\/oauth2\//, 'test.salesforce.com': /^\/services\/oauth2\//, 'acme.my.salesforce.com': /^\/services\// }
const asked = []

const service = https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) }, (request, response) => {
  const host = request.headers.host
  asked.push([host, request.url.split('?')[0]])
  if (!(HOSTS[host] && HOSTS[host].test(request.url))) {
    response.writeHead(404, { 'Content-Type': 'text/html' })
    return response.end('<html><body>URL No Longer Exists</body></html>')
  }
  const onward = http.request({ host: '127.0.0.1', port, method: request.method, path: request.url, headers: request.headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers)
    answer.pipe(response)
  })
  onward.on('error', () => response.destroy())
  request.pipe(onward)
})

const proxy = http.createServer((request, response) => {
  response.end(JSON.stringify(asked.splice(0)))
})
proxy.on('connect', (request, socket) => {
  const [host, to] = request.url.split(':')
  if (!HOSTS[host] || to !== '443') return socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
  const inner = net.connect(service.address().port, '127.0.0.1', () => {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    inner.pipe(socket).pipe(inner)
  })
  inner.on('error', () => socket.destroy())
  socket.on('error', () => inner.destroy())
})

service.listen(0, '127.0.0.1', () => proxy.listen(0, '127.0.0.1', () => console.log(`ready ${proxy.address().port}`)))
