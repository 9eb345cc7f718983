// faye.js
//	The streaming endpoint of an organization, by a real Bayeux server: faye, with the replay
//	extension and credentials as Salesforce has them.
//
//	node faye.js        prints "ready PORT"
//
//	POST /control/publish {channel, records}, /control/forget-clients, /control/clients

'use strict'

const http = require('node:http')
const path = require('node:path')
const faye = require(path.join(__dirname, '../../node_modules/faye'))

const bayeux = new faye.NodeAdapter({ mount: '/cometd/58.0', timeout: 2 })
const clients = new Map() // id -> channels
const places = new Map() // id -> what its subscription begins behind
const kept = new Map() // channel -> data
let replayId = 500

const deliver = (channel, data) => bayeux.getClient().publish(channel, data)

bayeux.addExtension({
  incoming (message, request, done) {
    const outside = request !== null && request !== undefined
    if (outside && !/^(Bearer|OAuth) planted-access$/.test(request.headers.authorization || '')) message.error = '401::Authentication invalid'
    if (outside && !message.channel.startsWith('/meta/')) message.error = '403::Publish denied'
    if (message.channel === '/meta/subscribe' && message.ext && message.ext.replay) places.set(message.clientId, message.ext.replay[message.subscription])
    done(message)
  },
  outgoing (message, done) {
    if (message.channel === '/meta/handshake') message.ext = { replay: true }
    done(message)
  }
})
bayeux.on('handshake', (id) => clients.set(id, []))
bayeux.on('subscribe', (id, channel) => {
  const from = places.get(id) ?? -1
  if (from !== -1) for (const data of kept.get(channel) || []) if (data.event.replayId > from) deliver(channel, data)
  clients.get(id)?.push(channel)
})
bayeux.on('disconnect', (id) => clients.delete(id))

const control = {
  publish: ({ channel, records }) => records.map((payload) => {
    const data = { schema: 'x', payload, event: { replayId: ++replayId } }
    kept.set(channel, [...(kept.get(channel) || []), data])
    deliver(channel, data)
    return replayId
  }),
  clients: () => [...clients.entries()].filter(([, channels]) => channels.length),
  'forget-clients': () => { for (const id of [...clients.keys()]) bayeux._server._engine._engine.destroyClient(id); return true }
}

const server = http.createServer((request, response) => {
  let body = ''
  request.on('data', (d) => { body += d })
  request.on('end', () => {
    const result = control[request.url.slice('/control/'.length)](body ? JSON.parse(body) : {})
    response.end(JSON.stringify({ result }))
  })
})
const own = server.listeners('request')[0]
bayeux.attach(server)
// faye takes its mount; what is ours is heard by it no more
const attached = server.listeners('request').slice()
server.removeAllListeners('request')
server.on('request', (request, response) => request.url.startsWith('/control/') ? own(request, response) : attached[0](request, response))
server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`))
