// server.js KEY SECRET [PREFIX]
//	Amazon Honeycode as its API of 2020-03-01 was: ListTables, ListTableColumns, ListTableRows and
//	BatchCreateTableRows, with the limits of its reference.  Requests are signed for us-west-2, or have a
//	token of AppFlow's authorization, of which /oauth/token gives new ones: PREFIX-access-1 and so on, for
//	PREFIX-refresh or PREFIX-code; PREFIX is "planted".
//
//	GET  /_log       requests since the last time
//	GET  /_rows      rows of the table Orders, by names of columns
//	GET  /_tokens    grants asked for
//	POST /_answers   [{status, headers, body, text, cut, silent}], one a request; cut: "before" or "after" it was done
//	and what ../http/faults.js has
//	POST /_expire    {status}: tokens have expired, and such answers say it

'use strict';

const crypto = require('crypto');
const http = require('http');
const { complaint } = require('../appflow/sigv4.js');
const { Faults } = require('../http/faults.js');

const [key, secret, prefix = 'planted'] = process.argv.slice(2);
const id = (kind, n) => `${kind}0000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
const isId = (text) => /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text);

const workbook = id('a', 1);
const columns = [['Id', 'TEXT'], ['Amount', 'CURRENCY'], ['Count', 'NUMBER'], ['Due', 'DATE'], ['At', 'DATE_TIME'], ['Hour', 'TIME'],
	['Note', 'AUTO'], ['Owner', 'CONTACT']];
const tables = new Map();
const addTable = (name, list) => {
	const tableId = id('b', tables.size + 1);
	tables.set(tableId, { name, rows: [], cursor: 0, columns: list.map(([columnName, format], i) => ({ tableColumnId: id('c', tables.size * 1000 + i), tableColumnName: columnName, format })) });
};
addTable('Orders', columns);
addTable('Wide', Array.from({ length: 130 }, (_, i) => [`c${i}`, 'TEXT']));
addTable('Full', columns);
for (let i = 0; i < 229; i++) addTable(`Table ${i}`, [['a', 'TEXT']]);

let log = [];
let answers = [];
let grants = [];
let generation = 1;
let expired = 0;
const done = new Map();

const reply = (response, status, body, headers = {}) => {
	response.writeHead(status, { 'Content-Type': 'application/json', 'x-amzn-RequestId': crypto.randomUUID(), ...headers });
	response.end(typeof body === 'string' ? body : JSON.stringify(body));
};
class Refusal extends Error {
	constructor(status, name, message) { super(message); Object.assign(this, { status, name }); }
}
const invalid = (message) => { throw new Refusal(400, 'ValidationException', message); };
const missing = (message) => { throw new Refusal(404, 'ResourceNotFoundException', message); };

// ---------- who asks ----------

function wrong(request, body) {
	const bearer = /^Bearer (.*)$/.exec(request.headers.authorization || '');
	if (!bearer) return complaint(request, body, { key, secret, token: '', region: 'us-west-2', service: 'honeycode' });
	if (bearer[1] === `${prefix}-access-${generation}`) return null;
	if (/-access-\d+$/.test(bearer[1])) return ['ExpiredTokenException', `The token ${bearer[1]} has expired`, expired || 401];
	return ['UnrecognizedClientException', `The token ${bearer[1]} is not valid`, 401];
}

function grant(response, body) {
	const form = new URLSearchParams(String(body));
	grants.push(form.get('grant_type'));
	if (!(form.get('grant_type') === 'refresh_token' && form.get('refresh_token') === `${prefix}-refresh`) &&
		!(form.get('grant_type') === 'authorization_code' && form.get('code') === `${prefix}-code`))
		return reply(response, 400, { error: 'invalid_grant', error_description: 'The grant is not valid' });
	return reply(response, 200, { access_token: `${prefix}-access-${generation}`, token_type: 'bearer', expires_in: 3600, refresh_token: `${prefix}-refresh` });
}

// ---------- operations ----------

function page(list, query, sizes) {
	const max = query.get('maxResults') === null ? sizes.default : Number(query.get('maxResults'));
	if (!(Number.isInteger(max) && max >= 1 && max <= 100)) invalid('maxResults must be between 1 and 100');
	const from = query.get('nextToken') === null ? 0 : Number(Buffer.from(query.get('nextToken'), 'base64'));
	if (!(Number.isInteger(from) && from >= 0)) invalid('The pagination token is not valid');
	return { items: list.slice(from, from + max), ...(from + max < list.length ? { nextToken: Buffer.from(String(from + max)).toString('base64') } : {}) };
}

// days since the day before 1900 began, as the reference tells of raw values
const shown = (fact, format) => {
	if (!['DATE', 'DATE_TIME', 'TIME'].includes(format) || fact === '') return fact;
	const text = new Date(Math.round((Number(fact) - 25569) * 86400e3)).toISOString();
	return format === 'DATE' ? text.slice(0, 10) : format === 'TIME' ? text.slice(11, 23) : text;
};

function createRows(table, { rowsToCreate, clientRequestToken }) {
	if (!Array.isArray(rowsToCreate) || rowsToCreate.length < 1 || rowsToCreate.length > 100)
		invalid("1 validation error detected: Value at 'rowsToCreate' failed to satisfy constraint: Member must have length less than or equal to 100");
	if (clientRequestToken !== undefined && !(typeof clientRequestToken === 'string' && clientRequestToken.length >= 32 && clientRequestToken.length <= 64))
		invalid("1 validation error detected: Value at 'clientRequestToken' failed to satisfy constraint: Member must have length greater than or equal to 32");
	const digest = crypto.createHash('sha256').update(JSON.stringify(rowsToCreate)).digest('hex');
	if (clientRequestToken !== undefined && done.has(clientRequestToken)) {
		if (done.get(clientRequestToken).digest !== digest) invalid('The request token was used for another request');
		return done.get(clientRequestToken).result;
	}
	const seen = new Set();
	for (const row of rowsToCreate) {
		if (typeof row.batchItemId !== 'string' || !/^(?!\s*$).+/.test(row.batchItemId) || row.batchItemId.length > 64 || seen.has(row.batchItemId)) invalid('batchItemId is not valid');
		seen.add(row.batchItemId);
		const cells = Object.entries(row.cellsToCreate || invalid('cellsToCreate is missing'));
		if (cells.length > 100) invalid('cellsToCreate has more than 100 entries');
		for (const [column, cell] of cells) {
			if (!isId(column)) invalid(`${column} is not the id of a column`);
			if (!table.columns.some((c) => c.tableColumnId === column)) invalid(`Column ${column} does not exist in the table`);
			if ('fact' in cell && 'facts' in cell) invalid('Both fact and facts are present');
			if ('fact' in cell && (typeof cell.fact !== 'string' || cell.fact.length > 8192)) invalid('fact is longer than 8192 characters');
		}
	}
	if (table.name === 'Full') throw new Refusal(402, 'ServiceQuotaExceededException', 'The table has reached its limit of rows\nand takes no more');
	const result = { workbookCursor: ++table.cursor, createdRows: {}, failedBatchItems: [] };
	for (const row of rowsToCreate) {
		const facts = Object.values(row.cellsToCreate).map((cell) => cell.fact);
		if (facts.includes('poison')) {
			result.failedBatchItems.push({ id: row.batchItemId, errorMessage: 'The row breaks a rule of the table' });
			continue;
		}
		const rowId = `row:${table.id}/${crypto.randomUUID()}`;
		table.rows.push({ rowId, cells: table.columns.map((c) => {
			const { fact = '' } = row.cellsToCreate[c.tableColumnId] || {};
			return fact.startsWith('=') ? { formula: fact, format: c.format, rawValue: '#computed' } : { format: c.format, rawValue: fact, formattedValue: shown(fact, c.format) };
		}) });
		result.createdRows[row.batchItemId] = rowId;
	}
	if (clientRequestToken !== undefined) done.set(clientRequestToken, { digest, result });
	return result;
}

function operate(request, url, body) {
	const parts = url.pathname.split('/').slice(1).map(decodeURIComponent);
	if (parts[0] !== 'workbooks' || parts[2] !== 'tables') throw new Refusal(404, 'UnknownOperationException', 'no such operation');
	if (!isId(parts[1])) invalid("1 validation error detected: Value at 'workbookId' failed to satisfy constraint: Member must have length equal to 36");
	if (parts[1] !== workbook) missing(`Workbook ${parts[1]} was not found`);
	if (request.method === 'GET' && parts.length === 3) {
		const { items, nextToken } = page([...tables], url.searchParams, { default: 50 });
		return { tables: items.map(([tableId, table]) => ({ tableId, tableName: table.name })), nextToken, workbookCursor: 1 };
	}
	if (!isId(parts[3])) invalid("1 validation error detected: Value at 'tableId' failed to satisfy constraint: Member must have length equal to 36");
	const table = tables.get(parts[3]) || missing(`Table ${parts[3]} was not found`);
	table.id = parts[3];
	if (request.method === 'GET' && parts[4] === 'columns') {
		const { items, nextToken } = page(table.columns, url.searchParams, { default: 40 });
		return { tableColumns: items, nextToken, workbookCursor: 1 };
	}
	if (request.method !== 'POST' || parts[4] !== 'rows') throw new Refusal(404, 'UnknownOperationException', 'no such operation');
	let input;
	try { input = JSON.parse(body); } catch { throw new Refusal(400, 'SerializationException', 'The body is not JSON'); }
	if (parts[5] === 'batchcreate') return createRows(table, input);
	if (parts[5] === 'list') {
		const { items, nextToken } = page(table.rows, new URLSearchParams(input), { default: 100 });
		return { columnIds: table.columns.map((c) => c.tableColumnId), rows: items, nextToken, workbookCursor: table.cursor };
	}
	throw new Refusal(404, 'UnknownOperationException', 'no such operation');
}

// ---------- the server ----------

const controls = {
	'/_log': () => log.splice(0),
	'/_tokens': () => grants.splice(0),
	'/_rows': () => {
		const [table] = tables.values();
		return table.rows.map((row) => Object.fromEntries(row.cells.map((cell, i) => [table.columns[i].tableColumnName, cell.formula || cell.formattedValue])));
	},
	'/_ids': () => ({ workbook, tables: Object.fromEntries([...tables].slice(0, 4).map(([tableId, table]) => [table.name, tableId])) }),
	'/_answers': (body) => { answers = JSON.parse(body); return {}; },
	'/_expire': (body) => { generation++; expired = JSON.parse(body).status; return {}; },
};

const faults = new Faults();
const server = http.createServer((request, response) => {
	const pieces = [];
	request.on('data', (piece) => pieces.push(piece));
	request.on('end', () => {
		const body = Buffer.concat(pieces);
		const url = new URL(request.url, 'http://x');
		if (controls[url.pathname]) return reply(response, 200, controls[url.pathname](body));
		const told = faults.control(url.pathname, body);
		if (told !== undefined) return reply(response, 200, told);
		if (url.pathname === '/oauth/token') return grant(response, body);
		const fault = faults.due(`${request.method} ${request.url}`, response);
		if (fault === 'html') return undefined;
		if (fault === 'expire') generation++;
		const refused = wrong(request, body);
		log.push({ method: request.method, url: request.url, body: String(body), accepted: !refused });
		if (refused) return reply(response, refused[2] || 403, { message: refused[1] }, { 'x-amzn-ErrorType': refused[0] });
		if (fault === 'throttle') return reply(response, 429, { message: 'Rate exceeded' }, { 'x-amzn-ErrorType': 'ThrottlingException' });
		const next = answers.shift();
		if (next && next.silent) return undefined;
		if (next && next.cut === 'before') return request.socket.destroy();
		if (next && !next.cut) return reply(response, next.status, next.text ?? next.body ?? {}, next.headers);
		try {
			const result = operate(request, url, body);
			if (next) return request.socket.destroy();
			return reply(response, 200, result);
		} catch (error) {
			if (!(error instanceof Refusal)) throw error;
			return reply(response, error.status, { message: error.message }, { 'x-amzn-ErrorType': `${error.name}:http://internal.amazon.com/coral/com.amazonaws.honeycode/` });
		}
	});
});
server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`));
