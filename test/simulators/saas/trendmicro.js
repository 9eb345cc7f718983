// Deep Security's (Workload Security's) API: searches of computers, policies and the like.
//
//   node trendmicro.js        prints "ready PORT"
//
// Keys planted-trend and 1:A1B2 are good until /control/expire. See ../rest/service.js.

'use strict'

const { Service } = require('../rest/service')

const failed = (status, message) => ({ status, body: { message } })
const EXPANDS = ['none', 'all', 'computerStatus']
const collections = {
  computers: {
    member: 'computers',
    make: (n) => ({
      hostName: `wéb-${n}.example`, displayName: n % 3 === 0 ? '' : `web "${n}"`, description: null, lastIPUsed: `10.0.0.${n % 250}`, platform: 'Ubuntu Linux 22', agentVersion: '20.0.0.100', policyID: n % 2 ? 7 : undefined, groupID: 0,
      lastAgentCommunication: 1704067200000 + n * 60000, ID: n, computerStatus: { agentStatus: n % 4 ? 'active' : 'inactive' }, locked: n % 2 === 0
    })
  },
  policies: { member: 'policies', make: (n) => ({ name: `policy ${n}`, description: '', parentID: n > 1 ? 1 : undefined, ID: n, autoRequiresUpdate: 'on' }) },
  intrusionpreventionrules: { member: 'intrusionPreventionRules', make: (n) => ({ name: `rule ${n}`, identifier: String(1000000 + n), severity: 'critical', type: 'exploit', lastUpdated: 1704067200000, CVSSScore: '10.0', ID: n }) }
}

class Manager {
  constructor() {
    this.settings = { short: 0 }
    this.keys = new Set(['planted-trend', '1:A1B2'])
    this.rows = new Map(Object.keys(collections).map((name) => [name, []]))
  }

  expire() {
    this.settings.expired = true
  }

  seed(what) {
    for (const [name, have] of Object.entries(what)) this.rows.set(name, typeof have === 'number' ? Array.from({ length: have }, (_, i) => collections[name].make(i + 1)) : have)
    return {}
  }

  records(name) {
    return this.rows.get(name)
  }

  throttled() {
    return failed(429, 'Too many API requests.')
  }

  async handle(request) {
    if (request.headers['api-version'] !== 'v1') return failed(400, 'The request header api-version is missing or not supported.')
    if (this.settings.expired || !this.keys.has(request.headers['api-secret-key'])) return failed(403, 'Authentication required.')
    const match = /^\/api\/(\w+)\/search$/.exec(request.path)
    if (!match || !collections[match[1]]) return failed(404, 'Not found.')
    if (request.method !== 'POST') return failed(405, 'Method not allowed.')
    if (request.query.has('expand') && !EXPANDS.includes(request.query.get('expand'))) return failed(400, 'Invalid expand.')
    let search
    try {
      search = request.json()
    } catch {
      return failed(400, 'Invalid JSON.')
    }
    return this.search(match[1], search, request.query.get('expand') || 'all')
  }

  search(name, { maxItems = 5000, sortByObjectID = false, searchCriteria = [], ...other }, expand) {
    if (Object.keys(other).length > 0) return failed(400, `Unknown property ${Object.keys(other)[0]}.`)
    if (!Number.isInteger(maxItems) || maxItems < 1 || maxItems > 5000) return failed(400, 'maxItems must be between 1 and 5000.')
    if (!Array.isArray(searchCriteria)) return failed(400, 'searchCriteria must be an array.')
    let rows = this.rows.get(name)
    for (const { idTest, idValue, ...rest } of searchCriteria) {
      if (Object.keys(rest).length > 0) return failed(400, `Unknown property ${Object.keys(rest)[0]}.`)
      if (idTest !== 'greater-than' || !Number.isInteger(idValue)) return failed(400, 'Invalid search criteria: idValue must be a number.')
      rows = rows.filter((row) => row.ID > idValue)
    }
    // without an order the server keeps none
    rows = sortByObjectID ? [...rows].sort((a, b) => a.ID - b.ID) : [...rows].reverse()
    const page = rows.slice(0, Math.max(1, maxItems - this.settings.short)).map((row) => {
      const { computerStatus, ...rest } = row
      return computerStatus === undefined || expand === 'none' ? rest : { ...rest, computerStatus }
    })
    return { status: 200, body: { [collections[name].member]: page } }
  }
}

new Service(new Manager()).start()
