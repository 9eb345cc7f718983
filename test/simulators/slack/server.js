// Slack's Web API for reading: channels, messages, threads, members, users.
//
//   node server.js        prints "ready PORT"
//
// Tokens planted-slack and xoxb-2718-2818-a1b2c3 have all scopes, planted-slack-public no private channels,
// planted-slack-rotating expires at /control/expire and is renewed by planted-slack-refresh.
// See ../rest/service.js.

'use strict'

const { Service, Tokens } = require('../rest/service')

const ALL = ['channels:read', 'groups:read', 'channels:history', 'groups:history', 'users:read', 'users:read.email']
const ok = (body, next) => ({ status: 200, body: { ok: true, ...body, response_metadata: { next_cursor: next || '' } } })
const failed = (error, more) => ({ status: 200, body: { ok: false, error, ...more } })
const cursor_of = (text) => Buffer.from(text).toString('base64')

// methods and the scopes that they need
const methods = {
  'auth.test': null,
  'api.test': null,
  'conversations.list': 'read',
  'conversations.info': 'read',
  'conversations.members': 'read',
  'conversations.history': 'history',
  'conversations.replies': 'history',
  'users.list': 'users:read',
  'users.info': 'users:read',
  'oauth.v2.access': null
}

// microseconds of a message's time; as numbers they are exact, as doubles of seconds they are not
const micros = (ts) => {
  const match = /^(\d{1,10})(?:\.(\d{1,6}))?$/.exec(ts)
  return match ? BigInt(match[1]) * 1000000n + BigInt((match[2] || '').padEnd(6, '0')) : null
}

const START = 1704067200

function message(channel, n) {
  const text = n % 10 === 0 ? `Ünï "${n}" \\ \u{1F4A5} <@U0000001>` : `message ${n}`
  return {
    type: 'message', user: `U${String(1 + (n % 20)).padStart(7, '0')}`, text, team: 'T0000001', client_msg_id: `c-${n}`,
    ts: `${START + n * 60}.${String(n % 1000).padStart(6, '0')}`,
    blocks: [{ type: 'rich_text', block_id: `b${n}`, elements: [] }],
    ...(n % 4 === 0 ? { reactions: [{ name: 'tada', users: ['U0000001'], count: 1 }] } : {}),
    ...(n % 9 === 0 ? { subtype: 'bot_message', bot_id: 'B0000001', username: 'bot' } : {})
  }
}

const channel = (n) => ({
  id: `C${String(n).padStart(7, '0')}`, name: `channel-${n}`, name_normalized: `channel-${n}`, is_channel: true, is_group: false, is_im: false, is_mpim: false, is_private: n % 5 === 0,
  is_archived: n % 7 === 0, is_general: n === 1, is_member: true, is_shared: false, is_org_shared: false, is_ext_shared: false, created: START, creator: 'U0000001', unlinked: 0,
  topic: { value: `topic ${n}`, creator: '', last_set: 0 }, purpose: { value: '', creator: '', last_set: 0 }, previous_names: [], num_members: n
})

const user = (n) => ({
  id: `U${String(n).padStart(7, '0')}`, team_id: 'T0000001', name: `user${n}`, deleted: n % 9 === 0, color: '9f69e7', real_name: `User ${n}`, tz: 'Europe/Berlin', tz_label: 'Central European Time', tz_offset: 3600,
  profile: { real_name: `User ${n}`, display_name: `u${n}`, email: `user${n}@example.com`, status_text: '', status_emoji: '', image_24: 'https://example.com/24.png', team: 'T0000001' },
  is_admin: n === 1, is_owner: n === 1, is_primary_owner: n === 1, is_restricted: false, is_ultra_restricted: false, is_bot: n % 8 === 0, is_app_user: false, is_email_confirmed: true, updated: START + n * 60
})

