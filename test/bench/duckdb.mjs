// duckdb.mjs table|json INPUT OUTPUT
//	DuckDB, with one thread: the seconds that it takes to write the JSON lines that
//	match INPUT, from a table of its own or from the JSON itself, to the Parquet file
//	OUTPUT (Snappy).
import { DuckDBInstance } from '@duckdb/node-api';

const [from, input, output] = process.argv.slice(2);
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

if (from === 'table')
  await connection.run(`CREATE TABLE accounts AS SELECT * FROM ${source}`);

// the second time finds its memory at hand: that is the one that counts
let seconds;
for (let i = 0; i < 2; i++) {
  const start = process.hrtime.bigint();
  await connection.run(`COPY (SELECT * FROM ${from === 'table' ? 'accounts' : source}) TO '${output}' (FORMAT parquet, COMPRESSION snappy)`);
  const elapsed = Number(process.hrtime.bigint() - start) / 1e9;
  if (seconds === undefined || elapsed < seconds)
    seconds = elapsed;
}
console.log(`${seconds} seconds`);
