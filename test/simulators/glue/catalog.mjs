// catalog.mjs PORT REGION ROOT DATABASE
//	The catalogue as AWS's own client reads it, and the rows that its tables lead to, read by
//	DuckDB: from the places, by the formats and in the types that the catalogue says. Bucket B
//	is the directory ROOT/B.
//
//	{"table": {"keys": [...], "columns": {name: type}, "parameters": {...}, "labels": {name: {...}}, "location",
//	           "versions": n, "partitions": [{"values", "location"}], "rows": [{...}]}}

import fs from 'node:fs';
import path from 'node:path';
import { paginateGetPartitions, paginateGetTables, GetTableVersionsCommand, GlueClient } from '@aws-sdk/client-glue';
import { DuckDBInstance } from '@duckdb/node-api';

const [port, region, root, database] = process.argv.slice(2);
const client = new GlueClient({ endpoint: `http://127.0.0.1:${port}`, region,
	credentials: { accessKeyId: 'ASIAROLEKEY', secretAccessKey: 'role/planted+secret', sessionToken: 'role-planted-token==' } });
const duckdb = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
await duckdb.run("SET TimeZone = 'UTC'");
const quote = (text) => `'${text.replaceAll("'", "''")}'`;
const identifier = (text) => `"${text.replaceAll('"', '""')}"`;

// files of a folder and of those in it, as engines see them: none that begins with _ or .
function files(location) {
	const directory = location.replace(/^s3:\/\//, `${root}/`);
	if (!location.endsWith('/')) throw new Error(`${location} is no folder`);
	if (!fs.existsSync(directory)) throw new Error(`${location} is not there`);
	return fs.readdirSync(directory, { recursive: true, withFileTypes: true }).filter((f) => f.isFile() && !/^[_.]/.test(f.name))
		.map((f) => path.join(f.parentPath ?? f.path, f.name)).sort();
}

const duckType = (type) => ({ string: 'VARCHAR', binary: 'BLOB', int: 'INTEGER', timestamp: 'TIMESTAMP' })[type] ?? type;

// that SerDe does not tell upper from lower case; DuckDB does
function spelled(list, name) {
	for (const file of list)
		for (const line of fs.readFileSync(file, 'utf8').split('\n').filter((l) => l)) {
			const key = Object.keys(JSON.parse(line)).find((k) => k.toLowerCase() === name);
			if (key) return key;
		}
	return name;
}

function source(storage, parameters, list) {
	const from = `[${list.map(quote).join(', ')}]`;
	const { SerializationLibrary: library, Parameters: serde } = storage.SerdeInfo;
	switch (library) {
		case 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe':
			return `read_parquet(${from}, union_by_name = true, hive_partitioning = false)`;
		case 'org.openx.data.jsonserde.JsonSerDe':
			return `read_json(${from}, format = 'newline_delimited', hive_partitioning = false, columns = {${storage.Columns.map((c) => `${quote(spelled(list, c.Name))}: ${quote(duckType(c.Type))}`).join(', ')}})`;
		case 'org.apache.hadoop.hive.serde2.OpenCSVSerde':
			if (storage.Columns.some((c) => c.Type !== 'string')) throw new Error('OpenCSVSerde knows nothing but strings');
			if (serde.escapeChar.length !== 1 || serde.escapeChar === '\\') throw new Error('a backslash is text in these files');
			return `read_csv(${from}, header = false, skip = ${parameters['skip.header.line.count']}, delim = ${quote(serde.separatorChar)}, quote = ${quote(serde.quoteChar)}, ` +
				`escape = ${quote(serde.quoteChar)}, auto_detect = false, hive_partitioning = false, columns = {${storage.Columns.map((c) => `${quote(c.Name)}: 'VARCHAR'`).join(', ')}})`;
		default:
			throw new Error(`no reader for ${library}`);
	}
}

// parquet and JSON have names as the files spell them
async function select(storage, parameters, list, keys) {
	if (list.length === 0) return [];
	const from = source(storage, parameters, list);
	const there = (await duckdb.runAndReadAll(`DESCRIBE SELECT * FROM ${from}`)).getRows();
	const columns = storage.Columns.filter((c) => there.some(([n]) => n.toLowerCase() === c.Name)).map((c) => {
		const [, type] = there.find(([n]) => n.toLowerCase() === c.Name);
		const is = type.toLowerCase().replace(/ with time zone$/, '').replace(' ', '');
		if (/Parquet/.test(storage.SerdeInfo.SerializationLibrary) && is !== duckType(c.Type).toLowerCase() && !(c.Type === 'string' && is === 'json'))
			throw new Error(`column ${c.Name} is ${type} in the files and ${c.Type} in the catalogue`);
		return `${identifier(c.Name)}::VARCHAR AS ${identifier(c.Name)}`;
	});
	const result = await duckdb.runAndReadAll(`SELECT ${columns.join(', ')} FROM ${from}`);
	return result.getRowObjects().map((row) => ({ ...row, ...keys }));
}

const catalogue = {};
for await (const { TableList } of paginateGetTables({ client }, { DatabaseName: database })) {
	for (const table of TableList) {
		const { StorageDescriptor: storage, PartitionKeys: keys } = table;
		const partitions = [];
		let rows = [];
		for await (const { Partitions } of paginateGetPartitions({ client, pageSize: 1000 }, { DatabaseName: database, TableName: table.Name })) partitions.push(...Partitions);
		if (keys.length === 0) rows = await select(storage, table.Parameters, files(storage.Location), {});
		for (const p of partitions)
			rows.push(...await select(p.StorageDescriptor, table.Parameters, files(p.StorageDescriptor.Location), Object.fromEntries(keys.map((k, i) => [k.Name, p.Values[i]]))));
		const versions = await client.send(new GetTableVersionsCommand({ DatabaseName: database, TableName: table.Name }));
		catalogue[table.Name] = {
			keys: keys.map((k) => k.Name), columns: Object.fromEntries(storage.Columns.map((c) => [c.Name, c.Type])), order: storage.Columns.map((c) => c.Name),
			parameters: table.Parameters, labels: Object.fromEntries(storage.Columns.filter((c) => c.Parameters).map((c) => [c.Name, c.Parameters])),
			comments: Object.fromEntries(storage.Columns.filter((c) => c.Comment).map((c) => [c.Name, c.Comment])),
			description: table.Description ?? null, type: table.TableType,
			location: storage.Location, versions: versions.TableVersions.length,
			partitions: partitions.map((p) => ({ values: p.Values, location: p.StorageDescriptor.Location })), rows,
		};
	}
}
console.log(JSON.stringify(catalogue));
