// server.js KEY SECRET REGION
//	The AWS Glue Data Catalog, and STS to get there: takes only requests of a role, signed
//	right, with the members that the API has and within its limits.
//
//	GET  /_log     [{action, input}] since the last time
//	POST /_faults  [{action, status, name, message, cut, text, stall, partition}], for the
//	               next request of that action each; partition: one of a batch fails so
//	POST /_change  {DatabaseName, Name, set}: members of a table that somebody else sets
//	POST /_busy    {"count": n}: so many UpdateTable meet a change by somebody else

'use strict';

const http = require('http');
const { complaint } = require('../appflow/sigv4.js');

const [key, secret, region] = process.argv.slice(2);
const role = 'arn:aws:iam::123456789012:role/catalog';
const roleKeys = { key: 'ASIAROLEKEY', secret: 'role/planted+secret', token: 'role-planted-token==' };
let log = [];
let faults = [];
let busy = 0;
const databases = new Map([['lake', new Map()]]);

class Failure extends Error {
	constructor(name, message, status = 400) {
		super(message);
		this.name = name;
		this.status = status;
	}
}

// ---------- shapes ----------

// types of members; an array is a list, ! is required
const text = (max, pattern) => ({ text: true, max, pattern });
const single = /^[\t -\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]*$/u;
const name = { ...text(255, single), min: 1 };
const parameters = { map: true };
const column = { Name: { ...name, required: true }, Type: text(131072, single), Comment: text(255, single), Parameters: parameters };
const storage = {
	Columns: [column], Location: text(2056), AdditionalLocations: [text(2056)], InputFormat: text(128, single), OutputFormat: text(128, single),
	Compressed: Boolean, NumberOfBuckets: Number, SerdeInfo: { Name: name, SerializationLibrary: name, Parameters: parameters },
	BucketColumns: [name], SortColumns: [{ Column: name, SortOrder: Number }], Parameters: parameters, SkewedInfo: {}, StoredAsSubDirectories: Boolean,
	SchemaReference: {},
};
const tableInput = {
	Name: { ...name, required: true }, Description: text(2048), Owner: name, LastAccessTime: Number, LastAnalyzedTime: Number, Retention: Number,
	StorageDescriptor: storage, PartitionKeys: [column], ViewOriginalText: text(409600), ViewExpandedText: text(409600), TableType: text(255),
	Parameters: parameters, TargetTable: {}, ViewDefinition: {},
};
const values = [text(1024)];
const required = (shape) => ({ ...shape, required: true });
const requests = {
	GetTable: { DatabaseName: required(name), Name: required(name) },
	CreateTable: { DatabaseName: required(name), TableInput: tableInput },
	UpdateTable: { DatabaseName: required(name), TableInput: tableInput, SkipArchive: Boolean, VersionId: text(255), Force: Boolean },
	GetTables: { DatabaseName: required(name), NextToken: text(4096), MaxResults: Number },
	GetTableVersions: { DatabaseName: required(name), TableName: required(name), NextToken: text(4096), MaxResults: Number },
	GetPartitions: { DatabaseName: required(name), TableName: required(name), NextToken: text(4096), MaxResults: Number, ExcludeColumnSchema: Boolean, Expression: text(2048) },
	BatchCreatePartition: { DatabaseName: required(name), TableName: required(name), PartitionInputList: [{ Values: values, LastAccessTime: Number, StorageDescriptor: storage, Parameters: parameters }] },
	BatchDeletePartition: { DatabaseName: required(name), TableName: required(name), PartitionsToDelete: [{ Values: values }] },
};

function check(value, shape, path) {
	const bad = (why) => { throw new Failure('ValidationException', `1 validation error detected: Value at '${path}' failed to satisfy constraint: ${why}`); };
	if (shape === Boolean) return typeof value === 'boolean' || bad('Member must be a boolean');
	if (shape === Number) return typeof value === 'number' || bad('Member must be a number');
	if (Array.isArray(shape)) {
		if (!Array.isArray(value)) bad('Member must be a list');
		return value.forEach((item, i) => check(item, shape[0], `${path}.${i + 1}.member`));
	}
	if (shape.text) {
		if (typeof value !== 'string') bad('Member must be a string');
		if ([...value].length > shape.max) bad(`Member must have length less than or equal to ${shape.max}`);
		if (shape.min && value.length < shape.min) bad(`Member must have length greater than or equal to ${shape.min}`);
		if (shape.pattern && !shape.pattern.test(value)) bad(`Member must satisfy regular expression pattern: ${shape.pattern.source}`);
		return true;
	}
	if (typeof value !== 'object' || value === null || Array.isArray(value)) bad('Member must be a structure');
	if (shape.map)
		return Object.entries(value).forEach(([k, v]) => { check(k, text(255), `${path}.key`); check(v, text(512000), `${path}.${k}`); });
	for (const [member, type] of Object.entries(shape))
		if (type.required && value[member] === undefined) bad(`${member} must not be null`);
	for (const [member, item] of Object.entries(value)) {
		if (member === 'required' || !(member in shape)) {
			// the service passes over what it does not know: nobody who sends it knows the service
			bad(`unknown member ${member}`);
		}
		check(item, shape[member], path === '' ? member : `${path}.${member}`);
	}
	return true;
}

