// destinations.js KEY SECRET TOKEN REGION
//	Amazon EventBridge (PutEvents, ListEventBuses) and Amazon Connect Customer Profiles
//	(PutProfileObject and what lists and describes), which take only requests that are
//	signed right, keep the services' limits, and refuse what those refuse.
//
//	GET  /_log       requests since the last time
//	GET  /_events    events taken; GET /_objects  profile objects taken
//	POST /_answers   [{status, headers, body, cut}], one a request; then as usual
//	POST /_throttle  {"detail": n}: so many entries of PutEvents fail with ThrottlingException
//	and what ../http/faults.js has

'use strict';

const http = require('http');
const { complaint } = require('../appflow/sigv4.js');
const { Faults } = require('../http/faults.js');

const faults = new Faults();

const [key, secret, token, region] = process.argv.slice(2);
let log = [];
let answers = [];
let throttled = 0;
const events = [];
const objects = new Map();
const buses = ['default', 'orders', ...Array.from({ length: 120 }, (_, i) => `bus-${i}`)];

const type = {
	DomainName: 'shop', ObjectTypeName: 'Contact', Description: 'Contacts', AllowProfileCreation: true,
	Fields: { id: { Source: '_source.Id', ContentType: 'STRING' }, email: { Source: '_source.Email', Target: '_profile.EmailAddress', ContentType: 'EMAIL_ADDRESS' },
		age: { Source: '_source.Age', ContentType: 'NUMBER' } },
	Keys: { _id: [{ StandardIdentifiers: ['UNIQUE', 'PROFILE'], FieldNames: ['id'] }] },
};

function reply(response, status, body, headers = {}) {
	response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
	response.end(JSON.stringify(body));
}
const refuse = (response, status, name, Message) => reply(response, status, { Message }, { 'x-amzn-ErrorType': name });