class Workspace {
  constructor() {
    this.settings = {
      short: 0, // pages are shorter by so many, though they are not the last
      strangers: [] // channels that the bot is no member of
    }
    this.tokens = new Tokens('slack', 43200)
    this.given = new Map([['planted-slack', ALL], ['xoxb-2718-2818-a1b2c3', ALL], ['planted-slack-public', ['channels:read', 'channels:history', 'users:read']], ['planted-slack-rotating', ALL], ['planted-slack-none', []]])
    this.tokens.refresh.set('planted-slack-refresh', { scopes: ALL, access: 'planted-slack-rotating' })
    this.expired = new Set()
    this.channels = []
    this.users = []
    this.messages = new Map() // channel => messages, the oldest first
  }

  expire() {
    for (const token of [...this.tokens.access.keys(), 'planted-slack-rotating']) this.expired.add(token)
  }

  // {"channels": n, "users": n, "messages": {"C0000001": n, or records}}
  seed(what) {
    const rows = (have, make) => typeof have === 'number' ? Array.from({ length: have }, (_, i) => make(i + 1)) : have
    if (what.channels !== undefined) this.channels = rows(what.channels, channel)
    if (what.users !== undefined) this.users = rows(what.users, user)
    for (const [name, have] of Object.entries(what.messages || {})) this.messages.set(name, rows(have, (n) => message(name, n)))
    return { channels: this.channels.length, users: this.users.length }
  }

  records(name) {
    return name === 'users' ? this.users : name === 'channels' ? this.channels : this.messages.get(name)
  }

  throttled() {
    return { status: 429, headers: { 'Retry-After': '1' }, body: { ok: false, error: 'ratelimited' } }
  }

  async handle(request) {
    const match = /^\/api\/([\w.]+)$/.exec(request.path)
    if (!match) return { status: 404, headers: { 'Content-Type': 'text/html' }, text: '<!DOCTYPE html><html><body>There has been a glitch</body></html>' }
    const method = match[1]
    if (!(method in methods)) return failed('unknown_method', { req_method: method })
    const args = new URLSearchParams(request.query)
    if (request.method === 'POST') {
      const type = request.headers['content-type'] || ''
      if (/^application\/x-www-form-urlencoded/.test(type)) new URLSearchParams(request.body).forEach((value, name) => args.set(name, value))
      else if (request.body) return failed('invalid_post_type')
    } else if (request.method !== 'GET') return failed('invalid_post_type')
    if (method === 'oauth.v2.access') return this.token(args)
    const header = /^Bearer (.+)$/.exec(request.headers.authorization || '')
    if (args.has('token')) return failed('invalid_arg_name', { response_metadata: { messages: ['simulator: tokens belong into the header'] } })
    if (!header) return failed('not_authed')
    const token = header[1]
    if (this.expired.has(token)) return failed('token_expired')
    const scopes = this.given.get(token) || this.tokens.access.get(token)
    if (!scopes) return failed('invalid_auth')
    return this.call(method, args, scopes)
  }

  token(args) {
    if (args.get('client_id') !== 'planted-client' || args.get('client_secret') !== 'planted-client-secret') return failed('bad_client_secret')
    let issued = null
    if (args.get('grant_type') === 'refresh_token') issued = this.tokens.renew(args.get('refresh_token'))
    else if (args.get('code') === 'planted-code') issued = this.tokens.issue(ALL)
    if (!issued) return failed(args.get('grant_type') === 'refresh_token' ? 'invalid_refresh_token' : 'invalid_code')
    return { status: 200, body: { ok: true, access_token: issued.access, refresh_token: issued.refresh, token_type: 'bot', scope: ALL.join(','), expires_in: issued.lifetime, team: { id: 'T0000001', name: 'Acme' } } }
  }

  needs(scopes, needed) {
    return needed.every((scope) => scopes.includes(scope)) ? null : failed('missing_scope', { needed: needed.join(','), provided: scopes.join(',') })
  }

  // a page of rows; next: text of the cursor behind it
  page(args, rows, standard, make) {
    const limit = args.has('limit') ? Number(args.get('limit')) : standard
    if (!Number.isInteger(limit) || limit < 0 || limit > 1000) return failed('invalid_limit')
    let at = 0
    const cursor = args.get('cursor')
    if (cursor) {
      const match = /^at:(\d+)$/.exec(Buffer.from(cursor, 'base64').toString())
      if (!match) return failed('invalid_cursor')
      at = Number(match[1])
    }
    const size = Math.max(1, (limit || standard) - this.settings.short)
    const part = rows.slice(at, at + size)
    const more = at + part.length < rows.length
    return ok(make(part, more), more ? cursor_of(`at:${at + part.length}`) : '')
  }

