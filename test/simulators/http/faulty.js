// A server that misbehaves in the way that the last part of the path names, whatever
// is asked for.  Over TLS as well, with a certificate of its own making.
//
//   node faulty.js CERT KEY       prints "ready PORT TLSPORT DEADPORT"
//
// DEADPORT accepts connections and never says a word.  GET /seen gives the paths seen.

'use strict'

const fs = require('node:fs')
const net = require('node:net')
const tls = require('node:tls')
const zlib = require('node:zlib')

const seen = []

function repeat(socket, text, ms) {
  const timer = setInterval(() => socket.write(text), ms)
  socket.on('close', () => clearInterval(timer))
}

// as fast as the other side takes it
function flood(socket, text) {
  const block = text.repeat(Math.ceil(65536 / text.length))
  const more = () => {
    while (!socket.destroyed && socket.write(block));
  }
  socket.on('drain', more)
  more()
}

const behaviours = {
  fine: (s) => s.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\nETag: "1"\r\n\r\nfine'),
  silence: () => {},
  'half-status': (s) => s.write('HTTP/1.1 20'),
  'slow-headers': (s) => {
    s.write('HTTP/1.1 200 OK\r\n')
    repeat(s, 'X-Slow: 1\r\n', 50)
  },
  'endless-headers': (s) => {
    s.write('HTTP/1.1 200 OK\r\n')
    flood(s, `X-Long: ${'x'.repeat(1000)}\r\n`)
  },
  'endless-line': (s) => {
    s.write('HTTP/1.1 200 OK\r\nX-Long: ')
    flood(s, 'x'.repeat(1000))
  },
  'endless-100': (s) => flood(s, 'HTTP/1.1 100 Continue\r\n\r\n'),
  'endless-error': (s) => {
    s.write('HTTP/1.1 403 Forbidden\r\n\r\n')
    flood(s, 'no '.repeat(1000))
  },
  'endless-list': (s) => {
    s.write('HTTP/1.1 200 OK\r\n\r\n<ListBucketResult>')
    flood(s, '<Contents><Key>x</Key></Contents>')
  },
  short: (s) => s.end('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this'),
  'short-chunk': (s) => s.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1000\r\nx'),
  long: (s) => s.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more'),
  garbage: (s) => s.end('220 mail.example.com ESMTP\r\n'),
  closed: (s) => s.end(),
  reset: (s) => s.resetAndDestroy(),
  redirect: (s, port) => s.write(`HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:${port}/b/redirected\r\nContent-Length: 0\r\n\r\n`),
  'redirect-file': (s) => s.write('HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n'),
  gzip: (s) => {
    const body = zlib.gzipSync('x'.repeat(1000))
    s.write(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`)
    s.write(body)
  },
  trickle: (s) => {
    s.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n')
    repeat(s, 'x', 50)
  }
}

function serve(socket, port) {
  let request = ''
  socket.on('error', () => {})
  socket.on('data', (data) => {
    request += data.toString('latin1')
    if (!request.includes('\r\n\r\n')) return
    const path = request.split(' ')[1].split('?')[0]
    request = ''
    if (path === '/seen') {
      const body = JSON.stringify(seen)
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      return
    }
    seen.push(path)
    const behaviour = behaviours[path.split('/').pop()] || behaviours.fine
    behaviour(socket, port)
  })
}

const plain = net.createServer((socket) => serve(socket, plain.address().port))
const secure = tls.createServer(
  { cert: fs.readFileSync(process.argv[2]), key: fs.readFileSync(process.argv[3]) },
  (socket) => serve(socket, plain.address().port)
)
secure.on('tlsClientError', () => {})
const dead = net.createServer((socket) => socket.on('error', () => {}))

plain.listen(0, '127.0.0.1', () =>
  secure.listen(0, '127.0.0.1', () =>
    dead.listen(0, '127.0.0.1', () =>
      console.log(`ready ${plain.address().port} ${secure.address().port} ${dead.address().port}`))))
