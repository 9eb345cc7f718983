// lambda.js KEY SECRET TOKEN REGION
//	AWS Lambda with one function, "crm", that is a connector of AppFlow: takes only
//	invocations that are signed right, keeps what arrived.
//
//	GET  /_log      what arrived since the last time
//	POST /_answers  [{status, headers, body or base64, delay, cut, large}], one an
//	                invocation; then what the connector says

'use strict';

const http = require('http');
const { complaint } = require('./sigv4.js');

const [key, secret, token, region] = process.argv.slice(2);
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

function reply(response, status, headers, body) {
	response.writeHead(status, { 'Content-Type': 'application/json', 'x-amzn-RequestId': 'request-0815', ...headers });
	response.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
}

function answer(request, response, body) {
	if (request.url === '/_log') return reply(response, 200, {}, log.splice(0));
	if (request.url === '/_answers') { answers = JSON.parse(body); return reply(response, 200, {}, {}); }

	const wrong = complaint(request, body, { key, secret, token, region, service: 'lambda' });
	log.push({ method: request.method, path: request.url, type: request.headers['content-type'] || '',
		invocation: request.headers['x-amz-invocation-type'] || '', accepted: !wrong, body: String(body) });
	if (wrong) return reply(response, 403, { 'x-amzn-ErrorType': wrong[0] }, { message: wrong[1] });
	const next = answers.shift();
	if (!next) {
		const said = JSON.parse(body);
		if (!/^\/2015-03-31\/functions\/crm(%3Alive)?\/invocations$/.test(request.url))
			return reply(response, 404, { 'x-amzn-ErrorType': 'ResourceNotFoundException' }, { Type: 'User', Message: `Function not found: ${request.url}` });
		return reply(response, 200, {}, connector[said.type](said));
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
