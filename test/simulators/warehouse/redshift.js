// redshift.js ROOT KEY SECRET REGION
//	Amazon Redshift: the Data API, which takes only requests that are signed right, and the
//	database itself, which speaks PostgreSQL's protocol (user loader, password
//	planted-password). Loads from s3://staging/, which is ROOT/staging/. Also STS
//	for the role arn:aws:iam::123456789012:role/data.
//
//	prints "ready PORT DATABASEPORT"
//	GET /_rows        the rows of public.orders
//	GET /_statements  those since the last time
//	and what ../http/faults.js has, for the Data API, with the kind "stuck": the statement runs until it is
//	stopped; GET /_stopped tells what was

'use strict';

const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const net = require('net');
const path = require('path');
const { Table } = require('./table.js');
const { complaint } = require('../appflow/sigv4.js');
const { Faults } = require('../http/faults.js');

const faults = new Faults();

const [root, key, secret, region] = process.argv.slice(2);
let statements = [];
const orders = new Table({
	id: { type: 'character varying', kind: 'text', length: 10, notNull: true }, amount: { type: 'numeric', kind: 'number', precision: 12, scale: 2 },
	count: { type: 'bigint', kind: 'integer' }, at: { type: 'timestamp with time zone', kind: 'timestamptz' }, note: { type: 'character varying', kind: 'text', length: 20 },
	extra: { type: 'super', kind: 'json' } });

// what a session remembers: the last copy
class Session { constructor() { this.count = 0; this.errors = []; } }

function copy(sql, session) {
	const match = /^COPY "public"\."orders" \(((?:"[a-z]+"(?:, )?)+)\) FROM 's3:\/\/staging\/([^']+)' IAM_ROLE 'arn:aws:iam::123456789012:role\/load' FORMAT AS JSON 'auto ignorecase' MANIFEST TIMEFORMAT 'auto' DATEFORMAT 'auto' ACCEPTINVCHARS MAXERROR (\d+)$/.exec(sql);
	if (!match) return { error: 'syntax error at or near "COPY"', sqlstate: '42601' };
	const manifest = JSON.parse(fs.readFileSync(path.join(root, 'staging', match[2]), 'utf8'));
	session.errors = [];
	const good = [];
	for (const { url, mandatory } of manifest.entries) {
		const file = url.replace(/^s3:\/\/staging\//, '');
		if (!fs.existsSync(path.join(root, 'staging', file))) {
			if (mandatory) return { error: `The specified S3 file ${url} does not exist`, sqlstate: 'XX000' };
			continue;
		}
		const read = orders.read(root, 'staging', file, (name) => name.toLowerCase());
		session.errors.push(...read.errors.map((e) => ({ ...e, url })));
		good.push(...read.good);
	}
	if (session.errors.length > Number(match[3]))
		return { error: `Load into table 'orders' failed.  Check 'sys_load_error_detail' system table for details.\n  -----\n  error: ${session.errors.length} rows are wrong`, sqlstate: 'XX000' };
	orders.rows.push(...good);
	session.count = good.length;
	return {};
}

// {names, rows} or {error, sqlstate}
function run(sql, session) {
	statements.push(sql);
	let match;
	if (sql.startsWith('COPY ')) return copy(sql, session);
	if (sql === 'SELECT pg_last_copy_count() AS loaded') return { names: ['loaded'], rows: [[session.count]] };
	if (/^SELECT file_name, line_number, error_code, error_message, column_name FROM sys_load_error_detail WHERE query_id = pg_last_copy_id\(\) ORDER BY/.test(sql))
		return { names: ['file_name', 'line_number', 'error_code', 'error_message', 'column_name'], rows: session.errors.map((e) => [e.url, e.line, 1204, e.message, e.column]) };
	if (/^SELECT table_schema, table_name FROM svv_tables /.test(sql)) return { names: ['table_schema', 'table_name'], rows: [['public', 'orders']] };
	if ((match = /FROM svv_columns WHERE table_schema = '(\w+)' AND table_name = '(\w+)'/.exec(sql)))
		return { names: ['column_name', 'data_type', 'is_nullable', 'numeric_precision', 'numeric_scale', 'character_maximum_length'], rows: match[1] !== 'public' || match[2] !== 'orders' ? []
			: Object.entries(orders.columns).map(([name, c]) => [name, c.type, c.notNull ? 'NO' : 'YES', c.precision, c.scale, c.length]) };
	return { error: `syntax error at or near "${sql.slice(0, 20)}"`, sqlstate: '42601' };
}

