// A table of a warehouse that loads JSON lines from a folder that is the bucket: what
// Snowflake and Redshift have in common. A value that does not fit its column is an error
// of that line.

'use strict';

const fs = require('fs');
const path = require('path');

const FITS = {
	text: (v, column) => (typeof v !== 'string' && typeof v !== 'number' && typeof v !== 'boolean' ? 'is not text'
		: column.length && Buffer.byteLength(String(v)) > column.length ? 'String length exceeds DDL length' : null),
	integer: (v) => (/^-?\d+$/.test(String(v)) ? null : `Numeric value '${v}' is not recognized`),
	number: (v) => (/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(String(v)) ? null : `Numeric value '${v}' is not recognized`),
	boolean: (v) => (typeof v === 'boolean' ? null : `Boolean value '${v}' is not recognized`),
	date: (v) => (/^\d{4}-\d\d-\d\d$/.test(v) ? null : `Date '${v}' is not recognized`),
	timestamptz: (v) => (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(v) ? null : `Timestamp '${v}' is not recognized`),
	timestamp: (v) => (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?$/.test(v) ? null : `Timestamp '${v}' is not recognized`),
	json: () => null,
};

class Table {
	constructor(columns) {
		this.columns = columns; // {name: {kind, length, notNull, values}}
		this.rows = [];
		this.loaded = new Set(); // files, which are not loaded twice
	}

	// the lines of a file: {good: [...], errors: [{line, column, message, text}]}
	read(root, bucket, key, fold) {
		const file = path.join(root, bucket, key);
		const result = { good: [], errors: [] };
		fs.readFileSync(file, 'utf8').split('\n').forEach((text, i) => {
			if (text === '') return;
			const record = JSON.parse(text);
			const row = {};
			for (const [name, column] of Object.entries(this.columns)) {
				const key = Object.keys(record).find((k) => fold(k) === name);
				const value = key === undefined ? null : record[key];
				const wrong = value === null ? (column.notNull ? 'NULL result in a non-nullable column' : null) : FITS[column.kind](value, column);
				if (wrong || (column.refuse && value === column.refuse)) {
					result.errors.push({ line: i + 1, column: name, message: wrong || `value '${value}' is not allowed`, text });
					return;
				}
				row[name] = value;
			}
			result.good.push(row);
		});
		return result;
	}
}

module.exports = { Table };
