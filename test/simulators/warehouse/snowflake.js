// snowflake.js ROOT
//	Snowflake as its drivers' session protocol shows it: login, statements, results that
//	take a while, tokens that expire. Loads from the stage LAKE.PUBLIC.APPFLOW over
//	s3://staging/snow/, whose files are in ROOT/staging/snow/.
//
//	GET /_rows       the rows of LAKE.PUBLIC.ORDERS
//	GET /_logins     how many tokens were given
//	GET /_statements those since the last time
//	GET /_expire     all tokens expire
//	GET /_slow?n=2   the next statement is told to be running n times
//	GET /_lock       the objects of the next load cannot be deleted (their folder is read-only)
//	and what ../http/faults.js has, with the kinds "slow": as /_slow, and "stuck": it runs until it is
//	stopped; GET /_stopped tells what was

'use strict';

const fs = require('fs');
const http = require('http');
const path = require('path');
const crypto = require('crypto');
const { Table } = require('./table.js');
const { Faults } = require('../http/faults.js');

const faults = new Faults();
let logins = 0;

const root = process.argv[2];
const tokens = new Map(); // token -> expired
const queries = new Map(); // id -> errors
let statements = [];
let slow = 0;
let lock = false;
let stuck = false;
const stopped = [];
let results = new Map();
const orders = new Table({
	ID: { type: 'TEXT', kind: 'text', notNull: true }, AMOUNT: { type: 'NUMBER', kind: 'number', precision: 12, scale: 2 },
	COUNT: { type: 'NUMBER', kind: 'integer', precision: 18, scale: 0 }, AT: { type: 'TIMESTAMP_TZ', kind: 'timestamptz' },
	NOTE: { type: 'TEXT', kind: 'text', length: 20 }, 'Mixed "name': { type: 'BOOLEAN', kind: 'boolean' } });

const rows = (names, list) => ({ rowtype: names.map((name) => ({ name })), rowset: list.map((row) => row.map((v) => (v === null || v === undefined ? null : String(v)))) });
const fail = (code, message) => ({ success: false, code, message, data: {} });

function copy(sql, queryId) {
	const match = /^COPY INTO "LAKE"\."PUBLIC"\."ORDERS" FROM @"LAKE"\."PUBLIC"\."APPFLOW" FILES = \(((?:'(?:[^']|'')*'(?:, )?)+)\) FILE_FORMAT = \(TYPE = JSON\) MATCH_BY_COLUMN_NAME = CASE_SENSITIVE ON_ERROR = (\w+)$/.exec(sql);
	if (!match) return fail('001003', `SQL compilation error: syntax error in: ${sql}`);
	const files = match[1].match(/'(?:[^']|'')*'/g).map((f) => f.slice(1, -1).replace(/''/g, "'"));
	if (files.length > 1000) return fail('001003', 'too many files');
	const outcome = [];
	const errors = [];
	const good = [];
	for (const file of files) {
		if (!fs.existsSync(path.join(root, 'staging/snow', file))) return fail('100016', `Remote file 's3://staging/snow/${file}' was not found.`);
		if (lock) fs.chmodSync(path.dirname(path.join(root, 'staging/snow', file)), 0o555);
		lock = false;
		if (orders.loaded.has(file)) continue;
		const read = orders.read(root, 'staging/snow', file, (name) => name);
		if (read.errors.length > 0 && match[2] === 'ABORT_STATEMENT')
			return fail('100038', `${read.errors[0].message}\n File '${file}', line ${read.errors[0].line}, column ${read.errors[0].column}`);
		errors.push(...read.errors.map((e) => ({ ...e, file })));
		good.push(...read.good);
		outcome.push([`s3://staging/snow/${file}`, read.errors.length === 0 ? 'LOADED' : read.good.length ? 'PARTIALLY_LOADED' : 'LOAD_FAILED', read.good.length + read.errors.length,
			read.good.length, 1, read.errors.length, read.errors[0] && read.errors[0].message]);
	}
	files.forEach((file) => orders.loaded.add(file));
	orders.rows.push(...good);
	queries.set(queryId, errors);
	if (outcome.length === 0) return { success: true, data: { queryId, ...rows(['status'], [['Copy executed with 0 files processed.']]) } };
	return { success: true, data: { queryId, ...rows(['file', 'status', 'rows_parsed', 'rows_loaded', 'error_limit', 'errors_seen', 'first_error'], outcome) } };
}

