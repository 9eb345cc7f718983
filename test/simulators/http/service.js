// Services that authenticate as those behind connectors do, strictly: a token that
// was replaced is refused, a refresh token used twice ends them all.
//
//   node service.js        prints "ready PORT OTHERPORT OAUTHPORT"
//
// Both ports serve the same; OAUTHPORT is an oauth2-mock-server.  GET /seen gives the
// requests seen, GET /reset forgets them, GET /expire ends all tokens, GET /busy lets
// the bucket "budget" answer 503.

'use strict'

const crypto = require('node:crypto')
const http = require('node:http')
const path = require('node:path')
const { OAuth2Server } = require(path.join(__dirname, '../../node_modules/oauth2-mock-server'))

let seen = []
let valid = new Set() // access tokens and sessions
let refresh = 'planted-refresh-0'
let spent = new Set()
let revoked = false
let count = 0
let busy = false
let throttled = 0
let times = []
const codes = new Set(['planted-code', 'planted-code-2', 'planted-code-3', 'planted-code-4'])
const jwtKey = process.env.JWT_PUBLIC_KEY

const token = () => {
  const t = `planted-access-${++count}`
  valid.add(t)
  return t
}

const json = (res, status, value, headers = {}) => {
  res.writeHead(status, { 'Content-Type': 'application/json', ...headers })
  res.end(JSON.stringify(value))
}

function oauth(req, res, form) {
  const bad = (error) => json(res, 400, { error, error_description: `planted ${form.refresh_token}` })
  if (form.grant_type === 'urn:ietf:params:oauth:grant-type:jwt-bearer') {
    if (form.assertion !== 'planted.given.jwt') {
      const [h, c, s] = (form.assertion || '').split('.')
      const claims = JSON.parse(Buffer.from(c, 'base64url'))
      const good = crypto.verify('sha256', Buffer.from(`${h}.${c}`), jwtKey, Buffer.from(s, 'base64url'))
      if (!good || claims.iss !== 'planted-client' || claims.aud !== 'the-audience' || claims.sub !== 'me' ||
          claims.exp <= Date.now() / 1000 || claims.exp > Date.now() / 1000 + 300) return bad('invalid_grant')
    }
    return json(res, 200, { access_token: token(), expires_in: 3600 })
  }
  if (form.client_id !== undefined && form.client_secret !== 'planted-client-secret') return bad('invalid_client')
  if (form.grant_type === 'client_credentials') return json(res, 200, { access_token: token(), expires_in: 3599 })
  if (form.grant_type === 'authorization_code') {
    if (!codes.delete(form.code) || form.redirect_uri !== 'https://example.com/back') return bad('invalid_grant')
  } else if (form.grant_type === 'refresh_token') {
    // the service takes its time, so that those who come at once meet
    if (form.refresh_token === 'planted-slow') return setTimeout(() => bad('invalid_grant'), 1500)
    if (spent.has(form.refresh_token)) revoked = true
    if (revoked || form.refresh_token !== refresh) return bad('invalid_grant')
    spent.add(refresh)
  } else return bad('unsupported_grant_type')
  refresh = `planted-refresh-${crypto.randomUUID()}`
  // slow, so that those who come at once meet
  setTimeout(() => json(res, 200, { access_token: token(), refresh_token: refresh, expires_in: 3600 }), 200)
}