function putEvents(response, body) {
	const { Entries } = JSON.parse(body);
	if (!Array.isArray(Entries) || Entries.length < 1 || Entries.length > 10)
		return refuse(response, 400, 'ValidationException', "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length less than or equal to 10");
	const size = (e) => (e.Time ? 14 : 0) + [e.Source, e.DetailType, e.Detail, ...(e.Resources || [])].reduce((sum, text) => sum + Buffer.byteLength(text || ''), 0);
	if (Entries.reduce((sum, e) => sum + size(e), 0) > 256 * 1024)
		return refuse(response, 400, 'ValidationException', 'Total size of the entries in the request is over the limit.');
	let FailedEntryCount = 0;
	const results = Entries.map((e) => {
		const fail = (ErrorCode, ErrorMessage) => { FailedEntryCount++; return { ErrorCode, ErrorMessage }; };
		let detail;
		try { detail = JSON.parse(e.Detail); } catch { detail = null; }
		if (detail === null || typeof detail !== 'object' || Array.isArray(detail)) return fail('MalformedDetail', 'Detail is malformed.');
		if (!e.Source || !e.DetailType || Buffer.byteLength(e.DetailType) > 128) return fail('InvalidArgument', 'Parameter Source is not valid.');
		if (e.Source.startsWith('aws.')) return fail('NotAuthorizedForSourceException', 'Not authorized for the source.');
		if (!buses.includes(e.EventBusName.replace(/^.*event-bus\//, ''))) return fail('InvalidArgument', `Event bus ${e.EventBusName} does not exist.`);
		if (typeof e.Time !== 'number') return fail('InvalidArgument', 'Time');
		if (throttled > 0) { throttled--; return fail('ThrottlingException', 'Rate exceeded'); }
		if (detail.poison) return fail('RedactionFailure', 'The event cannot be redacted.');
		events.push({ ...e, Detail: detail });
		return { EventId: `event-${events.length}` };
	});
	return reply(response, 200, { FailedEntryCount, Entries: results });
}

function listBuses(response, body) {
	const { Limit, NextToken } = JSON.parse(body);
	if (!(Limit >= 1 && Limit <= 100)) return refuse(response, 400, 'ValidationException', 'Limit');
	const from = Number(NextToken || 0);
	return reply(response, 200, { EventBuses: buses.slice(from, from + Limit).map((Name) => ({ Name, Arn: `arn:aws:events:${region}:1:event-bus/${Name}` })),
		...(from + Limit < buses.length ? { NextToken: String(from + Limit) } : {}) });
}

function profiles(request, response, body) {
	const path = new URL(request.url, 'http://x');
	const parts = path.pathname.split('/').slice(1).map(decodeURIComponent);
	if (request.method === 'GET' && path.pathname === '/domains') return reply(response, 200, { Items: [{ DomainName: 'shop' }] });
	if (parts[1] !== 'shop') return refuse(response, 404, 'ResourceNotFoundException', 'Domain not found');
	if (request.method === 'GET' && parts.length === 3) return reply(response, 200, { Items: [{ ObjectTypeName: type.ObjectTypeName, Description: type.Description }] });
	if (request.method === 'GET' && parts[3] === 'Contact') return reply(response, 200, type);
	if (request.method === 'GET') return refuse(response, 404, 'ResourceNotFoundException', 'Object type not found');
	if (request.method !== 'PUT' || parts.slice(2).join('/') !== 'profiles/objects') return refuse(response, 404, 'ResourceNotFoundException', 'no such path');
	const { ObjectTypeName, Object: text } = JSON.parse(body);
	if (ObjectTypeName !== 'Contact') return refuse(response, 404, 'ResourceNotFoundException', 'Object type not found');
	if (text.length > 256000) return refuse(response, 400, 'BadRequestException', 'Object is too long');
	const object = JSON.parse(text);
	if (object.Id === null || object.Id === undefined) return refuse(response, 400, 'BadRequestException', 'The object has no value for the unique key _id.');
	objects.set(object.Id, object);
	return reply(response, 200, { ProfileObjectUniqueKey: `key-${object.Id}` });
}

const server = http.createServer((request, response) => {
	const pieces = [];
	request.on('data', (piece) => pieces.push(piece));
	request.on('end', () => {
		const body = Buffer.concat(pieces);
		if (request.url === '/_log') return reply(response, 200, log.splice(0));
		if (request.url === '/_events') return reply(response, 200, events);
		if (request.url === '/_objects') return reply(response, 200, [...objects.values()]);
		if (request.url === '/_answers') { answers = JSON.parse(body); return reply(response, 200, {}); }
		if (request.url === '/_throttle') { throttled = JSON.parse(body).detail; return reply(response, 200, {}); }
		const told = faults.control(request.url, body);
		if (told !== undefined) return reply(response, 200, told);
		const target = request.headers['x-amz-target'];
		const wrong = complaint(request, body, { key, secret, token, region, service: target ? 'events' : 'profile' });
		log.push({ method: request.method, url: request.url, target, accepted: !wrong, body: String(body) });
		if (wrong) return reply(response, 403, { message: wrong[1] }, { 'x-amzn-ErrorType': wrong[0] });
		const fault = faults.due(`${request.method} ${request.url} ${target || ''}`, response);
		if (response.writableEnded) return undefined;
		if (fault === 'throttle') return target ? reply(response, 400, { __type: 'ThrottlingException', message: 'Rate exceeded' }) : refuse(response, 429, 'ThrottlingException', 'Rate exceeded');
		const next = answers.shift();
		if (next && next.cut) return request.socket.destroy();
		if (next) return reply(response, next.status, next.body || {}, next.headers);
		if (target === 'AWSEvents.PutEvents') return putEvents(response, body);
		if (target === 'AWSEvents.ListEventBuses') return listBuses(response, body);
		if (target) return refuse(response, 400, 'UnknownOperationException', target);
		return profiles(request, response, body);
	});
});
server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`));