function run(sql) {
	const queryId = crypto.randomUUID();
	const good = (names, list) => ({ success: true, data: { queryId, ...rows(names, list) } });
	statements.push(sql);
	let match;
	if (sql.startsWith('COPY INTO')) return copy(sql, queryId);
	if (sql === 'SHOW TABLES IN DATABASE "LAKE"') return good(['created_on', 'name', 'database_name', 'schema_name'], [['1', 'ORDERS', 'LAKE', 'PUBLIC'], ['1', 'we"ird', 'LAKE', 'PUBLIC']]);
	if (sql === 'DESC STAGE "LAKE"."PUBLIC"."APPFLOW"') return good(['parent_property', 'property', 'property_type', 'property_value'], [['STAGE_FILE_FORMAT', 'TYPE', 'String', 'CSV'], ['STAGE_LOCATION', 'URL', 'String', '["s3://staging/snow/"]']]);
	if ((match = /^DESC STAGE (.*)$/.exec(sql))) return fail('002003', `SQL compilation error:\nStage '${match[1]}' does not exist or not authorized.`);
	if ((match = /^SELECT column_name, .* FROM "LAKE"\.information_schema\.columns WHERE table_schema = '(\w+)' AND table_name = '(\w+)' ORDER BY ordinal_position$/.exec(sql)))
		return good(['COLUMN_NAME', 'DATA_TYPE', 'IS_NULLABLE', 'NUMERIC_PRECISION', 'NUMERIC_SCALE'], match[1] !== 'PUBLIC' || match[2] !== 'ORDERS' ? []
			: Object.entries(orders.columns).map(([name, c]) => [name, c.type, c.notNull ? 'NO' : 'YES', c.precision, c.scale]));
	if ((match = /^SELECT \* FROM TABLE\(VALIDATE\("LAKE"\."PUBLIC"\."ORDERS", JOB_ID => '([^']+)'\)\)$/.exec(sql)) && queries.has(match[1]))
		return good(['ERROR', 'FILE', 'LINE', 'CHARACTER', 'CATEGORY', 'CODE', 'COLUMN_NAME'], queries.get(match[1]).map((e) => [e.message, e.file, e.line, 1, 'conversion', '100038', `"ORDERS"["${e.column}"]`]));
	return fail('001003', `SQL compilation error: syntax error in: ${sql}`);
}

function answer(request, body) {
	const url = new URL(request.url, 'http://x');
	if (url.pathname === '/session/v1/login-request') {
		const { data } = JSON.parse(body);
		if (data.LOGIN_NAME !== 'loader' || data.PASSWORD !== 'planted-password') return fail('390100', 'Incorrect username or password was specified.');
		logins++;
		const token = crypto.randomUUID();
		tokens.set(token, false);
		return { success: true, data: { token, masterToken: 'm', validityInSeconds: 3600 } };
	}
	const token = (/^Snowflake Token="(.*)"$/.exec(request.headers.authorization || '') || [])[1];
	if (!tokens.has(token)) return fail('390104', 'ID token is invalid.');
	if (tokens.get(token)) return fail('390112', 'Your session has expired. Please login again.');
	if (request.headers.accept !== 'application/snowflake') return fail('390000', 'not acceptable');
	if (url.pathname === '/queries/v1/abort-request') {
		for (const [id, waiting] of results) if (waiting.request === JSON.parse(body).requestId) { stopped.push(waiting.later); results.delete(id); }
		return { success: true, data: null };
	}
	if (url.pathname.startsWith('/queries/') && url.pathname.endsWith('/result')) {
		const id = url.pathname.split('/')[2];
		const waiting = results.get(id);
		if (!waiting) return fail('000605', 'no such result');
		if (waiting.left-- > 0) return { success: false, code: '333333', message: null, data: { getResultUrl: url.pathname } };
		return waiting.answer;
	}
	if (url.pathname !== '/queries/v1/query-request' || !/^[0-9a-f-]{36}$/.test(url.searchParams.get('requestId'))) return fail('390000', 'no such path');
	if (stuck) {
		stuck = false;
		const id = crypto.randomUUID();
		results.set(id, { left: 100000, request: url.searchParams.get('requestId'), later: JSON.parse(body).sqlText });
		return { success: false, code: '333333', message: null, data: { getResultUrl: `/queries/${id}/result` } };
	}
	const result = run(JSON.parse(body).sqlText);
	if (slow > 0) {
		const id = crypto.randomUUID();
		results.set(id, { left: slow - 1, answer: result });
		slow = 0;
		return { success: false, code: '333333', message: null, data: { getResultUrl: `/queries/${id}/result` } };
	}
	return result;
}

const server = http.createServer((request, response) => {
	const pieces = [];
	request.on('data', (piece) => pieces.push(piece));
	request.on('end', () => {
		const url = new URL(request.url, 'http://x');
		let body;
		if (url.pathname === '/_rows') body = orders.rows;
		else if (url.pathname === '/_logins') body = logins;
		else if (url.pathname === '/_statements') body = statements.splice(0);
		else if (url.pathname === '/_expire') { tokens.forEach((_, t) => tokens.set(t, true)); body = {}; }
		else if (url.pathname === '/_stopped') body = stopped;
		else if (url.pathname === '/_lock') { lock = true; body = {}; }
		else if (url.pathname === '/_slow') { slow = Number(url.searchParams.get('n')); body = {}; }
		else if ((body = faults.control(url.pathname, Buffer.concat(pieces))) === undefined) {
			const fault = faults.due(`${request.method} ${request.url} ${Buffer.concat(pieces)}`, response);
			if (response.writableEnded) return;
			if (fault === 'throttle') {
				response.writeHead(429, { 'Content-Type': 'application/json', 'Retry-After': '1' });
				response.end(JSON.stringify(fail('390505', 'Too many requests. Please try again later.')));
				return;
			}
			if (fault === 'slow') slow = 2;
			if (fault === 'stuck') stuck = true;
			if (fault === 'expire') tokens.forEach((_, t) => tokens.set(t, true));
			body = answer(request, Buffer.concat(pieces));
		}
		response.writeHead(200, { 'Content-Type': 'application/json' });
		response.end(JSON.stringify(body));
	});
});
server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`));
