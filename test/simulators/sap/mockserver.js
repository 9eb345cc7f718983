// SAP's mock server of Fiori tools, over a service whose description has what others
// have not: types that derive from others, in another schema, definitions, complex
// values, collections.  It has a catalogue, and tokens against forgery.
//
//	node mockserver.js		prints "ready PORT"

'use strict'

const http = require('node:http')
const path = require('node:path')
const modules = path.join(__dirname, '../../node_modules')
const Mockserver = require(path.join(modules, '@sap-ux/fe-mockserver-core')).default
const express = require(path.join(modules, 'express'))

const quiet = { info () {}, error () {}, debug () {}, warn () {} }
const server = new Mockserver({
  logger: quiet,
  services: [{ urlPath: '/sap/opu/odata4/sap/zflights/0001', metadataPath: path.join(__dirname, 'mockserver/flights.edmx'), mockdataPath: path.join(__dirname, 'mockserver') }]
})

let seen = []
server.isReady.then(() => {
  const app = express()
  app.get('/_seen', (req, res) => { res.json(seen); seen = [] })
  app.use((req, res, next) => { seen.push({ method: req.method, url: req.originalUrl }); next() })
  app.use(server.getRouter())
  const listener = http.createServer(app).listen(0, '127.0.0.1', () => console.log(`ready ${listener.address().port}`))
}).catch((error) => { console.error(error); process.exit(1) })
