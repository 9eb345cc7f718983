// lambda.js KEY SECRET TOKEN REGION
//	AWS Lambda with two functions that are connectors of AppFlow, "crm", which has no
//	data, and "orders": takes only invocations that are signed right, keeps what arrived.
//
//	GET  /_log      what arrived since the last time
//	POST /_answers  [{status, headers, body or base64, delay, cut, large, lose}], one an
//	                invocation; then what the connector says.  lose: it works, but its answer
//	                gets lost; "skip" is an invocation like any other
//	POST /_records  [{id, name, price, updated}], the records of its entity Order
//	GET  /_records  what they are now
//	and what ../http/faults.js has

'use strict';

const http = require('http');
const { complaint } = require('./sigv4.js');
const { parse } = require('./filter.js');
const { Faults } = require('../http/faults.js');

const faults = new Faults();

const [key, secret, token, region] = process.argv.slice(2);
let records = new Map();
let log = [];
let answers = [];

const connector = {
	DescribeConnectorConfigurationRequest: () => ({
		isSuccess: true, connectorOwner: 'acme', connectorName: 'CRM', connectorVersion: '1.0', connectorModes: ['SOURCE'],
		supportedApiVersions: ['v1'], authenticationConfig: { isBasicAuthSupported: false, isApiKeyAuthSupported: true, isOAuth2Supported: false, isCustomAuthSupported: false },
		connectorRuntimeSetting: [{ key: 'instanceUrl', dataType: 'String', required: true, label: 'URL', description: '', scope: 'CONNECTOR_PROFILE' }],
		operatorsSupported: ['PROJECTION', 'EQUAL_TO', 'NO_OP'], supportedTriggerTypes: ['SCHEDULED', 'ONDEMAND'] }),
	ValidateConnectorRuntimeSettingsRequest: (r) => (/^https:/.test(r.connectorRuntimeSettings.instanceUrl) ? { isSuccess: true }
		: { isSuccess: false, errorDetails: { errorCode: 'InvalidArgument', errorMessage: 'not a URL' } }),
	ListEntitiesRequest: (r) => (r.nextToken
		? { isSuccess: true, entities: [{ entityIdentifier: 'Kunde-ü', hasNestedEntities: false, label: 'Kunden €' }] }
		: { isSuccess: true, entities: [{ entityIdentifier: 'Account', hasNestedEntities: true, label: 'Accounts' }], nextToken: 'p2' }),
	DescribeEntityRequest: (r) => ({ isSuccess: true, entityDefinition: { entity: { entityIdentifier: r.entityIdentifier, hasNestedEntities: false },
		fields: [{ fieldName: 'id', dataType: 'String', label: 'Id', isPrimaryKey: true, filterOperators: ['EQUAL_TO'],
			readProperties: { isRetrievable: true, isQueryable: true } }] } }),
};

const failure = (errorCode, errorMessage) => ({ isSuccess: false, errorDetails: { errorCode, errorMessage } });
const fields = [
	['id', 'String', ['EQUAL_TO']], ['name', 'String', ['EQUAL_TO', 'NOT_EQUAL_TO', 'CONTAINS']],
	['price', 'BigDecimal', ['EQUAL_TO', 'GREATER_THAN', 'LESS_THAN', 'GREATER_THAN_OR_EQUAL_TO', 'LESS_THAN_OR_EQUAL_TO', 'BETWEEN']],
	['updated', 'DateTime', ['GREATER_THAN', 'LESS_THAN', 'GREATER_THAN_OR_EQUAL_TO', 'BETWEEN']]];