  // the channel of a call, or an answer that says why not
  channel_of(args, scopes, kind) {
    const one = this.channels.find(({ id }) => id === args.get('channel'))
    const lacking = (one && one.is_private) ? this.needs(scopes, [`groups:${kind}`]) : this.needs(scopes, [`channels:${kind}`])
    if (lacking) return { answer: lacking }
    if (!one) return { answer: failed('channel_not_found') }
    if (this.settings.strangers.includes(one.id)) return { answer: failed('not_in_channel') }
    return { one }
  }

  between(args, rows) {
    const bounds = {}
    for (const name of ['oldest', 'latest']) {
      if (!args.has(name) || args.get(name) === '' || (name === 'oldest' && args.get(name) === '0')) continue
      bounds[name] = micros(args.get(name))
      if (bounds[name] === null) return failed(`invalid_ts_${name}`)
    }
    const inclusive = ['true', '1'].includes(args.get('inclusive'))
    return rows.filter(({ ts }) => {
      const at = micros(ts)
      return (bounds.oldest === undefined || at > bounds.oldest || (inclusive && at === bounds.oldest)) &&
        (bounds.latest === undefined || at < bounds.latest || (inclusive && at === bounds.latest))
    })
  }

  call(method, args, scopes) {
    if (method === 'auth.test') return { status: 200, body: { ok: true, url: 'https://acme.slack.com/', team: 'Acme', user: 'bot', team_id: 'T0000001', user_id: 'U0000001' } }
    if (method === 'api.test') return { status: 200, body: { ok: true } }
    if (method === 'users.list') {
      const lacking = this.needs(scopes, ['users:read'])
      return lacking || this.page(args, this.users, 1000, (members) => ({ members, cache_ts: START }))
    }
    if (method === 'users.info') {
      const one = this.users.find(({ id }) => id === args.get('user'))
      return this.needs(scopes, ['users:read']) || (one ? ok({ user: one }) : failed('user_not_found'))
    }
    if (method === 'conversations.list') {
      const types = (args.get('types') || 'public_channel').split(',')
      const known = { public_channel: 'channels:read', private_channel: 'groups:read', im: 'im:read', mpim: 'mpim:read' }
      if (types.some((type) => !known[type])) return failed('invalid_types')
      const lacking = this.needs(scopes, types.map((type) => known[type]))
      if (lacking) return lacking
      const rows = this.channels.filter((one) => types.includes(one.is_private ? 'private_channel' : 'public_channel') && !(one.is_archived && ['true', '1'].includes(args.get('exclude_archived'))))
      return this.page(args, rows, 100, (channels) => ({ channels }))
    }
    const { one, answer } = this.channel_of(args, scopes, methods[method])
    if (answer) return answer
    if (method === 'conversations.info') return ok({ channel: one })
    if (method === 'conversations.members') return this.page(args, this.users.map(({ id }) => id), 100, (members) => ({ members }))
    const all = this.messages.get(one.id) || []
    if (method === 'conversations.replies') {
      if (!all.some(({ ts }) => ts === args.get('ts'))) return failed('thread_not_found')
      const rows = this.between(args, all.filter(({ ts, thread_ts }) => ts === args.get('ts') || thread_ts === args.get('ts')))
      return Array.isArray(rows) ? this.page(args, rows, 1000, (messages, has_more) => ({ messages, has_more })) : rows
    }
    // replies are not part of the history, unless they were sent to the channel too
    const rows = this.between(args, all.filter(({ ts, thread_ts, subtype }) => thread_ts === undefined || thread_ts === ts || subtype === 'thread_broadcast'))
    if (!Array.isArray(rows)) return rows
    return this.page(args, rows.sort((a, b) => (micros(b.ts) > micros(a.ts) ? 1 : -1)), 100, (messages, has_more) => ({ messages, has_more, pin_count: 0 }))
  }
}

new Service(new Workspace()).start()
