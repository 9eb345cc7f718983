// streaming.js
//	The Streaming API: Bayeux by long polling, with replay of platform events and change
//	events.  Sessions want their cookie, and end when nobody connects for a while.

'use strict'

const crypto = require('node:crypto')

const COOKIE = 'BAYEUX_BROWSER'

function install ({ routes, control, org, state }) {
  const clients = new Map()
  const kept = new Map() // channel -> events that can be replayed
  let replayId = 1000
  let sequence = 0
  // ms that a connect is held, and that a session lasts without one; events in an answer
  state.streaming = { hold: 1500, session: 40000, most: 2000 }

  const channelOf = (event) => event.endsWith('__e') ? `/event/${event}` : `/data/${event}`
  const exists = (channel) => {
    const name = /^\/(?:event|data)\/(\w+)$/.exec(channel)
    return channel === '/data/ChangeEvents' || (name && org.objects.has(name[1]) && channelOf(name[1]) === channel)
  }

  // ids grow, but not one by one
  function publish (event, payload, more = {}) {
    replayId += 1 + Math.floor(Math.random() * 3)
    const data = { schema: 'GHv2pJzV8Gq2wOtCBr4qsew', payload, event: { replayId, ...more } }
    for (const channel of event.endsWith('__e') ? [channelOf(event)] : [channelOf(event), '/data/ChangeEvents']) {
      if (!kept.has(channel)) kept.set(channel, [])
      kept.get(channel).push({ replayId, message: { data, channel } })
      for (const client of clients.values()) {
        if (!client.channels.has(channel)) continue
        client.queue.push({ data, channel })
        if (client.waiting) client.waiting()
      }
    }
    return replayId
  }

  org.on('change', ({ object, record, type, fields }) => {
    const event = object.name.endsWith('__c') ? object.name.replace(/__c$/, '__ChangeEvent') : `${object.name}ChangeEvent`
    if (!org.objects.has(event)) return
    const names = type === 'DELETE' ? [] : fields.filter((n) => n !== 'Id')
    publish(event, {
      ...Object.fromEntries(names.map((n) => {
        const f = org.field(object, n)
        return [n, f.type === 'datetime' && record[n] !== null ? new Date(record[n]).toISOString() : record[n]]
      })),
      ...(type === 'DELETE' ? {} : { LastModifiedDate: new Date(record.LastModifiedDate).toISOString() }),
      ChangeEventHeader: {
        commitNumber: 10585193272713 + ++sequence, commitUser: org.user.Id, sequenceNumber: 1, entityName: object.name, changeType: type,
        changedFields: type === 'UPDATE' ? [...names, 'LastModifiedDate'] : [], changeOrigin: 'com/salesforce/api/rest/58.0',
        transactionKey: crypto.randomUUID(), commitTimestamp: org.now(), recordIds: [record.Id]
      }
    })
  })

  // {event, records}: answers their replay ids
  control.publish = ({ event, records }) => records.map((r) => publish(event, {
    ...(event.endsWith('__e') ? { CreatedDate: new Date(org.now()).toISOString(), CreatedById: org.user.Id } : {}), ...r
  }, event.endsWith('__e') ? { EventUuid: crypto.randomUUID() } : {}))
  control.streaming = (values) => { Object.assign(state.streaming, values); return true }
  control['forget-clients'] = () => { for (const c of [...clients.values()]) end(c); return true }
  // events of before are not kept any more
  control.purge = ({ event }) => { kept.set(channelOf(event), []); return true }
  control.clients = () => [...clients.values()].map((c) => ({ id: c.id, channels: [...c.channels], waiting: Boolean(c.waiting) }))

  function end (client) {
    clients.delete(client.id)
    clearTimeout(client.timer)
    const { waiting } = client
    client.gone = true
    if (waiting) waiting()
  }

  function touch (client) {
    clearTimeout(client.timer)
    client.timer = setTimeout(end, state.streaming.session, client)
    client.timer.unref()
  }

  const advice = () => ({ reconnect: 'retry', interval: 0, timeout: state.streaming.hold })
  const unknown = (message) => ({ channel: message.channel, id: message.id, successful: false, error: '403::Unknown client', advice: { interval: 0, reconnect: 'handshake' } })

  function handle (context, message, finish) {
    const { headers } = context.request
    const refuse = (error, more = {}) => finish([{ channel: message.channel, id: message.id, successful: false, error, ...more }])
    const given = (headers.authorization || '').replace(/^(Bearer|OAuth) /, '')
    const valid = (state.tokens.get(given) || 0) > Date.now()

    if (message.channel === '/meta/handshake') {
      if (!valid) return refuse('403::Handshake denied', { ext: { sfdc: { failureReason: '401::Authentication invalid' }, replay: true }, advice: { reconnect: 'none' } })
      if (message.version !== '1.0') return refuse('400::Invalid version')
      if (!(message.supportedConnectionTypes || []).includes('long-polling')) return refuse('400::Invalid connection type')
      const client = { id: crypto.randomBytes(14).toString('hex'), cookie: crypto.randomBytes(8).toString('hex'), channels: new Set(), queue: [] }
      clients.set(client.id, client)
      touch(client)
      context.cookies = [`${COOKIE}=${client.cookie}; Path=/cometd/; HttpOnly`, 'CookieConsentPolicy=0:1; Path=/; Max-Age=31536000']
      return finish([{ ext: { replay: true, 'payload.format': true }, minimumVersion: '1.0', clientId: client.id, supportedConnectionTypes: ['long-polling'], channel: '/meta/handshake', id: message.id, version: '1.0', successful: true, advice: advice() }])
    }
    const client = clients.get(message.clientId)
    if (!client) return finish([unknown(message)])
    if (!(headers.cookie || '').split('; ').includes(`${COOKIE}=${client.cookie}`)) return refuse(`400::Client ${client.id} has established a session, but no ${COOKIE} cookie present`)
    if (!valid) return refuse('401::Authentication invalid', { clientId: client.id, advice: { reconnect: 'none', interval: 0 } })
    touch(client)
    switch (message.channel) {
      case '/meta/subscribe': {
        const channel = message.subscription
        if (!channel) return refuse('400::Channel name not specified')
        if (!channel.startsWith('/')) return refuse("400::Channel subscriptions must start with a leading '/'")
        if (!exists(channel)) return refuse(`400::The channel you requested to subscribe to does not exist {${channel}}`, { subscription: channel })
        if (state.streaming.full) return refuse('403::Organization concurrent user limit exceeded', { subscription: channel })
        const from = message.ext && message.ext.replay ? message.ext.replay[channel] : -1
        const events = kept.get(channel) || []
        if (from !== undefined && from !== -1 && from !== -2 && !events.some((e) => e.replayId === from)) {
          return refuse(`400::The replayId {${from}} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events.`, { subscription: channel })
        }
        client.channels.add(channel)
        if (from !== -1 && from !== undefined) client.queue.push(...events.filter((e) => e.replayId > from).map((e) => e.message))
        return finish([{ clientId: client.id, channel: '/meta/subscribe', id: message.id, subscription: channel, successful: true }])
      }
      case '/meta/connect': {
        let timer
        if (message.connectionType !== 'long-polling') return refuse(`400::Invalid connection type ${message.connectionType}`)
        const answer = () => {
          clearTimeout(timer)
          client.waiting = null
          if (client.gone) return finish([unknown(message)])
          touch(client)
          finish([...client.queue.splice(0, state.streaming.most), { clientId: client.id, advice: advice(), channel: '/meta/connect', id: message.id, successful: true }])
        }
        clearTimeout(client.timer)
        if (client.queue.length || (message.advice && message.advice.timeout === 0)) return answer()
        client.waiting = answer
        timer = setTimeout(answer, state.streaming.hold)
        return
      }
      case '/meta/disconnect':
        end(client)
        return finish([{ clientId: client.id, channel: '/meta/disconnect', id: message.id, successful: true }])
      default:
        return refuse('403::Publish denied')
    }
  }

  routes.push(
    ['POST', /^\/cometd\/(\d+\.\d)(?:\/(?:handshake|connect))?\/?$/, (context) => {
      if (!/^application\/json/.test(context.request.headers['content-type'] || '')) return context.error(415, 'UNSUPPORTED_MEDIA_TYPE', 'The Content-Type is not supported')
      const messages = JSON.parse(context.body)
      if (!Array.isArray(messages) || !messages.length) return context.json(400, [{ successful: false, error: '400::Bad request' }])
      const answers = []
      let left = messages.length
      for (const message of messages) {
        handle(context, message, (more) => {
          answers.push(...more)
          if (--left > 0) return
          const denied = answers[0].error === '403::Handshake denied'
          context.json(denied ? 403 : 200, answers, context.cookies ? { 'Set-Cookie': context.cookies } : {})
        })
      }
    }, { open: true }],
    ['POST', /^\/cometd\/?$/, (context) => context.json(400, [{ successful: false, error: "400::API version in the URI is mandatory. URI format: '/cometd/58.0'" }]), { open: true }]
  )
}

module.exports = { install }
