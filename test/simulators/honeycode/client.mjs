// client.mjs PORT KEY SECRET TOKEN WORKBOOK
//	The simulator, asked by Amazon's own client: what it says is what the client understands.

import * as honeycode from '@aws-sdk/client-honeycode';
import assert from 'assert';

const [port, accessKeyId, secretAccessKey, sessionToken, workbookId] = process.argv.slice(2);
const make = (secret) => new honeycode.HoneycodeClient({
	endpoint: `http://127.0.0.1:${port}`, region: 'us-west-2', maxAttempts: 1,
	credentials: { accessKeyId, secretAccessKey: secret, ...(sessionToken ? { sessionToken } : {}) },
});
const client = make(secretAccessKey);
const send = (operation, input) => client.send(new honeycode[`${operation}Command`]({ workbookId, ...input }));
const fails = (promise, name) => assert.rejects(promise, (error) => error instanceof honeycode.HoneycodeServiceException && error.name === name);

const tables = [];
for await (const page of honeycode.paginateListTables({ client, pageSize: 100 }, { workbookId })) tables.push(...page.tables);
assert.equal(tables.length, 232);
const tableId = tables.find((table) => table.tableName === 'Table 0').tableId;
const columns = [];
for await (const page of honeycode.paginateListTableColumns({ client }, { workbookId, tableId: tables.find((t) => t.tableName === 'Wide').tableId })) columns.push(...page.tableColumns);
assert.equal(columns.length, 130);
const { tableColumns: [column] } = await send('ListTableColumns', { tableId });

const clientRequestToken = 'counter-client-token-of-32-bytes-';
const rowsToCreate = [{ batchItemId: 'first', cellsToCreate: { [column.tableColumnId]: { fact: 'x' } } }, { batchItemId: 'second', cellsToCreate: { [column.tableColumnId]: { fact: 'poison' } } }];
const made = await send('BatchCreateTableRows', { tableId, rowsToCreate, clientRequestToken });
assert.match(made.createdRows.first, /^row:[0-9a-f-]{36}\/[0-9a-f-]{36}$/);
assert.deepEqual(made.failedBatchItems.map((item) => item.id), ['second']);
assert.deepEqual((await send('BatchCreateTableRows', { tableId, rowsToCreate, clientRequestToken })).createdRows, made.createdRows);
assert.equal((await send('ListTableRows', { tableId })).rows.length, 1);
const other = '00000000-0000-4000-8000-000000000000';
await fails(send('BatchCreateTableRows', { tableId, rowsToCreate: [{ batchItemId: 'a', cellsToCreate: { [other]: { fact: 'x' } } }] }), 'ValidationException');
await fails(send('BatchCreateTableRows', { tableId, rowsToCreate: [] }), 'ValidationException');
await fails(send('BatchCreateTableRows', { tableId, rowsToCreate: Array.from({ length: 101 }, (_, i) => ({ batchItemId: `${i}`, cellsToCreate: {} })) }), 'ValidationException');
await fails(send('ListTables', { workbookId: other }), 'ResourceNotFoundException');
await fails(make('wrong').send(new honeycode.ListTablesCommand({ workbookId })), 'InvalidSignatureException');
console.log('done');
