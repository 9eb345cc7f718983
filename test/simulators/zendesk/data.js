// The entities of a Zendesk account, and records to fill them with.

'use strict'

const START = Date.UTC(2024, 0, 1) / 1000
const id = (row) => row.id

// one, many: members of answers; url: records have their own; export: by incremental exports, cursor: with cursors;
// write: rows of bulk jobs, true; or records one by one
const entities = {
  tickets: { one: 'ticket', many: 'tickets', key: id, url: true, export: true, cursor: true, bulk: true },
  users: { one: 'user', many: 'users', key: id, url: true, export: true, cursor: true, bulk: true, upsert: true },
  organizations: { one: 'organization', many: 'organizations', key: id, url: true, export: true, bulk: true },
  groups: { one: 'group', many: 'groups', key: id, url: true, single: true },
  satisfaction_ratings: { one: 'satisfaction_rating', many: 'satisfaction_ratings', key: id, url: true },
  ticket_fields: { one: 'ticket_field', many: 'ticket_fields', key: id, url: true },
  user_fields: { one: 'user_field', many: 'user_fields', key: id, url: true },
  organization_fields: { one: 'organization_field', many: 'organization_fields', key: id, url: true },
  ticket_metrics: { one: 'ticket_metric', many: 'ticket_metrics', key: id, url: true },
  ticket_forms: { one: 'ticket_form', many: 'ticket_forms', key: id, url: true },
  group_memberships: { one: 'group_membership', many: 'group_memberships', key: id, url: true },
  organization_memberships: { one: 'organization_membership', many: 'organization_memberships', key: id, url: true },
  brands: { one: 'brand', many: 'brands', key: id, url: true },
  macros: { one: 'macro', many: 'macros', key: id, url: true },
  views: { one: 'view', many: 'views', key: id, url: true },
  tags: { one: 'tag', many: 'tags', key: (row) => row.name },
  ticket_audits: { one: 'audit', many: 'audits', key: id },
  ticket_events: { one: 'ticket_event', many: 'ticket_events', key: id, export: true, hidden: true },
  ticket_metric_events: { one: 'ticket_metric_event', many: 'ticket_metric_events', key: id, export: true, hidden: true }
}

const time = (n) => new Date((START + n * 60) * 1000).toISOString().replace('.000', '')
const pick = (values, n) => values[n % values.length]
const statuses = ['new', 'open', 'pending', 'hold', 'solved', 'closed']

