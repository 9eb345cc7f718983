// Reads the files that parquet_make made with two independent readers, and
// compares every value, the statistics and the structure with what it expects.
//
//	node read.mjs DIRECTORY
//
// Speaks TAP.  hyparquet gets the schema without its annotations and gives raw
// values; DuckDB gives the values of the logical types.  The footer is also
// decoded here, by a Thrift reader of 40 lines, because both readers convert
// statistics before they show them.

import fs from 'node:fs';
import path from 'node:path';
import { parquetMetadata, parquetRead } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { DuckDBInstance } from '@duckdb/node-api';

const directory = process.argv[2];
const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
const duckdb = await instance.connect();
let tests = 0;
let failed = 0;

function ok(passed, name, detail) {
	tests++;
	if (!passed)
		failed++;
	console.log(`${passed ? '' : 'not '}ok ${tests} - ${name}`);
	if (!passed && detail !== undefined)
		console.log('# ' + String(detail).slice(0, 2000).replaceAll('\n', '\n# '));
	return passed;
}

async function query(sql) {
	return (await duckdb.runAndReadAll(sql)).getRows();
}

const quote = (name) => '"' + name.replaceAll('"', '""') + '"';
const literal = (text) => "'" + text.replaceAll("'", "''") + "'";

// ---------------------------------------------------------------- the footer

// a Thrift struct as an object of its field numbers
function thrift(bytes, start) {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	let at = start;
	const varint = () => {
		let value = 0n;
		for (let shift = 0n; ; shift += 7n) {
			const byte = bytes[at++];
			value |= BigInt(byte & 127) << shift;
			if (byte < 128)
				return value;
		}
	};
	const zigzag = () => { const v = varint(); return (v >> 1n) ^ -(v & 1n); };
	const value = (type) => {
		let n;
		switch (type) {
			case 3: return BigInt(view.getInt8(at++));
			case 4: case 5: case 6: return zigzag();
			case 7: at += 8; return view.getFloat64(at - 8, true);
			case 8: n = Number(varint()); at += n; return bytes.subarray(at - n, at);
			case 9: case 10: {
				const head = bytes[at++];
				n = head >> 4 === 15 ? Number(varint()) : head >> 4;
				return Array.from({ length: n }, () => value(head & 15));
			}
			case 12: {
				const object = {};
				for (let id = 0; ;) {
					const head = bytes[at++];
					if (head === 0)
						return object;
					id = head >> 4 ? id + (head >> 4) : Number(zigzag());
					const kind = head & 15;
					object[id] = kind === 1 ? true : kind === 2 ? false : value(kind);
				}
			}
			default: throw new Error(`Thrift type ${type} at ${at}`);
		}
	};
	const object = value(12);
	return { object, end: at };
}

function readFooter(bytes) {
	const length = bytes.readUInt32LE(bytes.length - 8);
	const { object, end } = thrift(bytes, bytes.length - 8 - length);
	if (end !== bytes.length - 8)
		throw new Error('the footer has another length than it says');
	return object;
}

// ---------------------------------------------------------------- values

const hex = (bytes) => Buffer.from(bytes).toString('hex');

