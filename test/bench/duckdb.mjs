// duckdb.mjs INPUT OUTPUT RUNS
//	DuckDB, with one thread, over the JSON lines that match INPUT: prints the best
//	of RUNS times, in seconds, of writing a table of its own and of
//	converting the JSON itself to a Parquet file (Snappy), at OUTPUT.
import { DuckDBInstance } from '@duckdb/node-api';
import { statSync } from 'node:fs';

const [input, output, runs] = process.argv.slice(2);
const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
const connection = await instance.connect();
await connection.run('SET threads = 1');

// the types that the table in PostgreSQL has
const columns = {
  id: 'VARCHAR', name: 'VARCHAR', account_number: 'VARCHAR', industry: 'VARCHAR',
  annual_revenue: 'DOUBLE', employees: 'INTEGER', phone: 'VARCHAR', website: 'VARCHAR',
  street: 'VARCHAR', city: 'VARCHAR', postal_code: 'VARCHAR', country: 'VARCHAR',
  active: 'BOOLEAN', created: 'TIMESTAMPTZ', modified: 'TIMESTAMPTZ', description: 'VARCHAR',
};
const struct = Object.entries(columns).map(([name, type]) => `${name}: '${type}'`).join(', ');
const source = `read_json('${input}', format = 'newline_delimited', columns = {${struct}})`;

async function best(sql) {
  let seconds = Infinity;
  for (let i = 0; i < Number(runs); i++) {
    const start = process.hrtime.bigint();
    await connection.run(sql);
    seconds = Math.min(seconds, Number(process.hrtime.bigint() - start) / 1e9);
  }
  return seconds;
}

await connection.run(`CREATE TABLE accounts AS SELECT * FROM ${source}`);
const table = await best(`COPY accounts TO '${output}' (FORMAT parquet, COMPRESSION snappy)`);
console.log(`table ${table} ${statSync(output).size}`);
const json = await best(`COPY (SELECT * FROM ${source}) TO '${output}' (FORMAT parquet, COMPRESSION snappy)`);
console.log(`json ${json} ${statSync(output).size}`);
