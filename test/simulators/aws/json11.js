// json11.js
//	What AWS's services of the protocol "JSON 1.1" have in common: signatures, the
//	target, errors.
//
//	GET  /_log     what arrived since the last time
//	POST /_faults  [{status, name, message, cut, text}], one a request, before all else

'use strict'

const http = require('http')
const path = require('path')
const { complaint } = require(path.join(__dirname, '../appflow/sigv4.js'))

class Failure extends Error {
  constructor(name, message, status = 400) {
    super(message)
    this.name = name
    this.status = status
  }
}

// actions: {Name: (input) => output}, which throw Failures
function serve({ service, target, actions, control = {} }, [key, secret, token, region]) {
  let log = []
  let faults = []

  function reply(response, status, body) {
    response.writeHead(status, { 'Content-Type': 'application/x-amz-json-1.1', 'x-amzn-RequestId': 'request-12' })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }

  function answer(request, response, body) {
    if (request.url === '/_log') return reply(response, 200, log.splice(0))
    if (request.url === '/_faults') { faults = JSON.parse(body); return reply(response, 200, {}) }
    if (control[request.url]) { control[request.url](JSON.parse(body)); return reply(response, 200, {}) }

    const wrong = complaint(request, body, { key, secret, token, region, service })
    const [prefix, action] = (request.headers['x-amz-target'] || '').split('.')
    log.push({ action, accepted: !wrong, body: String(body) })
    try {
      if (wrong) throw new Failure(wrong[0], wrong[1])
      if (request.method !== 'POST' || request.url !== '/') throw new Failure('UnknownOperationException', '', 404)
      if (request.headers['content-type'] !== 'application/x-amz-json-1.1') throw new Failure('UnknownOperationException', '', 404)
      if (prefix !== target || !actions[action]) throw new Failure('UnknownOperationException', '')
      const fault = faults.shift()
      if (fault && fault.cut) return request.socket.destroy()
      if (fault && fault.text !== undefined) return reply(response, fault.status || 200, fault.text)
      if (fault) throw new Failure(fault.name, fault.message, fault.status)
      let input
      try { input = JSON.parse(body) } catch (e) { throw new Failure('SerializationException', '') }
      return reply(response, 200, actions[action](input))
    } catch (e) {
      if (!(e instanceof Failure)) throw e
      // KMS writes "message", Secrets Manager "Message": clients take both
      return reply(response, e.status, { __type: e.name, [service === 'kms' ? 'message' : 'Message']: e.message })
    }
  }

  http.createServer((request, response) => {
    const pieces = []
    request.on('data', (piece) => pieces.push(piece))
    request.on('end', () => answer(request, response, Buffer.concat(pieces)))
  }).listen(0, '127.0.0.1', function () { console.log(`ready ${this.address().port}`) })
}

module.exports = { serve, Failure }
