// An S3 server for the tests: @20minutes/s3rver, which checks signatures, behind a
// proxy that adds what it lacks and breaks what a test asks for.
//
//   node --openssl-legacy-provider server.js DIRECTORY
//
// prints "ready PORT".  Buckets lake, out and upsolver-appflow-lake; keys S3RVER / S3RVER.
//
// The proxy
// - refuses a body that is not the one whose hash was signed,
// - refuses parts under 5 MiB that are not the last (EntityTooSmall),
// - aborts and lists multipart uploads, whose signatures s3rver has checked,
// - encodes keys when asked to (encoding-type=url), as AWS does: a space is a plus.
//
// POST /_fault with JSON adds a fault, which hits the next `times` (1) requests that
// match `method` and `path` (regular expression on path and query):
//   answer   {status, code, message, headers, body}: instead of forwarding; with
//            after: forward first, then answer this
//   cut      bytes of the answer's body after which the connection is closed
//   hang     "headers": never answers; a number: stops after so many bytes of body
//   trickle  milliseconds between bytes of the answer's body
// DELETE /_fault removes all.  GET /_log gives [{method, url, status, range, ms}] and
// empties it; GET /_uploads the open uploads; GET /_open the connections.

'use strict'

const crypto = require('node:crypto')
const http = require('node:http')
const S3rver = require('@20minutes/s3rver')

const MIN_PART = 5 * 1024 * 1024
const faults = []
const uploads = new Map()
let log = []
let connections = 0

function xmlText(text) {
  return text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c])
}

