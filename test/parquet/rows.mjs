// Prints what a Parquet file holds, as DuckDB reads it: names, types, rows with
// values as text; {"columns": [...], "types": [...], "rows": [[...], ...]}.
// hyparquet must count as many rows.
//
//	node rows.mjs FILE

import fs from 'node:fs';
import { parquetMetadata } from 'hyparquet';
import { DuckDBInstance } from '@duckdb/node-api';

const file = process.argv[2];
const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
const duckdb = await instance.connect();
const query = async (sql) => (await duckdb.runAndReadAll(sql)).getRows();
const source = "'" + file.replaceAll("'", "''") + "'";

await query("SET TimeZone = 'UTC'");
const described = await query(`DESCRIBE SELECT * FROM ${source}`);
const columns = described.map((d) => '"' + d[0].replaceAll('"', '""') + '"::VARCHAR');
const rows = await query(`SELECT ${columns.join(', ')} FROM ${source}`);
const bytes = fs.readFileSync(file);
const metadata = parquetMetadata(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));

if (Number(metadata.num_rows) !== rows.length)
	throw new Error(`hyparquet sees ${metadata.num_rows} rows, DuckDB ${rows.length}`);
console.log(JSON.stringify({ columns: described.map((d) => d[0]), types: described.map((d) => d[1]), rows }));
