// parquet_duckdb.mjs INPUT OUTPUT COMPRESSION
//	DuckDB, with one thread, writes the table that is in the Parquet file INPUT
//	to OUTPUT: prints the best time of five, in seconds.
import { DuckDBInstance } from '@duckdb/node-api';
import { unlinkSync } from 'node:fs';

const [input, output, compression] = process.argv.slice(2);
const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
const connection = await instance.connect();
let seconds = Infinity;

await connection.run(`CREATE TABLE t AS SELECT * FROM '${input}'`);
for (let i = 0; i < 5; i++) {
	const start = process.hrtime.bigint();
	await connection.run(`COPY t TO '${output}' (FORMAT parquet, COMPRESSION ${compression})`);
	seconds = Math.min(seconds, Number(process.hrtime.bigint() - start) / 1e9);
}
unlinkSync(output);
console.log(seconds.toFixed(3));