function serve(req, res) {
  let body = ''
  req.on('data', (d) => { body += d })
  req.on('end', () => {
    const url = new URL(req.url, 'http://x')
    const bearer = (req.headers.authorization || '').replace(/^Bearer /, '')
    if (url.pathname === '/seen') return json(res, 200, seen)
    if (url.pathname === '/times') return json(res, 200, times)
    if (url.pathname === '/reset') { seen = []; times = []; return json(res, 200, {}) }
    if (url.pathname === '/busy') { busy = true; return json(res, 200, {}) }
    if (url.pathname === '/expire') { valid.clear(); return json(res, 200, {}) }
    seen.push({ port: req.socket.localPort, method: req.method, url: req.url, headers: req.headers, body })
    const form = Object.fromEntries(new URLSearchParams(body))
    if (url.pathname.startsWith('/budget')) {
      if (busy) return json(res, 503, {})
      if (url.pathname.endsWith('.json')) return json(res, 200, { id: 1 }, { ETag: '"1"' })
      res.writeHead(200, { 'Content-Type': 'application/xml' })
      return res.end('<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>1.json</Key><Size>8</Size>' +
        '<ETag>"1"</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>')
    }
    switch (url.pathname) {
      case '/services/oauth2/token':
      case '/identity/oauth/token':
      case '/token': return oauth(req, res, form)
      case '/api/v25.2/auth':
        if (form.password !== 'planted-password') return json(res, 200, { responseStatus: 'FAILURE', errorType: 'AUTHENTICATION_FAILED', errors: [{ type: 'USERNAME_OR_PASSWORD_INCORRECT', message: `not ${form.password}` }] })
        return json(res, 200, { responseStatus: 'SUCCESS', sessionId: token(), vaultIds: [{ id: 1776, name: 'PromoMats', url: `http://${req.headers.host}/api` }, { id: 1777, name: 'eTMF', url: 'https://etmf.example.com/api' }], vaultId: form.username === 'elsewhere' ? 1777 : 1776 })
      case '/private': return valid.has(bearer) ? json(res, 200, { who: 'private' }) : json(res, 401, [{ errorCode: 'INVALID_SESSION_ID' }])
      case '/never': return json(res, 401, {})
      case '/basic': return req.headers.authorization === 'Basic ' + Buffer.from('me:planted-password').toString('base64')
        ? json(res, 200, 'in') : json(res, 401, 'out')
      case '/rest/3.1/things': {
        const base = (req.headers['x-dapi-date'] + req.method + req.url).toLowerCase()
        const mac = crypto.createHmac('sha256', 'planted-hmac').update(base).digest('base64')
        return req.headers.authorization === `HMAC_1 key:${mac}:user` && req.headers['x-nexus-api-key'] === 'planted-data'
          ? json(res, 200, 'signed') : json(res, 401, 'unsigned')
      }
      case '/circle': res.writeHead(302, { Location: '/circle?' + seen.length }); return res.end()
      case '/near': res.writeHead(302, { Location: 'echo?near' }); return res.end('x'.repeat(100000))
      case '/far': res.writeHead(307, { Location: `http://user:pass@127.0.0.1:${ports[1]}/echo?far` }); return res.end()
      case '/far-and-back': res.writeHead(302, { Location: `http://127.0.0.1:${ports[1]}/back` }); return res.end()
      case '/back': res.writeHead(302, { Location: `http://127.0.0.1:${ports[0]}/echo?back` }); return res.end()
      case '/elsewhere': res.writeHead(302, { Location: 'file:///etc/passwd' }); return res.end()
      case '/link-local': res.writeHead(302, { Location: 'http://169.254.169.254/latest' }); return res.end()
      case '/no-location': res.writeHead(302); return res.end('here')
      case '/throttle':
        times.push(Date.now())
        if (throttled++ % 2 === 0) return json(res, 429, {}, { 'Retry-After': '2' })
        return json(res, 200, 'through')
      case '/tick': times.push(Date.now()); return json(res, 200, 'tick')
      default: return json(res, 200, { port: req.socket.localPort, headers: req.headers, url: req.url })
    }
  })
}

const ports = []
async function start() {
  for (let i = 0; i < 2; i++) {
    const server = http.createServer(serve)
    server.keepAliveTimeout = 60000
    await new Promise((done) => server.listen(0, '127.0.0.1', 511, done))
    ports.push(server.address().port)
  }
  const mock = new OAuth2Server()
  await mock.issuer.keys.generate('RS256')
  await mock.start(0, '127.0.0.1')
  mock.service.on('beforeResponse', (response) => { if (response.body.access_token) valid.add(response.body.access_token) })
  console.log(`ready ${ports[0]} ${ports[1]} ${mock.address().port}`)
}
start()