// ---------- the Data API ----------

let stuck = false;
const stopped = [];
const done = new Map(); // statement id -> {polls, result}
const sessions = new Map();
const roleKeys = { key: 'ASIAROLE', secret: 'role/secret', token: 'role-token' };

function sts(request, body) {
	const wrong = complaint(request, body, { key, secret, token: '', region, service: 'sts' });
	if (wrong) return [403, `<ErrorResponse><Error><Code>${wrong[0]}</Code><Message>${wrong[1]}</Message></Error></ErrorResponse>`];
	if (new URLSearchParams(String(body)).get('RoleArn') !== 'arn:aws:iam::123456789012:role/data')
		return [403, '<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>'];
	return [200, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>${roleKeys.key}</AccessKeyId><SecretAccessKey>${roleKeys.secret}</SecretAccessKey><SessionToken>${roleKeys.token}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`];
}

function dataApi(request, body) {
	const wrong = complaint(request, body, { ...roleKeys, region, service: 'redshift-data' });
	if (wrong) return [403, { __type: wrong[0], message: wrong[1] }];
	const said = JSON.parse(body);
	const bad = (message) => [400, { __type: 'ValidationException', message }];
	switch (request.headers['x-amz-target']) {
		case 'RedshiftData.ExecuteStatement': {
			if (!said.ClientToken) return bad('ClientToken');
			if (said.SessionId ? said.Database || said.WorkgroupName : said.Database !== 'dev' || said.WorkgroupName !== 'wg') return bad('Database or workgroup not found');
			const id = said.SessionId || crypto.randomUUID();
			if (said.SessionId && !sessions.has(id)) return bad('Session is not available');
			if (!sessions.has(id)) sessions.set(id, new Session());
			const Id = crypto.randomUUID();
			done.set(Id, stuck ? { polls: Infinity, sql: said.Sql } : { polls: 1, result: run(said.Sql, sessions.get(id)) });
			stuck = false;
			return [200, { Id, ...(said.SessionKeepAliveSeconds ? { SessionId: id } : {}) }];
		}
		case 'RedshiftData.CancelStatement': {
			const statement = done.get(said.Id);
			if (!statement || !statement.sql) return bad('Could not cancel a query that is already in FINISHED state');
			stopped.push(statement.sql);
			Object.assign(statement, { polls: 0, result: { error: 'Query cancelled on user\'s request' } });
			return [200, { Status: true }];
		}
		case 'RedshiftData.DescribeStatement': {
			const statement = done.get(said.Id);
			if (!statement) return [400, { __type: 'ResourceNotFoundException', message: 'Query does not exist.' }];
			if (statement.polls-- > 0) return [200, { Id: said.Id, Status: 'STARTED' }];
			if (statement.result.error) return [200, { Id: said.Id, Status: 'FAILED', Error: `ERROR: ${statement.result.error}` }];
			return [200, { Id: said.Id, Status: 'FINISHED', HasResultSet: Boolean(statement.result.names), ResultRows: -1 }];
		}
		case 'RedshiftData.GetStatementResult': {
			const { names, rows } = done.get(said.Id).result;
			const from = Number(said.NextToken || 0);
			const cell = (v) => (v === undefined || v === null ? { isNull: true } : typeof v === 'number' ? { longValue: v } : { stringValue: v });
			return [200, { ColumnMetadata: names.map((name) => ({ name })), Records: rows.slice(from, from + 3).map((row) => row.map(cell)), ...(from + 3 < rows.length ? { NextToken: String(from + 3) } : {}) }];
		}
		default: return bad('no such action');
	}
}

const server = http.createServer((request, response) => {
	const pieces = [];
	request.on('data', (piece) => pieces.push(piece));
	request.on('end', () => {
		const body = Buffer.concat(pieces);
		let [status, answer] = [200, {}];
		if (request.url === '/_rows') answer = orders.rows;
		else if (request.url === '/_stopped') answer = stopped;
		else if (request.url === '/_statements') answer = statements.splice(0);
		else if ((answer = faults.control(request.url, body)) === undefined) {
			const fault = faults.due(`${request.method} ${request.url} ${request.headers['x-amz-target'] || 'sts'} ${body}`, response);
			if (response.writableEnded) return;
			if (fault === 'stuck') stuck = true;
			if (fault === 'throttle') [status, answer] = [400, { __type: 'ThrottlingException', message: 'Rate exceeded' }];
			else [status, answer] = request.headers['x-amz-target'] ? dataApi(request, body) : sts(request, body);
		}
		response.writeHead(status, { 'Content-Type': 'application/json' });
		response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
	});
});

// ---------- the database ----------

const message = (type, ...parts) => {
	const body = Buffer.concat(parts.map((p) => (typeof p === 'string' ? Buffer.from(`${p}\0`) : p)));
	const head = Buffer.alloc(5);
	head.write(type);
	head.writeInt32BE(body.length + 4, 1);
	return Buffer.concat([head, body]);
};
const int = (n, size) => { const b = Buffer.alloc(size); if (size === 2) b.writeInt16BE(n); else b.writeInt32BE(n); return b; };
const error = (text, sqlstate, severity = 'ERROR') => message('E', Buffer.from(`S${severity}\0V${severity}\0C${sqlstate}\0M${text}\0\0`));

const database = net.createServer((socket) => {
	let input = Buffer.alloc(0);
	let user;
	let started = false;
	const session = new Session();
	const salt = crypto.randomBytes(4);
	const md5 = (...parts) => crypto.createHash('md5').update(Buffer.concat(parts.map((p) => Buffer.from(p)))).digest('hex');
	socket.on('error', () => {});
	socket.on('data', (data) => {
		input = Buffer.concat([input, data]);
		for (;;) {
			const offset = started ? 1 : 0;
			if (input.length < offset + 4) return;
			const length = input.readInt32BE(offset);
			if (input.length < offset + length) return;
			const type = started ? String.fromCharCode(input[0]) : '';
			const body = input.subarray(offset + 4, offset + length);
			input = input.subarray(offset + length);
			if (!started) {
				if (body.readInt32BE(0) === 80877103) { socket.write('N'); continue; }
				const words = body.subarray(4).toString().split('\0');
				user = words[words.indexOf('user') + 1];
				started = true;
				socket.write(message('R', int(5, 4), salt));
			} else if (type === 'p') {
				const expected = `md5${md5(md5('planted-password', user), salt)}`;
				if (user !== 'loader' || body.toString('utf8', 0, body.length - 1) !== expected) {
					socket.end(error(`password authentication failed for user "${user}"`, '28000', 'FATAL'));
					return;
				}
				socket.write(Buffer.concat([message('R', int(0, 4)), message('S', 'server_version', '8.0.2'), message('S', 'client_encoding', 'UTF8'), message('Z', Buffer.from('I'))]));
			} else if (type === 'Q') {
				const result = run(body.toString('utf8', 0, body.length - 1), session);
				const out = [];
				if (result.error) out.push(error(result.error, result.sqlstate));
				else if (result.names) {
					out.push(message('T', int(result.names.length, 2), ...result.names.flatMap((name) => [name, int(0, 4), int(0, 2), int(25, 4), int(-1, 2), int(-1, 4), int(0, 2)])));
					for (const row of result.rows)
						out.push(message('D', int(row.length, 2), ...row.flatMap((v) => (v === undefined || v === null ? [int(-1, 4)] : [int(Buffer.byteLength(String(v)), 4), Buffer.from(String(v))]))));
					out.push(message('C', `SELECT ${result.rows.length}`));
				} else out.push(message('C', 'COPY'));
				socket.write(Buffer.concat([...out, message('Z', Buffer.from('I'))]));
			} else if (type === 'X') { socket.end(); return; }
		}
	});
});
server.listen(0, '127.0.0.1', () => database.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port} ${database.address().port}`)));