// strict as a validating connector is: an unknown field, a page too large, a filter out of grammar are refused
const orders = {
	...connector,
	DescribeConnectorConfigurationRequest: () => ({ ...connector.DescribeConnectorConfigurationRequest(), connectorModes: ['SOURCE', 'DESTINATION'], connectorRuntimeSetting: [] }),
	ValidateConnectorRuntimeSettingsRequest: () => ({ isSuccess: true }),
	ListEntitiesRequest: () => ({ isSuccess: true, entities: [{ entityIdentifier: 'Order', hasNestedEntities: false, label: 'Orders' }] }),
	DescribeEntityRequest: (r) => (r.entityIdentifier !== 'Order' ? failure('InvalidArgument', `no entity ${r.entityIdentifier}`)
		: { isSuccess: true, entityDefinition: { entity: { entityIdentifier: 'Order', hasNestedEntities: false },
			fields: fields.map(([fieldName, dataType, filterOperators]) => ({ fieldName, dataType, label: fieldName, isPrimaryKey: fieldName === 'id', filterOperators,
				readProperties: { isRetrievable: true, isQueryable: true, isTimestampFieldForIncrementalQueries: fieldName === 'updated' }, writeProperties: { isCreatable: true, supportedWriteOperations: ['INSERT', 'UPSERT', 'UPDATE', 'DELETE'] } })) } }),
	QueryDataRequest: (r) => {
		const names = r.selectedFieldNames || fields.map(([name]) => name);
		const unknown = names.find((name) => !fields.some(([known]) => known === name));
		if (unknown) return failure('InvalidArgument', `no field ${unknown}`);
		if (!(r.maxResults >= 1 && r.maxResults <= 1000)) return failure('InvalidArgument', `maxResults ${r.maxResults}`);
		if (!r.connectorContext.entityDefinition) return failure('InvalidArgument', 'no entityDefinition');
		let wanted = () => true;
		try {
			if (r.filterExpression) wanted = parse(r.filterExpression);
		} catch (error) {
			return failure('InvalidArgument', error.message);
		}
		const found = [...records.values()].filter(wanted);
		const from = Number(r.nextToken || 0);
		return { isSuccess: true, nextToken: from + r.maxResults < found.length ? String(from + r.maxResults) : null,
			records: found.slice(from, from + r.maxResults).map((record) => JSON.stringify(Object.fromEntries(names.map((name) => [name, record[name]])))) };
	},
	WriteDataRequest: (r) => {
		if (r.records.length > 1000) return failure('InvalidArgument', 'more than 1,000 records');
		if (r.operation !== 'INSERT' && !(r.idFieldNames.length === 1 && r.idFieldNames[0] === 'id')) return failure('InvalidArgument', 'idFieldNames');
		const results = r.records.map((text) => {
			const record = JSON.parse(text);
			const known = records.has(record.id);
			const refused = (errorMessage) => ({ isSuccess: false, recordId: record.id, errorMessage });
			if (record.price < 0) return refused('price is negative');
			if (r.operation === 'INSERT' && known) return refused('exists');
			if ((r.operation === 'UPDATE' || r.operation === 'DELETE') && !known) return refused('does not exist');
			if (r.operation === 'DELETE') records.delete(record.id);
			else records.set(record.id, { ...records.get(record.id), ...record });
			return { isSuccess: true, recordId: record.id };
		});
		const failed = results.filter((result) => !result.isSuccess).length;
		return { isSuccess: failed === 0, writeRecordResults: results, ...(failed ? failure('PartialWriteFailure', `${failed} failed`) : {}) };
	},
};
const functions = { crm: connector, orders };

function reply(response, status, headers, body) {
	response.writeHead(status, { 'Content-Type': 'application/json', 'x-amzn-RequestId': 'request-0815', ...headers });
	response.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
}

function answer(request, response, body) {
	if (request.url === '/_log') return reply(response, 200, {}, log.splice(0));
	if (request.url === '/_records') {
		if (request.method === 'POST') records = new Map(JSON.parse(body).map((record) => [record.id, record]));
		return reply(response, 200, {}, [...records.values()]);
	}
	if (request.url === '/_answers') { answers = JSON.parse(body); return reply(response, 200, {}, {}); }

	const told = faults.control(request.url, body);
	if (told !== undefined) return reply(response, 200, {}, told);

	const wrong = complaint(request, body, { key, secret, token, region, service: 'lambda' });
	log.push({ method: request.method, path: request.url, type: request.headers['content-type'] || '',
		invocation: request.headers['x-amz-invocation-type'] || '', accepted: !wrong, body: String(body) });
	if (wrong) return reply(response, 403, { 'x-amzn-ErrorType': wrong[0] }, { message: wrong[1] });
	const fault = faults.due(`${request.method} ${request.url} ${body}`, response);
	if (response.writableEnded) return undefined;
	if (fault === 'throttle') return reply(response, 429, { 'x-amzn-ErrorType': 'TooManyRequestsException', 'Retry-After': '1' }, { Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded', message: 'Rate Exceeded.', Type: 'User' });
	let next = answers.shift();
	if (next === 'skip') next = undefined;
	if (!next || next.lose) {
		const said = JSON.parse(body);
		const named = /^\/2015-03-31\/functions\/(crm|orders)(%3Alive)?\/invocations$/.exec(request.url);
		if (!named)
			return reply(response, 404, { 'x-amzn-ErrorType': 'ResourceNotFoundException' }, { Type: 'User', Message: `Function not found: ${request.url}` });
		const said_back = functions[named[1]][said.type](said);
		if (next) return request.socket.destroy();
		return reply(response, 200, {}, said_back);
	}
	if (next.cut) return request.socket.destroy();
	if (next.large) next.body = JSON.stringify({ isSuccess: true, entities: [], filler: 'x'.repeat(next.large) });
	return setTimeout(() => reply(response, next.status, next.headers || {}, next.base64 ? Buffer.from(next.base64, 'base64') : next.body === undefined ? '' : next.body), next.delay || 0);
}

const server = http.createServer((request, response) => {
	const pieces = [];
	request.on('data', (piece) => pieces.push(piece));
	request.on('end', () => answer(request, response, Buffer.concat(pieces)));
});
server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`));