const makers = {
  tickets: (n) => ({
    id: n, external_id: n % 4 === 0 ? `ext-${n}` : null, via: { channel: 'web', source: { from: {}, to: {}, rel: null } },
    created_at: time(n), updated_at: time(n * 2), type: pick(['incident', 'problem', 'question', null], n),
    subject: n % 10 === 0 ? `Ünïcode "${n}" \\ 日本 \u{1F4A5}` : `Printer ${n} smokes`, raw_subject: `Printer ${n} smokes`,
    description: `line 1\nline 2 of ${n}`, priority: pick(['low', 'normal', 'high', 'urgent', null], n), status: pick(statuses, n),
    recipient: null, requester_id: 1000 + (n % 7), submitter_id: 1000, assignee_id: n % 3 ? 2000 + (n % 3) : null, organization_id: 3000 + (n % 5),
    group_id: 4000 + (n % 2), collaborator_ids: [], follower_ids: n % 2 ? [1001, 1002] : [], email_cc_ids: [], forum_topic_id: null, problem_id: null,
    has_incidents: false, is_public: true, due_at: null, tags: n % 2 ? ['vip', `t${n}`] : [],
    custom_fields: [{ id: 360001, value: n % 2 ? 'vip' : null }, { id: 360002, value: n * 1.5 }], satisfaction_rating: { score: 'unoffered' },
    sharing_agreement_ids: [], custom_status_id: 1, followup_ids: [], ticket_form_id: 50, brand_id: 60,
    allow_channelback: false, allow_attachments: true, from_messaging_channel: false
  }),
  users: (n) => ({
    id: n, name: `User ${n}`, email: `user${n}@example.com`, created_at: time(n), updated_at: time(n * 2), time_zone: 'UTC', iana_time_zone: 'Etc/UTC',
    phone: n % 3 ? null : `+49 30 ${n}`, shared_phone_number: null, photo: null, locale_id: 1, locale: 'en-US', organization_id: 3000 + (n % 5),
    role: pick(['end-user', 'agent', 'admin'], n), verified: n % 2 === 0, external_id: n % 2 ? `u-${n}` : null, tags: [], alias: '', active: true, shared: false,
    shared_agent: false, last_login_at: null, two_factor_auth_enabled: false, signature: null, details: '', notes: '', role_type: null, custom_role_id: null,
    moderator: false, ticket_restriction: 'requested', only_private_comments: false, restricted_agent: true, suspended: false, default_group_id: null,
    report_csv: false, user_fields: { plan: pick(['gold', 'silver'], n), seats: n }
  }),
  organizations: (n) => ({
    id: n, name: `Org ${n}`, shared_tickets: false, shared_comments: false, external_id: `o-${n}`, created_at: time(n), updated_at: time(n * 2),
    domain_names: [`org${n}.example`], details: '', notes: null, group_id: null, tags: [], organization_fields: { region: pick(['emea', 'apac'], n) }
  }),
  groups: (n) => ({ id: n, name: `Group ${n}`, description: '', default: n === 1, deleted: false, is_public: true, created_at: time(n), updated_at: time(n) }),
  satisfaction_ratings: (n) => ({
    id: n, assignee_id: 2001, group_id: 4001, requester_id: 1001, ticket_id: n, score: pick(['good', 'bad', 'offered'], n), comment: n % 2 ? 'thanks' : null,
    reason: null, reason_id: null, reason_code: 0, created_at: time(n), updated_at: time(n)
  }),
  ticket_fields: (n) => ({
    id: 360000 + n, type: pick(['text', 'decimal', 'checkbox', 'date', 'integer', 'regexp', 'multiselect', 'tagger'], n - 1), title: `Field ${n}`, raw_title: `Field ${n}`,
    description: '', raw_description: '', position: n, active: true, required: false, collapsed_for_agents: false, regexp_for_validation: null,
    title_in_portal: `Field ${n}`, raw_title_in_portal: `Field ${n}`, visible_in_portal: false, editable_in_portal: false, required_in_portal: false,
    tag: null, removable: true, agent_description: null, created_at: time(n), updated_at: time(n)
  }),
  user_fields: (n) => ({ id: n, key: pick(['plan', 'seats', 'since', 'vip'], n - 1), type: pick(['text', 'integer', 'date', 'checkbox'], n - 1), title: `Field ${n}`, raw_title: `Field ${n}`, description: '', raw_description: '', position: n, active: true, system: false, regexp_for_validation: null, created_at: time(n), updated_at: time(n) }),
  organization_fields: (n) => ({ id: n, key: pick(['region', 'score'], n - 1), type: pick(['dropdown', 'decimal'], n - 1), title: `Field ${n}`, raw_title: `Field ${n}`, description: '', raw_description: '', position: n, active: true, system: false, regexp_for_validation: null, created_at: time(n), updated_at: time(n) }),
  ticket_metrics: (n) => ({
    id: n, ticket_id: n, group_stations: 1, assignee_stations: 1, reopens: 0, replies: n % 4, assignee_updated_at: time(n), requester_updated_at: time(n), status_updated_at: time(n),
    initially_assigned_at: time(n), assigned_at: time(n), solved_at: null, latest_comment_added_at: time(n),
    reply_time_in_minutes: { calendar: n, business: n }, first_resolution_time_in_minutes: { calendar: null, business: null },
    full_resolution_time_in_minutes: { calendar: null, business: null }, agent_wait_time_in_minutes: { calendar: null, business: null },
    requester_wait_time_in_minutes: { calendar: null, business: null }, on_hold_time_in_minutes: { calendar: 0, business: 0 }, created_at: time(n), updated_at: time(n)
  }),
  ticket_forms: (n) => ({ id: n, name: `Form ${n}`, raw_name: `Form ${n}`, display_name: `Form ${n}`, raw_display_name: `Form ${n}`, end_user_visible: true, position: n, ticket_field_ids: [1, 2], active: true, default: n === 1, in_all_brands: true, restricted_brand_ids: [], created_at: time(n), updated_at: time(n) }),
  group_memberships: (n) => ({ id: n, user_id: n, group_id: 1, default: true, created_at: time(n), updated_at: time(n) }),
  organization_memberships: (n) => ({ id: n, user_id: n, organization_id: 1, default: true, organization_name: 'Org 1', view_tickets: true, created_at: time(n), updated_at: time(n) }),
  brands: (n) => ({ id: n, name: `Brand ${n}`, brand_url: `https://brand${n}.example`, subdomain: `brand${n}`, host_mapping: null, has_help_center: true, help_center_state: 'enabled', active: true, default: n === 1, is_deleted: false, logo: null, ticket_form_ids: [1], signature_template: '{{agent.signature}}', created_at: time(n), updated_at: time(n) }),
  macros: (n) => ({ id: n, title: `Macro ${n}`, active: true, position: n, description: null, default: false, actions: [{ field: 'status', value: 'solved' }], restriction: null, created_at: time(n), updated_at: time(n) }),
  views: (n) => ({ id: n, title: `View ${n}`, active: true, position: n, description: null, default: false, execution: {}, conditions: { all: [], any: [] }, restriction: null, created_at: time(n), updated_at: time(n) }),
  tags: (n) => ({ name: `tag${n}`, count: n }),
  ticket_audits: (n) => ({ id: n, ticket_id: 1 + (n % 9), created_at: time(n), author_id: 1001, metadata: { system: {}, custom: {} }, events: [{ id: n, type: 'Create', field_name: 'status', value: 'new' }], via: { channel: 'web' } }),
  ticket_events: (n) => ({
    id: n, ticket_id: 1 + (n % 9), timestamp: START + n * 120, created_at: time(n * 2), updater_id: 1001, via: 'Web form', system: {}, metadata: {}, event_type: 'Audit',
    child_events: [{ id: n + 100000, via: 'Web form', via_reference_id: null, event_type: 'Change', status: 'open', previous_value: 'new' }]
  }),
  ticket_metric_events: (n) => ({ id: n, ticket_id: 1 + (n % 9), metric: 'reply_time', instance_id: 1, type: pick(['activate', 'pause', 'fulfill'], n), time: time(n * 2) })
}

const generate = (name, n) => makers[name](n)

module.exports = { entities, generate, statuses }
