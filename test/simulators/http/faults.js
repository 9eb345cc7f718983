// faults.js
//	What simulators of services have in common when they are to misbehave.
//
//	POST /_fault    {kind, match, skip, times}: after skip of them, the next times (1) requests
//	                whose text (method, URL, what else the simulator says) matches are answered wrongly:
//	                throttle (as the service refuses, and nothing is done), html (a page for people, and
//	                nothing is done), denied and ended (AWS refuses an identity, or one that has expired), cut (all is done, and half of the answer comes), expire (its
//	                credentials end, then it is answered)
//	GET  /_calm     forget faults and the count of refusals
//	GET  /_refused  how many were refused by "throttle" and "ended"

'use strict'

const identities = {
  denied: ['UnrecognizedClientException', 'The security token included in the request is invalid.'],
  ended: ['ExpiredTokenException', 'The security token included in the request is expired']
}

class Faults {
  constructor () { this.calm() }

  calm () {
    this.list = []
    this.refused = 0
    return {}
  }

  // the answer to a request of the test, or undefined if it is none
  control (url, body) {
    if (url === '/_calm') return this.calm()
    if (url === '/_refused') return this.refused
    if (url !== '/_fault') return undefined
    this.list.push({ match: '', skip: 0, times: 1, ...JSON.parse(body) })
    return {}
  }

  // What is due for a request: a kind, or null.  The caller sees to throttle and expire; others
  // are answered here (response.writableEnded), and cut is seen to.
  due (text, response) {
    const fault = this.list.find((f) => f.times > 0 && new RegExp(f.match).test(text) && (f.skip > 0 ? f.skip-- < 0 : true))
    if (!fault) return null
    fault.times--
    if (fault.kind === 'throttle' || fault.kind === 'ended') this.refused++
    if (identities[fault.kind]) {
      const [name, message] = identities[fault.kind]
      response.writeHead(403, { 'Content-Type': 'application/json', 'x-amzn-ErrorType': name })
      response.end(JSON.stringify({ __type: name, message }))
    }
    if (fault.kind === 'html') {
      response.writeHead(200, { 'Content-Type': 'text/html' })
      response.end('<!DOCTYPE html><html><body>Down for maintenance</body></html>')
    }
    if (fault.kind === 'cut') {
      const end = response.end.bind(response)
      response.end = (whole) => end(Buffer.from(whole).subarray(0, Math.floor(Buffer.byteLength(whole) / 2)))
    }
    return fault.kind
  }
}

module.exports = { Faults }