// unscaled integer to the text with all digits of the scale
function decimalText(unscaled, scale) {
	const negative = unscaled < 0n;
	const digits = (negative ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
	return (negative ? '-' : '') + digits.slice(0, digits.length - scale) +
		(scale ? '.' + digits.slice(digits.length - scale) : '');
}

function doubleText(value) {
	if (Number.isNaN(value))
		return 'nan';
	const bytes = Buffer.alloc(8);
	bytes.writeDoubleBE(value);
	return bytes.toString('hex');
}

function floatText(value) {
	if (Number.isNaN(value))
		return 'nan';
	const bytes = Buffer.alloc(4);
	bytes.writeFloatBE(value);
	return bytes.toString('hex');
}

function signed(bytes) {
	return BigInt.asIntN(bytes.length * 8, BigInt('0x' + hex(bytes)));
}

const isDecimal = (c) => c.type === 'decimal' && c.precision > 0;

// what hyparquet gives without annotations
function rawText(c, value) {
	if (value === null || value === undefined)
		return null;
	if (isDecimal(c))
		return decimalText(c.precision > 18 ? signed(value) : BigInt(value), c.scale);
	switch (c.type) {
		case 'boolean': case 'integer': case 'long': case 'date': case 'datetime': case 'timestamp':
			return String(value);
		case 'float': return floatText(value);
		case 'double': return doubleText(value);
		case 'binary': return hex(value);
		default: return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
	}
}

// an expression of DuckDB for the expected text, or what JavaScript finishes
function duckExpression(c) {
	const name = quote(c.name);
	switch (c.type) {
		case 'date': return `(${name} - DATE '1970-01-01')::VARCHAR`;
		case 'datetime': case 'timestamp': return `epoch_us(${name})::VARCHAR`;
		case 'float': case 'double': return name;
		case 'binary': return `lower(hex(${name}))`;
		/* as bytes: text would lose a byte order mark on its way to JavaScript */
		case 'string': case 'json': case 'time': case 'uuid': return `hex(encode(${name}::VARCHAR))`;
		default: return `${name}::VARCHAR`;
	}
}

function duckText(c, value) {
	if (value === null)
		return null;
	switch (c.type) {
		case 'float': return floatText(value);
		case 'double': return doubleText(value);
		case 'decimal': return value.replace(/^(-?)\./, '$10.');	/* it prints .5 for 0.5 in decimal(n,n) */
		case 'string': case 'json': case 'time': case 'uuid': return Buffer.from(value, 'hex').toString();
		default: return value;
	}
}

const duckTypes = {
	string: 'VARCHAR', boolean: 'BOOLEAN', integer: 'INTEGER', long: 'BIGINT', float: 'FLOAT',
	double: 'DOUBLE', date: 'DATE', datetime: 'TIMESTAMP WITH TIME ZONE', timestamp: 'TIMESTAMP',
	time: 'VARCHAR', uuid: 'VARCHAR', binary: 'BLOB', json: 'JSON', decimal: 'VARCHAR'
};

// ---------------------------------------------------------------- statistics

// expected text to something that compares, and the bytes of a bound to the same
function orderOf(c) {
	if (isDecimal(c))
		return {
			value: (t) => BigInt(t.replace('.', '')),
			bound: (b) => c.precision > 18 ? signed(b) : signed(Buffer.from(b).reverse())
		};
	switch (c.type) {
		case 'boolean':
			return { value: (t) => t === 'true' ? 1 : 0, bound: (b) => b[0] };
		case 'integer': case 'long': case 'date': case 'datetime': case 'timestamp':
			return { value: BigInt, bound: (b) => signed(Buffer.from(b).reverse()) };
		case 'float':
			return {
				value: (t) => t === 'nan' ? null : Buffer.from(t, 'hex').readFloatBE(),
				bound: (b) => Buffer.from(b).readFloatLE()
			};
		case 'double':
			return {
				value: (t) => t === 'nan' ? null : Buffer.from(t, 'hex').readDoubleBE(),
				bound: (b) => Buffer.from(b).readDoubleLE()
			};
		default:
			return {
				bytes: true,
				value: (t) => Buffer.from(t, c.type === 'binary' ? 'hex' : 'utf8'),
				bound: (b) => Buffer.from(b)
			};
	}
}

// what is wrong with the statistics of one column chunk, or null
function checkStatistics(c, statistics, texts) {
	const order = orderOf(c);
	const compare = (a, b) => order.bytes ? Buffer.compare(a, b) : a < b ? -1 : a > b ? 1 : 0;
	const values = texts.filter((t) => t !== null).map(order.value);
	if (values.includes(null))	/* a NaN, of which no bound may lie */
		return statistics[5] === undefined && statistics[6] === undefined ? null : 'bounds in spite of NaN';
	let min, max;
	for (const v of values) {
		if (min === undefined || compare(v, min) < 0)
			min = v;
		if (max === undefined || compare(v, max) > 0)
			max = v;
	}
	if (statistics[1] !== undefined || statistics[2] !== undefined)
		return 'the old fields min and max are set';
	if (Number(statistics[3]) !== texts.filter((t) => t === null).length)
		return `null_count is ${statistics[3]}`;
	if (min === undefined)
		return statistics[5] === undefined && statistics[6] === undefined ? null : 'bounds of no values';
	if (statistics[5] === undefined || statistics[6] === undefined) {
		/* only bounds that cannot be raised may be missing */
		const text = hex(max);
		return order.bytes && /^((ff)+|(f48fbfbf)+)$/.test(text) && max.length > 64 ? null : 'no bounds';
	}
	const low = order.bound(statistics[6]);
	const high = order.bound(statistics[5]);
	if (statistics[8] ? compare(low, min) !== 0 : compare(low, min) > 0)
		return `min is ${low}, not ${min}, exact ${statistics[8]}`;
	if (statistics[7] ? compare(high, max) !== 0 : compare(high, max) < 0)
		return `max is ${high}, not ${max}, exact ${statistics[7]}`;
	if (order.bytes) {
		if (low.length > 64 || high.length > 67)
			return 'a bound is too long';
		if ((min.length <= 64 && !statistics[8]) || (max.length <= 64 && !statistics[7]))
			return 'a short bound is not exact';
		if (c.type !== 'binary')
			for (const bound of [low, high])
				new TextDecoder('utf-8', { fatal: true }).decode(bound);
	}
	if (c.type === 'float' || c.type === 'double') {
		if (Object.is(low, 0) || Object.is(high, -0))
			return 'a zero bound has the wrong sign';
	}
	return null;
}

// ---------------------------------------------------------------- one file

function firstDifference(columns, expected, got) {
	for (let row = 0; row < expected.length; row++)
		for (let i = 0; i < columns.length; i++)
			if (expected[row][i] !== got[row]?.[i])
				return `row ${row}, column ${columns[i].name}: expected ` +
					`${JSON.stringify(expected[row][i])?.slice(0, 200)}, got ` +
					`${JSON.stringify(got[row]?.[i])?.slice(0, 200)}`;
	return expected.length === got.length ? null : `${got.length} rows instead of ${expected.length}`;
}

async function readWithHyparquet(bytes, columns) {
	const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
	const metadata = parquetMetadata(file);
	for (const element of metadata.schema) {
		delete element.converted_type;
		delete element.logical_type;
	}
	/* not as objects: a column of names.parquet is nameless */
	const rows = [];
	await parquetRead({
		file: { byteLength: file.byteLength, slice: (a, b) => file.slice(a, b) },
		metadata, compressors, utf8: false, rowFormat: 'array',
		onComplete: (all) => rows.push(...all)
	});
	return rows.map((row) => columns.map((c, i) => rawText(c, row[i])));
}

function checkStructure(what, bytes, footer, expected) {
	const rows = footer[4].reduce((sum, group) => sum + Number(group[3]), 0);
	ok(bytes.subarray(0, 4).toString() === 'PAR1' && bytes.subarray(-4).toString() === 'PAR1' &&
		Number(footer[3]) === expected.length && rows === expected.length &&
		Buffer.from(footer[6]).toString() === 'appflow version 1.0' &&
		footer[7].length === what.columns.length && footer[7].every((o) => o[1] !== undefined) &&
		footer[2].slice(1).every((e, i) => Buffer.from(e[4]).toString() === what.columns[i].name),
		`${what.name}: footer`);

	/* chunks follow each other without a gap, and pages fill them */
	let position = 4n;
	let wrong = null;
	const encodings = new Map();
	const codec = BigInt({ UNCOMPRESSED: 0, SNAPPY: 1, ZSTD: 6 }[what.compression]);
	for (const [g, group] of footer[4].entries()) {
		let uncompressed = 0n;
		let compressed = 0n;
		if (group[5] !== position || Number(group[7]) !== g)
			wrong ??= `row group ${g} begins at ${group[5]}, not ${position}`;
		for (const [i, chunk] of group[1].entries()) {
			const meta = chunk[3];
			const start = meta[11] ?? meta[9];
			const kinds = [];
			let values = 0n;
			let size = 0n;
			let at = Number(start);
			if (start !== position || meta[4] !== codec)
				wrong ??= `chunk of column ${i} begins at ${start}, not ${position}`;
			while (at < Number(start + meta[7])) {
				const { object: header, end } = thrift(bytes, at);
				if (header[1] === 0n) {
					values += header[5][1];
					kinds.push(header[5][2] === 8n ? 'dictionary' : 'plain');
					if (kinds.length === 1 && BigInt(at) !== meta[9])
						wrong ??= `data_page_offset of column ${i} is ${meta[9]}, not ${at}`;
					if (header[5][1] > 20000n)
						wrong ??= `a page of column ${i} has ${header[5][1]} rows`;
				} else if (header[1] !== 2n || at !== Number(start) || header[7][1] === 0n)
					wrong ??= `page type ${header[1]} at ${at}`;
				size += BigInt(end - at) + header[2];
				at = end + Number(header[3]);
			}
			if (BigInt(at) !== start + meta[7] || size !== meta[6] || values !== meta[5] || values !== group[3])
				wrong ??= `sizes of column ${i} in row group ${g}: ${at}, ${size}, ${values}`;
			encodings.set(`${g} ${i}`, kinds);
			position = start + meta[7];
			uncompressed += meta[6];
			compressed += meta[7];
		}
		if (uncompressed !== group[2] || compressed !== group[6])
			wrong ??= `sizes of row group ${g}`;
	}
	ok(wrong === null, `${what.name}: offsets and sizes`, wrong);
	return encodings;
}

async function checkFile(name) {
	const base = path.join(directory, name);
	const what = JSON.parse(fs.readFileSync(base + '.json', 'utf8'));
	const expected = fs.readFileSync(base + '.jsonl', 'utf8').split('\n').slice(0, -1).map(JSON.parse);
	const bytes = fs.readFileSync(base + '.parquet');
	const file = literal(base + '.parquet');
	const { columns } = what;
	const footer = readFooter(bytes);
	const encodings = checkStructure(what, bytes, footer, expected);
	let difference;

	try {
		difference = firstDifference(columns, expected, await readWithHyparquet(bytes, columns));
	} catch (e) {
		difference = e.stack;
	}
	ok(difference === null, `${name}: hyparquet reads ${expected.length} rows`, difference);

	/* the nameless column gets a name from DuckDB */
	const described = await query(`DESCRIBE SELECT * FROM ${file}`);
	const seen = columns.map((c, i) => ({ ...c, name: described[i][0] }));
	const types = columns.map((c) => isDecimal(c) ? `DECIMAL(${c.precision},${c.scale})` : duckTypes[c.type]);
	ok(described.every((d, i) => d[1] === types[i] && (d[0] === columns[i].name || columns[i].name === '')),
		`${name}: DuckDB sees names and types`, described.map((d) => `${d[0]} ${d[1]}`).join('\n'));
	try {
		const rows = await query(`SELECT ${seen.map(duckExpression).join(', ')} FROM ${file}`);
		difference = firstDifference(columns, expected, rows.map((row) => row.map((v, i) => duckText(columns[i], v))));
	} catch (e) {
		difference = e.stack;
	}
	ok(difference === null, `${name}: DuckDB reads ${expected.length} rows`, difference);

	/* statistics against the values */
	let wrong = null;
	let row = 0;
	for (const [g, group] of footer[4].entries()) {
		const slice = expected.slice(row, row += Number(group[3]));
		columns.forEach((c, i) => {
			const problem = checkStatistics(c, group[1][i][3][12], slice.map((r) => r[i]));
			if (problem)
				wrong ??= `row group ${g}, column ${c.name}: ${problem}`;
		});
	}
	ok(wrong === null, `${name}: statistics of ${footer[4].length} row groups`, wrong);

	/* queries that statistics answer or prune give what a full scan gives */
	if (expected.length > 0 && !['pages', 'selected', 'no_nulls', 'types_plain', 'types_snappy'].includes(name)) {
		await query(`CREATE OR REPLACE TEMP TABLE loaded AS SELECT * FROM ${file}`);
		wrong = null;
		for (const c of seen.slice(0, columns.length > 100 ? 6 : 20)) {
			const column = quote(c.name);
			if (c.type === 'json')
				continue;
			const type = described[seen.indexOf(c)][1];
			const [shown, constantOf] =
				type === 'BLOB' ? ['hex(v)', (v) => `unhex('${v}')`] :
				type === 'VARCHAR' ? ['hex(encode(v))', (v) => `decode(unhex('${v}'))`] :
				['v::VARCHAR', (v) => `CAST(${literal(v)} AS ${type})`];
			/* least, greatest and one in the middle; nothing without values */
			const picked = await query(
				`SELECT DISTINCT ${shown} FROM (
					SELECT min(${column}) AS v FROM loaded UNION ALL SELECT max(${column}) FROM loaded
					UNION ALL (SELECT ${column} FROM loaded WHERE ${column} IS NOT NULL LIMIT 1 OFFSET ${expected.length >> 2})
				) WHERE v IS NOT NULL`);
			const conditions = [`${column} IS NULL`, `${column} IS NOT NULL`];
			for (const [value] of picked)
				for (const operator of ['=', '<', '>='])
					conditions.push(`${column} ${operator} ${constantOf(value)}`);
			/* a subquery each: only a WHERE is pruned by statistics */
			const count = async (from) => (await query('SELECT ' + conditions.map(
				(condition) => `(SELECT count(*) FROM ${from} WHERE ${condition})`).join(', ')))[0];
			const pruned = await count(file);
			const full = await count('loaded');
			conditions.forEach((condition, i) => {
				if (pruned[i] !== full[i])
					wrong ??= `${condition}: ${pruned[i]} instead of ${full[i]}`;
				if (condition.startsWith(`${column} = `) && full[i] === 0n)
					wrong ??= `${condition} finds nothing`;
			});
		}
		ok(wrong === null, `${name}: filtered queries`, wrong);
	}
	return { footer, encodings };
}

// ---------------------------------------------------------------- all files

const names = fs.readdirSync(directory).filter((f) => f.endsWith('.json')).map((f) => f.slice(0, -5)).sort();
const results = {};

ok(names.length >= 19, `${names.length} files to read`);
for (const name of names) {
	try {
		results[name] = await checkFile(name);
	} catch (e) {
		ok(false, `${name} can be read`, e.stack);
	}
}

// the cases must be what their names say, or they prove nothing
const pagesOf = (name, column, group = 0) => results[name].encodings.get(`${group} ${column}`);
const groupsOf = (name) => results[name].footer[4].length;

ok(groupsOf('empty') === 0, 'empty: no row group');
ok(groupsOf('row_groups') === 8 && results.row_groups.footer[4].every((g, i) => g[3] === (i < 7 ? 700n : 600n)),
	'row_groups: cut by rows');
ok(groupsOf('row_group_bytes') > 3, 'row_group_bytes: cut by bytes', groupsOf('row_group_bytes'));
ok(groupsOf('flushed') === 3, 'flushed: cut by the caller', groupsOf('flushed'));
ok(groupsOf('pages') === 1 && pagesOf('pages', 0).length > 1, 'pages: several in one chunk');
for (const [i, what] of ['strings', 'longs', 'integers', 'doubles', 'large strings'].entries()) {
	const kinds = pagesOf('fallback', i);
	const first = kinds.indexOf('plain');
	ok(kinds[0] === 'dictionary' === (i < 4) && first >= 0 && kinds.slice(first).every((k) => k === 'plain'),
		`fallback: ${what} go on in plain pages`, kinds);
}
ok(pagesOf('runs', 0).every((k) => k === 'dictionary'), 'runs: in dictionary pages');
ok(pagesOf('all_null', 0).length === 3, 'all_null: three pages');
const logical = results.types_snappy?.footer[2].slice(1).map((e) => Object.keys(e[10] ?? {})[0] ?? '-').join(' ');
ok(logical === '1 - - - - - 5 5 5 5 5 1 6 8 8 1 1 - 12', 'logical types', logical);
const converted = results.types_snappy?.footer[2].slice(1).map((e) => e[6] ?? '-').join(' ');
ok(converted === '0 - - - - - 5 5 5 5 5 0 6 10 10 0 0 - 19', 'converted types', converted);

console.log(`1..${tests}`);
process.exit(failed ? 1 : 0);
