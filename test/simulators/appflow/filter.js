// The filterExpression grammar of AppFlow's custom connector SDK: parse(text) gives a
// function of a record, and throws for what the grammar does not have.
//
// Keywords are all upper or all lower case; strings in either quote with \ escapes; dates
// and times bare, times ending in Z; an unquoted positive integer has two digits or more.

'use strict';

const TOKEN = /\s*(?:(\d{4}-\d\d-\d\dT[\d:.]+Z|\d{4}-\d\d-\d\d)|(-?\d+(?:\.\d+)?)|('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|([A-Za-z][A-Za-z0-9_.-]*)|(>=|<=|!=|=|>|<|\(|\)|,))/y;
const KEYWORDS = ['AND', 'OR', 'NOT', 'CONTAINS', 'BETWEEN', 'IN', 'LIMIT', 'NULL', 'TRUE', 'FALSE'];

function tokens(text) {
	const list = [];
	TOKEN.lastIndex = 0;
	while (TOKEN.lastIndex < text.trimEnd().length) {
		const at = TOKEN.lastIndex;
		const match = TOKEN.exec(text);
		if (!match) throw new Error(`filterExpression: unexpected input at ${at}: ${text.slice(at, at + 20)}`);
		const [, time, number, string, word, symbol] = match;
		if (time) list.push({ kind: 'value', value: time });
		else if (number) {
			if (/^\d$/.test(number)) throw new Error(`filterExpression: ${number} is no number of the grammar`);
			list.push({ kind: 'value', value: Number(number) });
		} else if (string) list.push({ kind: 'value', value: string.slice(1, -1).replace(/\\(.)/gs, '$1') });
		else if (word) {
			const upper = word.toUpperCase();
			if (KEYWORDS.includes(upper) && (word === upper || word === upper.toLowerCase())) list.push({ kind: upper });
			else list.push({ kind: 'name', value: word });
		} else list.push({ kind: symbol });
	}
	return list;
}

function compare(a, b) {
	if (typeof a === 'number' || typeof b === 'number') return Number(a) - Number(b);
	if (/^\d{4}-\d\d-\d\d/.test(a) && /^\d{4}-\d\d-\d\d/.test(b)) return Date.parse(a) - Date.parse(b);
	return a < b ? -1 : a > b ? 1 : 0;
}

const TESTS = {
	'=': (a, b) => compare(a, b) === 0, '!=': (a, b) => compare(a, b) !== 0,
	'>': (a, b) => compare(a, b) > 0, '<': (a, b) => compare(a, b) < 0,
	'>=': (a, b) => compare(a, b) >= 0, '<=': (a, b) => compare(a, b) <= 0,
	CONTAINS: (a, b) => String(a).includes(b),
};

function parse(text) {
	const list = tokens(text);
	let at = 0;
	const peek = () => (list[at] || { kind: 'the end' }).kind;
	const take = (kind) => {
		if (peek() !== kind) throw new Error(`filterExpression: ${kind} expected, not ${peek()}`);
		return list[at++].value;
	};
	const value = () => {
		if (peek() === 'TRUE' || peek() === 'FALSE') return list[at++].kind === 'TRUE';
		if (peek() === 'NULL') { at++; return null; }
		return take('value');
	};
	const primary = () => {
		if (peek() === '(') { at++; const inner = or(); take(')'); return inner; }
		if (peek() === 'NOT') { at++; const inner = primary(); return (r) => !inner(r); }
		const name = take('name');
		if (peek() === 'BETWEEN') { at++; const low = value(); take('AND'); const high = value(); return (r) => r[name] != null && compare(r[name], low) >= 0 && compare(r[name], high) <= 0; }
		const test = TESTS[peek()];
		if (!test) throw new Error(`filterExpression: no operator: ${peek()}`);
		at++;
		const operand = value();
		return (r) => (operand === null ? r[name] == null : r[name] != null && test(r[name], operand));
	};
	const and = () => { let left = primary(); while (peek() === 'AND') { at++; const a = left; const b = primary(); left = (r) => a(r) && b(r); } return left; };
	const or = () => { let left = and(); while (peek() === 'OR') { at++; const a = left; const b = and(); left = (r) => a(r) || b(r); } return left; };
	const whole = or();
	if (at < list.length) throw new Error(`filterExpression: ${peek()} is one too many`);
	return whole;
}

module.exports = { parse };