// ---------- the catalogue ----------

const database = (n) => {
	const found = databases.get(n.toLowerCase());
	if (!found) throw new Failure('EntityNotFoundException', `Database ${n} not found.`);
	return found;
};
const table = (d, n) => {
	const found = database(d).get(n.toLowerCase());
	if (!found) throw new Failure('EntityNotFoundException', `Entity Not Found (Table ${n} not found.)`);
	return found;
};

function checkTable(input) {
	const columns = (input.StorageDescriptor && input.StorageDescriptor.Columns) || [];
	const names = [...columns, ...(input.PartitionKeys || [])].map((c) => c.Name.toLowerCase());
	const twice = names.find((n, i) => names.indexOf(n) !== i);
	if (twice) throw new Failure('InvalidInputException', `Duplicate column name: ${twice}`);
	const type = /^(string|boolean|tinyint|smallint|int|bigint|float|double|date|timestamp|binary|decimal\(\d+,\d+\))$/;
	for (const c of [...columns, ...(input.PartitionKeys || [])])
		if (!type.test(c.Type || '')) throw new Failure('InvalidInputException', `Unsupported type ${c.Type} of column ${c.Name}`);
	for (const c of input.PartitionKeys || [])
		if (c.Type === 'binary') throw new Failure('InvalidInputException', `Partition key ${c.Name} must be primitive`);
	const decimal = columns.find((c) => /^decimal/.test(c.Type) && Number(/\((\d+)/.exec(c.Type)[1]) > 38);
	if (decimal) throw new Failure('InvalidInputException', 'decimal precision');
}

const fold = (input) => ({
	...input, Name: input.Name.toLowerCase(),
	PartitionKeys: (input.PartitionKeys || []).map((c) => ({ ...c, Name: c.Name.toLowerCase() })),
	StorageDescriptor: { NumberOfBuckets: 0, StoredAsSubDirectories: false, ...input.StorageDescriptor,
		Columns: (input.StorageDescriptor.Columns || []).map((c) => ({ ...c, Name: c.Name.toLowerCase() })) },
});

function shown(d, t) {
	const { versions, partitions, ...rest } = t;
	return { ...rest, DatabaseName: d, CreateTime: 1700000000.5, UpdateTime: 1700000001, CreatedBy: 'arn:aws:sts::123456789012:assumed-role/catalog/appflow',
		IsRegisteredWithLakeFormation: false, CatalogId: '123456789012', VersionId: String(versions.length), Retention: rest.Retention || 0 };
}

function page(items, { NextToken, MaxResults }, most) {
	if (MaxResults !== undefined && !(MaxResults >= 1 && MaxResults <= 1000)) throw new Failure('InvalidInputException', 'MaxResults');
	const from = Number(NextToken || 0);
	const to = from + Math.min(MaxResults || 100, most);
	return [items.slice(from, to), to < items.length ? { NextToken: String(to) } : {}];
}

const actions = {
	GetTable: (i) => ({ Table: shown(i.DatabaseName, table(i.DatabaseName, i.Name)) }),
	CreateTable: (i) => {
		const d = database(i.DatabaseName);
		checkTable(i.TableInput);
		if (d.has(i.TableInput.Name.toLowerCase())) throw new Failure('AlreadyExistsException', 'Table already exists.');
		d.set(i.TableInput.Name.toLowerCase(), { ...fold(i.TableInput), versions: [], partitions: new Map() });
		return {};
	},
	UpdateTable: (i) => {
		const t = table(i.DatabaseName, i.TableInput.Name);
		checkTable(i.TableInput);
		if (busy > 0) { busy--; throw new Failure('ConcurrentModificationException', 'Update table failed due to concurrent modifications.'); }
		if (t.partitions.size > 0 && JSON.stringify(t.PartitionKeys.map((c) => c.Name)) !== JSON.stringify((i.TableInput.PartitionKeys || []).map((c) => c.Name.toLowerCase())))
			throw new Failure('InvalidInputException', 'partition keys of a table with partitions');
		database(i.DatabaseName).set(i.TableInput.Name.toLowerCase(), { ...fold(i.TableInput), versions: i.SkipArchive ? t.versions : [...t.versions, t.Name], partitions: t.partitions });
		return {};
	},
	GetTables: (i) => {
		const [list, next] = page([...database(i.DatabaseName).values()], i, 100);
		return { TableList: list.map((t) => shown(i.DatabaseName, t)), ...next };
	},
	GetTableVersions: (i) => ({ TableVersions: table(i.DatabaseName, i.TableName).versions.map((v, n) => ({ VersionId: String(n) })) }),
	GetPartitions: (i) => {
		// smaller pages than asked for are the service's right
		const [list, next] = page([...table(i.DatabaseName, i.TableName).partitions.values()], i, 70);
		return { Partitions: list.map((p) => (i.ExcludeColumnSchema ? { ...p, StorageDescriptor: { ...p.StorageDescriptor, Columns: undefined } } : p)), ...next };
	},
	BatchCreatePartition: (i) => {
		const t = table(i.DatabaseName, i.TableName);
		if (i.PartitionInputList.length > 100) throw new Failure('ValidationException', "Value at 'partitionInputList' failed to satisfy constraint: Member must have length less than or equal to 100");
		const fault = faults.findIndex((f) => f.action === 'partition');
		const failing = fault >= 0 ? faults.splice(fault, 1)[0] : null;
		const Errors = [];
		for (const p of i.PartitionInputList) {
			const error = (ErrorCode, ErrorMessage) => Errors.push({ PartitionValues: p.Values, ErrorDetail: { ErrorCode, ErrorMessage } });
			if (p.Values.length !== t.PartitionKeys.length) throw new Failure('InvalidInputException', 'The number of partition keys do not match the number of partition values');
			const id = JSON.stringify(p.Values);
			if (failing && p === i.PartitionInputList[0]) error(failing.name, failing.message);
			else if (t.partitions.has(id)) error('AlreadyExistsException', 'Partition already exists.');
			else t.partitions.set(id, { ...p, DatabaseName: i.DatabaseName, TableName: t.Name, CreationTime: 1700000000 });
		}
		return { Errors };
	},
	BatchDeletePartition: (i) => {
		const t = table(i.DatabaseName, i.TableName);
		if (i.PartitionsToDelete.length > 25) throw new Failure('ValidationException', "Value at 'partitionsToDelete' failed to satisfy constraint: Member must have length less than or equal to 25");
		return { Errors: i.PartitionsToDelete.filter((p) => !t.partitions.delete(JSON.stringify(p.Values)))
			.map((p) => ({ PartitionValues: p.Values, ErrorDetail: { ErrorCode: 'EntityNotFoundException', ErrorMessage: 'Partition not found.' } })) };
	},
};

// ---------- the server ----------

function reply(response, status, body) {
	response.writeHead(status, { 'Content-Type': typeof body === 'string' ? 'text/xml' : 'application/x-amz-json-1.1', 'x-amzn-RequestId': 'request-12' });
	response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

function sts(request, body) {
	const refuse = (code, message) => [403, `<ErrorResponse><Error><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`];
	const wrong = complaint(request, body, { key, secret, token: '', region, service: 'sts' });
	const form = new URLSearchParams(String(body));
	if (wrong) return refuse(...wrong);
	if (form.get('Action') !== 'AssumeRole' || form.get('Version') !== '2011-06-15') return refuse('InvalidAction', 'no such action');
	if (form.get('RoleArn') !== role) return refuse('AccessDenied', `User: arn:aws:iam::123456789012:user/db is not authorized to perform: sts:AssumeRole on resource: ${form.get('RoleArn')}`);
	return [200, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>${roleKeys.key}</AccessKeyId><SecretAccessKey>${roleKeys.secret}</SecretAccessKey>` +
		`<SessionToken>${roleKeys.token}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`];
}

function answer(request, response, body) {
	if (request.url === '/_log') return reply(response, 200, log.splice(0));
	if (request.url === '/_faults') { faults = JSON.parse(body); return reply(response, 200, {}); }
	if (request.url === '/_busy') { busy = JSON.parse(body).count; return reply(response, 200, {}); }
	if (request.url === '/_change') {
		const { DatabaseName, Name, set } = JSON.parse(body);
		Object.assign(table(DatabaseName, Name), set);
		return reply(response, 200, {});
	}
	if (String(request.headers['content-type']).startsWith('application/x-www-form-urlencoded')) {
		log.push({ action: 'AssumeRole' });
		return reply(response, ...sts(request, body));
	}
	const [prefix, action] = (request.headers['x-amz-target'] || '').split('.');
	try {
		const wrong = complaint(request, body, { ...roleKeys, region, service: 'glue' });
		log.push({ action, input: String(body) });
		if (wrong) throw new Failure(wrong[0], wrong[1], 403);
		if (request.method !== 'POST' || request.url !== '/' || request.headers['content-type'] !== 'application/x-amz-json-1.1' || prefix !== 'AWSGlue' || !actions[action])
			throw new Failure('UnknownOperationException', '');
		const at = faults.findIndex((f) => f.action === action);
		const fault = at >= 0 ? faults.splice(at, 1)[0] : null;
		if (fault && fault.cut) return request.socket.destroy();
		if (fault && fault.stall) return undefined;
		if (fault && fault.text !== undefined) return reply(response, fault.status || 200, fault.text);
		if (fault) throw new Failure(fault.name, fault.message, fault.status);
		let input;
		try { input = JSON.parse(body); } catch (e) { throw new Failure('SerializationException', ''); }
		check(input, requests[action], '');
		return reply(response, 200, actions[action](input));
	} catch (e) {
		if (!(e instanceof Failure)) throw e;
		return reply(response, e.status, { __type: e.name, Message: e.message });
	}
}

http.createServer((request, response) => {
	const pieces = [];
	request.on('data', (piece) => pieces.push(piece));
	request.on('end', () => answer(request, response, Buffer.concat(pieces)));
}).listen(0, '127.0.0.1', function listening() { console.log(`ready ${this.address().port}`); });