function plainText(text) {
  return text
    .replace(/&#x([0-9a-f]+);/gi, (_, hex) => String.fromCodePoint(parseInt(hex, 16)))
    .replace(/&#(\d+);/g, (_, dec) => String.fromCodePoint(Number(dec)))
    .replace(/&(lt|gt|quot|apos|amp);/g, (_, n) => ({ lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' })[n])
}

function errorBody(code, message, more = '') {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${xmlText(message)}</Message>${more}<RequestId>SIM0123456789</RequestId></Error>`
}

function takeFault(method, url) {
  const i = faults.findIndex((f) => (!f.method || f.method === method) && new RegExp(f.path || '').test(url))
  if (i < 0) return {}
  const fault = faults[i]
  if (--fault.times <= 0) faults.splice(i, 1)
  return fault
}

function readBody(stream) {
  return new Promise((resolve, reject) => {
    const chunks = []
    stream.on('data', (chunk) => chunks.push(chunk))
    stream.on('end', () => resolve(Buffer.concat(chunks)))
    stream.on('error', reject)
    stream.on('close', () => reject(new Error('closed')))
  })
}

function encodeKeys(body) {
  // s3rver escapes twice
  const encode = (key) => encodeURIComponent(plainText(plainText(key))).replace(/%2F/g, '/').replace(/%20/g, '+')
  return body
    .replace(/<Key>([^<]*)<\/Key>/g, (_, key) => `<Key>${encode(key)}</Key>`)
    .replace('<KeyCount>', '<EncodingType>url</EncodingType><KeyCount>')
}

function listUploads(url) {
  const prefix = url.searchParams.get('prefix') || ''
  const after = url.searchParams.get('key-marker') || ''
  const open = [...uploads.values()]
    .filter((u) => u.bucket === url.pathname.split('/')[1] && u.key.startsWith(prefix) && u.key > after)
    .sort((a, b) => (a.key < b.key ? -1 : 1))
  const page = open.slice(0, 2)
  const last = page[page.length - 1]
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
    `<IsTruncated>${open.length > page.length}</IsTruncated>` +
    (last ? `<NextKeyMarker>${xmlText(last.key)}</NextKeyMarker><NextUploadIdMarker>${last.id}</NextUploadIdMarker>` : '') +
    page.map((u) => `<Upload><Key>${xmlText(u.key)}</Key><UploadId>${u.id}</UploadId></Upload>`).join('') +
    '</ListMultipartUploadsResult>'
  )
}

// what the proxy knows better than s3rver, before forwarding: [status, code, message]
function refusal(req, url, body) {
  const signed = req.headers['x-amz-content-sha256']
  if (signed && /^[0-9a-f]{64}$/.test(signed) && signed !== crypto.createHash('sha256').update(body).digest('hex'))
    return [400, 'XAmzContentSHA256Mismatch', "The provided 'x-amz-content-sha256' header does not match what was computed."]

  const upload = uploads.get(url.searchParams.get('uploadId'))
  if (url.searchParams.has('uploadId') && !upload)
    return [404, 'NoSuchUpload', 'The specified upload does not exist.']
  if (req.method === 'POST' && upload) {
    const numbers = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map((m) => Number(m[1]))
    if (numbers.some((n, i) => i > 0 && n <= numbers[i - 1]))
      return [400, 'InvalidPartOrder', 'The list of parts was not in ascending order.']
    const etags = [...body.toString().matchAll(/<ETag>([^<]*)<\/ETag>/g)].map((m) => plainText(m[1]))
    if (numbers.some((n, i) => !upload.parts.has(n) || upload.parts.get(n).etag !== etags[i]))
      return [400, 'InvalidPart', 'One or more of the specified parts could not be found.']
    if (numbers.slice(0, -1).some((n) => upload.parts.get(n).size < MIN_PART))
      return [400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size']
  }
  return null
}

// what an answer of s3rver is for the client
function translate(req, url, body, answer) {
  const id = url.searchParams.get('uploadId')
  if (req.method === 'DELETE' && id && answer.status === 405) {
    uploads.delete(id)
    return { status: 204, headers: {}, body: Buffer.alloc(0) }
  }
  if (req.method === 'GET' && url.searchParams.has('uploads') && answer.status === 501)
    return { status: 200, headers: { 'content-type': 'application/xml' }, body: Buffer.from(listUploads(url)) }
  if (answer.status !== 200) return answer

  if (req.method === 'POST' && url.searchParams.has('uploads')) {
    const made = /<UploadId>([^<]+)</.exec(answer.body.toString())[1]
    const [, bucket, ...key] = url.pathname.split('/')
    uploads.set(made, { id: made, bucket, key: decodeURIComponent(key.join('/')), parts: new Map() })
  } else if (req.method === 'PUT' && id) {
    uploads.get(id).parts.set(Number(url.searchParams.get('partNumber')), { size: body.length, etag: answer.headers.etag })
  } else if (req.method === 'POST' && id) {
    uploads.delete(id)
  } else if (req.method === 'GET' && url.searchParams.get('list-type') === '2' && url.searchParams.get('encoding-type') === 'url') {
    answer.body = Buffer.from(encodeKeys(answer.body.toString()))
  }
  return answer
}

function forward(port, req, body) {
  return new Promise((resolve, reject) => {
    const onward = http.request(
      { port, host: '127.0.0.1', method: req.method, path: req.url, headers: req.headers },
      async (res) => {
        try {
          resolve({ status: res.statusCode, headers: res.headers, body: await readBody(res) })
        } catch (e) {
          reject(e)
        }
      }
    )
    onward.on('error', reject)
    onward.end(body)
  })
}

async function send(req, res, answer, fault) {
  const headers = { ...answer.headers }
  delete headers['transfer-encoding']
  delete headers.connection
  if (answer.status !== 204 && !(req.method === 'HEAD')) headers['content-length'] = String(answer.body.length)
  res.writeHead(answer.status, headers)
  if (req.method === 'HEAD') return res.end()
  if (fault.cut !== undefined) {
    res.write(answer.body.subarray(0, fault.cut), () => setTimeout(() => res.socket.destroy(), 20))
  } else if (typeof fault.hang === 'number') {
    res.write(answer.body.subarray(0, fault.hang))
  } else if (fault.trickle !== undefined) {
    for (let i = 0; i < answer.body.length && !res.destroyed; i++) {
      res.write(answer.body.subarray(i, i + 1))
      await new Promise((next) => setTimeout(next, fault.trickle))
    }
    res.end()
  } else res.end(answer.body)
}

function control(req, res, body) {
  const reply = (value) => {
    res.writeHead(200, { 'content-type': 'application/json' })
    res.end(JSON.stringify(value))
  }
  if (req.url === '/_fault' && req.method === 'POST') {
    const fault = JSON.parse(body.toString())
    faults.push({ times: 1, ...fault })
    reply(faults.length)
  } else if (req.url === '/_fault') {
    reply(faults.splice(0).length)
  } else if (req.url === '/_log') {
    reply(log)
    log = []
  } else if (req.url === '/_uploads') {
    reply([...uploads.values()].map((u) => u.key))
  } else if (req.url === '/_open') {
    reply(connections)
  } else reply(null)
}

async function serve(port, req, res) {
  const started = Date.now()
  const body = await readBody(req)
  const url = new URL(req.url, 'http://localhost')
  if (url.pathname.startsWith('/_')) return control(req, res, body)

  const entry = { method: req.method, url: req.url, status: 0, range: req.headers.range, ms: started }
  log.push(entry)
  const fault = takeFault(req.method, req.url)
  if (fault.hang === 'headers') return
  let answer
  const refused = refusal(req, url, body)
  if (fault.answer && !fault.after) answer = null
  else if (refused) answer = { status: refused[0], headers: { 'content-type': 'application/xml' }, body: Buffer.from(errorBody(refused[1], refused[2])) }
  else answer = translate(req, url, body, await forward(port, req, body))
  if (fault.answer) {
    const { status, code, message, headers, more } = fault.answer
    answer = {
      status,
      headers: { 'content-type': 'application/xml', ...headers },
      body: Buffer.from(fault.answer.body !== undefined ? fault.answer.body : errorBody(code, message || code, more))
    }
  }
  entry.status = answer.status
  await send(req, res, answer, fault)
}

async function main() {
  const s3 = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory: process.argv[2],
    vhostBuckets: false,
    configureBuckets: ['lake', 'out', 'upsolver-appflow-lake'].map((name) => ({ name }))
  })
  const { port } = await s3.run()
  const proxy = http.createServer((req, res) => {
    serve(port, req, res).catch(() => res.destroy())
  })
  proxy.on('connection', (socket) => {
    connections++
    socket.on('close', () => connections--)
  })
  proxy.keepAliveTimeout = 60000
  proxy.listen(0, '127.0.0.1', () => console.log(`ready ${proxy.address().port}`))
}

main()
