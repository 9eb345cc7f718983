// server.js KEY SECRET TOKEN REGION
//	The side of AWS AppFlow that a client sees: takes only requests that are
//	signed right, keeps what arrived, answers as told.
//
//	GET  /_log      what arrived since the last time
//	POST /_answers  [{status, headers, body or base64, delay, cut}], one a request; then 200 {}
//	POST /_secret   the secret that requests must be signed with from now on

'use strict';

const http = require('http');
const { complaint } = require('./sigv4.js');

const [key, firstSecret, token, region] = process.argv.slice(2);
let secret = firstSecret;
let log = [];
let answers = [];

function reply(response, status, headers, body) {
	response.writeHead(status, { 'Content-Type': 'application/json', 'x-amzn-RequestId': 'request-4711', ...headers });
	response.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
}

function answer(request, response, body) {
	if (request.url === '/_log') return reply(response, 200, {}, log.splice(0));
	if (request.url === '/_answers') { answers = JSON.parse(body); return reply(response, 200, {}, {}); }
	if (request.url === '/_secret') { secret = String(body); return reply(response, 200, {}, {}); }

	const [path, query] = request.url.split('?');
	const wrong = complaint(request, body, { key, secret, token, region, service: 'appflow' });
	log.push({ method: request.method, path, query: query || '', type: request.headers['content-type'] || '',
		accepted: !wrong, authorization: request.headers.authorization, body: String(body) });
	if (wrong) return reply(response, 403, { 'x-amzn-ErrorType': wrong[0] }, { message: wrong[1] });
	const next = answers.shift() || { status: 200, body: {} };
	if (next.cut) return request.socket.destroy();
	return setTimeout(() => reply(response, next.status, next.headers || {}, next.base64 ? Buffer.from(next.base64, 'base64') : next.body === undefined ? '' : next.body), next.delay || 0);
}

const server = http.createServer((request, response) => {
	const pieces = [];
	request.on('data', (piece) => pieces.push(piece));
	request.on('end', () => answer(request, response, Buffer.concat(pieces)));
});
server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`));
