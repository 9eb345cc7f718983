// endpoint.js CERTIFICATE KEY BACKEND...
//	A VPC endpoint: ends TLS with one certificate for all names, and hands requests on to the
//	backends, services on ports of this machine: NAME=PORT, by the name that the client says
//	in TLS. Prints "ready PORT CONTROLPORT".
//
//	The control port has
//	GET /_seen     [{servername, host, method, url}] since the last time
//	GET /_stall    requests get no answer from here on, until GET /_go

'use strict';

const fs = require('fs');
const http = require('http');
const https = require('https');

const [certificate, key, ...backends] = process.argv.slice(2);
const ports = new Map(backends.map((b) => b.split('=')));
let seen = [];
let stalled = null;

function hand(request, response) {
	const port = ports.get(request.socket.servername);
	seen.push({ servername: request.socket.servername, host: request.headers.host, method: request.method, url: request.url });
	if (stalled) { stalled.push(() => hand(request, response)); return; }
	if (request.url.startsWith('/_away?')) {
		response.writeHead(302, { Location: request.url.slice(7) });
		response.end();
		return;
	}
	if (!port) { response.writeHead(421); response.end('no such service'); return; }
	const call = http.request({ host: '127.0.0.1', port, method: request.method, path: request.url, headers: request.headers }, (answer) => {
		response.writeHead(answer.statusCode, answer.headers);
		answer.pipe(response);
	});
	call.on('error', () => response.destroy());
	request.pipe(call);
}

const server = https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) }, hand);
const control = http.createServer((request, response) => {
	let body = {};
	if (request.url === '/_seen') body = seen.splice(0);
	if (request.url === '/_stall') stalled = [];
	if (request.url === '/_go') { const waiting = stalled || []; stalled = null; waiting.forEach((go) => go()); }
	response.end(JSON.stringify(body));
});
server.listen(0, '127.0.0.1', () => control.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port} ${control.address().port}`)));
