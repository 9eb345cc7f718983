// server.js KEY SECRET TOKEN REGION
//	The side of AWS AppFlow that a client sees: takes only requests that are
//	signed right, keeps what arrived, answers as told.
//
//	GET  /_log      what arrived since the last time
//	POST /_answers  [{status, headers, body or base64, delay, cut}], one a request; then 200 {}
//	POST /_secret   the secret that requests must be signed with from now on

'use strict';

const crypto = require('crypto');
const http = require('http');

const [key, firstSecret, token, region] = process.argv.slice(2);
let secret = firstSecret;
let log = [];
let answers = [];

const hash = (data) => crypto.createHash('sha256').update(data).digest('hex');
const hmac = (of, data) => crypto.createHmac('sha256', of).update(data).digest();
const encode = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());

// the rules of Signature Version 4, from its definition; a complaint or null
function complaint(request, body) {
	const headers = request.headers;
	const parts = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(headers.authorization || '');
	if (!parts) return ['MissingAuthenticationTokenException', 'Missing Authentication Token'];
	const date = headers['x-amz-date'] || '';
	if (!/^\d{8}T\d{6}Z$/.test(date)) return ['IncompleteSignatureException', 'no date'];
	const time = Date.parse(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
	if (Math.abs(Date.now() - time) > 300000) return ['InvalidSignatureException', 'Signature expired'];
	const scope = `${date.slice(0, 8)}/${region}/appflow/aws4_request`;
	if (parts[1] !== `${key}/${scope}`) return ['UnrecognizedClientException', 'The security token included in the request is invalid.'];
	if ((headers['x-amz-security-token'] || '') !== token) return ['UnrecognizedClientException', 'The security token included in the request is invalid.'];

	const signed = parts[2].split(';');
	if (signed.join() !== [...signed].sort().join()) return ['IncompleteSignatureException', 'unsorted headers'];
	for (const must of ['host', 'content-type', ...Object.keys(headers).filter((h) => h.startsWith('x-amz-'))])
		if (must in headers && !signed.includes(must)) return ['InvalidSignatureException', `${must} is not signed`];
	const [path, query] = request.url.split('?');
	const canonical = [request.method,
		path.split('/').map(encode).join('/'),
		(query || '').split('&').filter((p) => p).map((p) => (p.includes('=') ? p : p + '=')).sort().join('&'),
		...signed.map((h) => `${h}:${String(headers[h]).trim().replace(/ +/g, ' ')}`), '',
		signed.join(';'), hash(body)].join('\n');
	const signing = ['appflow', 'aws4_request'].reduce(hmac, hmac(hmac('AWS4' + secret, date.slice(0, 8)), region));
	const expected = hmac(signing, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${hash(canonical)}`).toString('hex');
	// as AWS has it: with the request, and the token in it
	return expected === parts[3] ? null : ['InvalidSignatureException', 'The request signature we calculated does not match the signature you provided. ' +
		`Check your AWS Secret Access Key and signing method.\n\nThe Canonical String for this request should have been\n'${canonical}'\n`];
}

function reply(response, status, headers, body) {
	response.writeHead(status, { 'Content-Type': 'application/json', 'x-amzn-RequestId': 'request-4711', ...headers });
	response.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
}

function answer(request, response, body) {
	if (request.url === '/_log') return reply(response, 200, {}, log.splice(0));
	if (request.url === '/_answers') { answers = JSON.parse(body); return reply(response, 200, {}, {}); }
	if (request.url === '/_secret') { secret = String(body); return reply(response, 200, {}, {}); }

	const [path, query] = request.url.split('?');
	const wrong = complaint(request, body);
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
