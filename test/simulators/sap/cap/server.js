// SAP's CAP server, in version 4 and by its adapter in version 2, over tables in memory.
//
//   node server.js        prints "ready PORT"
//
// /odata/v4/sales and /odata/v2/sales are the same service.  POST /_rows/ENTITY with an
// array replaces what an entity set holds, GET gives it; GET /_seen gives the requests
// since the last time; POST /_next with {status, headers, body, match} answers the next request
// whose URL contains match with that.

'use strict'

const path = require('node:path')
const modules = path.join(__dirname, '../../../node_modules')
process.chdir(__dirname)
process.env.CDS_LOG_LEVELS_CDS = 'error'
const cds = require(path.join(modules, '@sap/cds'))
const express = require(path.join(modules, 'express'))
const adapter = require(path.join(modules, '@cap-js-community/odata-v2-adapter'))

cds.root = __dirname
cds.env.requires.db = { kind: 'sqlite', impl: '@cap-js/sqlite', driver: 'sql.js', credentials: { url: ':memory:' } }
cds.env.requires.auth = { kind: 'mocked', users: { me: { password: 'secret' } } }
cds.env.query.limit.max = 1000

let seen = []
const answers = []

cds.on('bootstrap', (app) => {
  app.use('/_rows', express.json({ limit: '100mb' }))
  app.post('/_rows/:entity', async (req, res) => {
    const name = `Sales.${req.params.entity}`
    await cds.db.run(cds.ql.DELETE.from(name))
    for (let i = 0; i < req.body.length; i += 500) await cds.db.run(cds.ql.INSERT.into(name).entries(req.body.slice(i, i + 500)))
    res.json({})
  })
  app.get('/_rows/:entity', async (req, res) => {
    const entity = cds.model.definitions[`Sales.${req.params.entity}`]
    const keys = Object.keys(entity.keys).filter((k) => !entity.keys[k].isAssociation)
    res.json(await cds.db.run(cds.ql.SELECT.from(entity).orderBy(...keys)))
  })
  app.get('/_seen', (req, res) => { res.json(seen); seen = [] })
  app.post('/_next', express.json(), (req, res) => { answers.push(req.body); res.json({}) })
  app.use((req, res, next) => {
    // the adapter's own requests to the service behind it
    if (req.headers['x-correlation-id']) return next()
    seen.push({ method: req.method, url: req.originalUrl, headers: req.headers })
    const at = answers.findIndex((a) => req.originalUrl.includes(a.match || ''))
    if (at >= 0) {
      const [answer] = answers.splice(at, 1)
      return res.status(answer.status).set(answer.headers || {}).send(answer.body || '')
    }
    const [user, password] = Buffer.from((req.headers.authorization || '').replace(/^Basic /, ''), 'base64').toString().split(':')
    if (user !== 'me' || password !== 'secret') return res.status(401).set('WWW-Authenticate', 'Basic').send('Unauthorized')
    next()
  })
  app.use(adapter())
})

cds.server({ port: 0, project: __dirname, service: 'all', in_memory: true })
  .then(async (server) => {
    // the adapter asks the service behind it by HTTP, once it knows where
    await cds.emit('listening', { server, url: `http://127.0.0.1:${server.address().port}` })
    console.log(`ready ${server.address().port}`)
  })
  .catch((error) => { console.error(error); process.exit(1) })
