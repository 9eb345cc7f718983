// Where AWS's machines give out credentials: instance metadata (with tokens only),
// container endpoint, and the Security Token Service.
//
//   node credentials.js       prints "ready PORT"
//
// All give the keys S3RVER / S3RVER, which expire in `lifetime` seconds (3600; set by
// POST /_lifetime with a number).  GET /_log gives the requests and empties the list.

'use strict'

const http = require('node:http')

const TOKEN = 'instance-token'
let lifetime = 3600
let log = []

const expiration = () => new Date(Date.now() + lifetime * 1000).toISOString().replace(/\.\d+Z$/, 'Z')
const keys = () => ({ AccessKeyId: 'S3RVER', SecretAccessKey: 'S3RVER', Token: 'session+token/==', Expiration: expiration() })

function stsAnswer(action) {
  const k = keys()
  return `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result><Credentials>` +
    `<AccessKeyId>${k.AccessKeyId}</AccessKeyId><SecretAccessKey>${k.SecretAccessKey}</SecretAccessKey>` +
    `<SessionToken>${k.Token}</SessionToken><Expiration>${k.Expiration}</Expiration></Credentials></${action}Result>` +
    `<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></${action}Response>`
}

function stsError(code, message) {
  return `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`
}

// [status, body]
function answer(req, body) {
  const path = req.url
  if (path === '/latest/api/token') {
    if (req.method !== 'PUT') return [405, '']
    return req.headers['x-aws-ec2-metadata-token-ttl-seconds'] ? [200, TOKEN] : [400, '']
  }
  if (path.startsWith('/latest/')) {
    if (req.method !== 'GET') return [405, '']
    if (req.headers['x-aws-ec2-metadata-token'] !== TOKEN) return [401, '']
    if (path === '/latest/meta-data/iam/security-credentials/') return [200, 'appflow-role']
    if (path === '/latest/meta-data/iam/security-credentials/appflow-role')
      return [200, JSON.stringify({ Code: 'Success', Type: 'AWS-HMAC', LastUpdated: expiration(), ...keys() })]
    return [404, '']
  }
  if (path === '/container') return req.headers.authorization === 'container-token' ? [200, JSON.stringify(keys())] : [401, '{}']
  if (path === '/') {
    const form = new URLSearchParams(body)
    const action = form.get('Action')
    if (form.get('Version') !== '2011-06-15' || !/^arn:aws:iam::\d{12}:role\//.test(form.get('RoleArn') || ''))
      return [400, stsError('ValidationError', 'malformed')]
    if (!/^[\w+=,.@-]{2,64}$/.test(form.get('RoleSessionName') || '')) return [400, stsError('ValidationError', 'session')]
    if (action === 'AssumeRoleWithWebIdentity') {
      if (req.headers.authorization) return [400, stsError('ValidationError', 'signed')]
      return form.get('WebIdentityToken') === 'web-token' ? [200, stsAnswer(action)] : [400, stsError('InvalidIdentityToken', 'No such token')]
    }
    if (action === 'AssumeRole') {
      const scope = /Credential=BASEKEY\/\d{8}\/eu-west-1\/sts\/aws4_request/
      if (!scope.test(req.headers.authorization || '')) return [403, stsError('InvalidClientTokenId', 'The token is invalid')]
      return form.get('ExternalId') === 'ext 1' ? [200, stsAnswer(action)] : [403, stsError('AccessDenied', 'external id')]
    }
    return [400, stsError('InvalidAction', action)]
  }
  return [404, '']
}

const server = http.createServer((req, res) => {
  const chunks = []
  req.on('data', (c) => chunks.push(c))
  req.on('end', () => {
    const body = Buffer.concat(chunks).toString()
    let reply
    if (req.url === '/_log') {
      reply = [200, JSON.stringify(log)]
      log = []
    } else if (req.url === '/_lifetime') {
      lifetime = Number(body)
      reply = [200, '']
    } else {
      reply = answer(req, body)
      log.push(`${req.method} ${req.url} ${reply[0]}`)
    }
    res.writeHead(reply[0])
    res.end(reply[1])
  })
})
server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`))
