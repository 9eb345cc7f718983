// server.js KEY SECRET TOKEN REGION ROOT [SETTING...]
//	Amazon Lookout for Metrics as its API of 2017-07-25 was: detectors and metric sets are created, listed
//	and described, under the limits of its model; and a detector that reads what an interval has, out of the
//	directory ROOT, whose folders are buckets.  A SETTING is JSON, {detector, frequency, set}, and made at the start.
//
//	GET  /_log       requests since the last time
//	POST /_make      {detector, frequency, set: {members of CreateMetricSet}}: makes both
//	POST /_status    {detector, status, reason}
//	POST /_answers   [{status, headers, body, text, cut}], one a request; then as usual
//	GET  /_all/B     records of all objects of bucket B, which are JSON lines
//	POST /_read      {set, at}: what the detector reads for the interval that begins then (its wall clock)
//	and what ../http/faults.js has

'use strict';

const fs = require('fs');
const http = require('http');
const path = require('path');
const { complaint } = require('../appflow/sigv4.js');
const { Faults } = require('../http/faults.js');

const [key, secret, token, region, root, ...settings] = process.argv.slice(2);
const faults = new Faults();
const detectors = new Map();
const sets = new Map();
let log = [];
let answers = [];

class Refusal extends Error {
	constructor(status, name, message) { super(message); Object.assign(this, { status, name }); }
}
const invalid = (message) => { throw new Refusal(400, 'ValidationException', message); };
const missing = (arn) => { throw new Refusal(400, 'ResourceNotFoundException', `The resource ${arn} could not be found`); };
const reply = (response, status, body, headers = {}) => {
	response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
	response.end(typeof body === 'string' ? body : JSON.stringify(body));
};
const must = (value, name, pattern, max) => {
	if (typeof value !== 'string' || value.length < 1 || value.length > max || !pattern.test(value))
		invalid(`1 validation error detected: Value at '${name}' failed to satisfy constraint: Member must satisfy regular expression pattern: ${pattern.source}`);
	return value;
};
const arnOf = (rest) => `arn:aws:lookoutmetrics:${region}:123456789012:${rest}`;
const arn = (value, name) => must(value, name, /^arn:([a-z\d-]+):.*:.*:.*:.+$/, 256);
const column = (value, name) => must(value, name, /^[a-zA-Z0-9_]/, 63);
const frequencies = { PT5M: 300, PT10M: 600, PT1H: 3600, P1D: 86400 };

// ---------- operations ----------

function page(list, { MaxResults = 50, NextToken }) {
	if (!(Number.isInteger(MaxResults) && MaxResults >= 1 && MaxResults <= 100)) invalid('MaxResults must be between 1 and 100');
	const from = NextToken === undefined ? 0 : Number(NextToken.replace(/^from-/, ''));
	if (!(Number.isInteger(from) && from > -1)) invalid('The token is not valid');
	return [list.slice(from, from + MaxResults), from + MaxResults < list.length ? `from-${from + MaxResults}` : undefined];
}

const operations = {
	CreateAnomalyDetector({ AnomalyDetectorName, AnomalyDetectorConfig }) {
		const name = must(AnomalyDetectorName, 'anomalyDetectorName', /^[a-zA-Z0-9][a-zA-Z0-9\-_]*$/, 63);
		if (!frequencies[(AnomalyDetectorConfig || {}).AnomalyDetectorFrequency]) invalid('AnomalyDetectorFrequency');
		const AnomalyDetectorArn = arnOf(`AnomalyDetector:${name}`);
		if (detectors.has(AnomalyDetectorArn)) throw new Refusal(409, 'ConflictException', `${name} exists`);
		detectors.set(AnomalyDetectorArn, { AnomalyDetectorArn, AnomalyDetectorName: name, AnomalyDetectorConfig, CreationTime: 1.7e9, LastModificationTime: 1.7e9, Status: 'ACTIVE' });
		return { AnomalyDetectorArn };
	},
	DescribeAnomalyDetector({ AnomalyDetectorArn }) { return detectors.get(arn(AnomalyDetectorArn, 'anomalyDetectorArn')) || missing(AnomalyDetectorArn); },
	ListAnomalyDetectors(request) {
		const [AnomalyDetectorSummaryList, NextToken] = page([...detectors.values()].map(({ AnomalyDetectorConfig, ...rest }) => rest), request);
		return { AnomalyDetectorSummaryList, NextToken };
	},
	CreateMetricSet(request) {
		const name = must(request.MetricSetName, 'metricSetName', /^[a-zA-Z0-9][a-zA-Z0-9\-_]*$/, 63);
		const detector = detectors.get(arn(request.AnomalyDetectorArn, 'anomalyDetectorArn')) || missing(request.AnomalyDetectorArn);
		if ([...sets.values()].some((set) => set.AnomalyDetectorArn === detector.AnomalyDetectorArn))
			throw new Refusal(402, 'ServiceQuotaExceededException', 'A detector has one dataset');
		if (!Array.isArray(request.MetricList) || request.MetricList.length < 1 || request.MetricList.length > 10) invalid('MetricList');
		for (const metric of request.MetricList) {
			column(metric.MetricName, 'metricName');
			if (!['AVG', 'SUM'].includes(metric.AggregationFunction)) invalid('AggregationFunction');
		}
		if (request.DimensionList !== undefined && (request.DimensionList.length < 1 || request.DimensionList.length > 10)) invalid('DimensionList');
		for (const name of request.DimensionList || []) column(name, 'dimension');
		if (request.MetricSetFrequency !== undefined && request.MetricSetFrequency !== detector.AnomalyDetectorConfig.AnomalyDetectorFrequency) invalid('MetricSetFrequency is not that of the detector');
		const sources = Object.entries(request.MetricSource || {});
		if (sources.length !== 1) invalid('MetricSource has one source');
		const [[kind, source]] = sources;
		if (kind === 'AppFlowConfig') must(source.FlowName, 'flowName', /^[a-zA-Z0-9][\w!@#.-]+$/, 256);
		if (kind === 'S3SourceConfig' && (!Array.isArray(source.TemplatedPathList) || source.TemplatedPathList.length !== 1)) invalid('TemplatedPathList');
		if (kind === 'S3SourceConfig') must(source.TemplatedPathList[0], 'templatedPath', /^s3:\/\/[a-zA-Z0-9_\-\/ {}=]+$/, 1024);
		const MetricSetArn = arnOf(`MetricSet/${detector.AnomalyDetectorName}/${name}`);
		sets.set(MetricSetArn, { ...request, MetricSetArn, CreationTime: 1.7e9, LastModificationTime: 1.7e9 });
		return { MetricSetArn };
	},
	DescribeMetricSet({ MetricSetArn }) { return sets.get(arn(MetricSetArn, 'metricSetArn')) || missing(MetricSetArn); },
	ListMetricSets(request) {
		const list = [...sets.values()].filter((set) => request.AnomalyDetectorArn === undefined || set.AnomalyDetectorArn === request.AnomalyDetectorArn)
			.map(({ MetricSetArn, AnomalyDetectorArn, MetricSetDescription, MetricSetName, CreationTime, LastModificationTime, Tags }) =>
				({ MetricSetArn, AnomalyDetectorArn, MetricSetDescription, MetricSetName, CreationTime, LastModificationTime, Tags }));
		const [MetricSetSummaryList, NextToken] = page(list, request);
		return { MetricSetSummaryList, NextToken };
	},
};

function make({ detector, frequency, set }) {
	const { AnomalyDetectorArn } = operations.CreateAnomalyDetector({ AnomalyDetectorName: detector, AnomalyDetectorConfig: { AnomalyDetectorFrequency: frequency } });
	return operations.CreateMetricSet({ AnomalyDetectorArn, ...set });
}

// ---------- the detector, which reads ----------

const two = (n) => String(n).padStart(2, '0');
// parts of SimpleDateFormat that the tests use, made and read; times are of the dataset's wall clock, in ms as if of UTC
const parts = {
	yyyy: [(d) => d.getUTCFullYear(), '(?<y>\\d{4})'], MM: [(d) => two(d.getUTCMonth() + 1), '(?<M>\\d\\d)'], dd: [(d) => two(d.getUTCDate()), '(?<d>\\d\\d)'],
	HH: [(d) => two(d.getUTCHours()), '(?<H>\\d\\d)'], mm: [(d) => two(d.getUTCMinutes()), '(?<m>\\d\\d)'], ss: [(d) => two(d.getUTCSeconds()), '(?<s>\\d\\d)'],
	SSS: [(d) => String(d.getUTCMilliseconds()).padStart(3, '0'), '(?<S>\\d{3})'], hh: [(d) => two((d.getUTCHours() + 11) % 12 + 1), '(?<h>\\d\\d)'], a: [(d) => (d.getUTCHours() < 12 ? 'AM' : 'PM'), '(?<a>AM|PM)'],
	XXX: [() => '', '(?<X>Z|[+-]\\d\\d:\\d\\d)'],
};
const pieces = (pattern) => pattern.match(/'[^']*'|([a-zA-Z])\1*|[^a-zA-Z']+/g);
const show = (pattern, date) => pieces(pattern).map((p) => (parts[p] ? parts[p][0](date) : p.replace(/'/g, ''))).join('');
function parse(pattern, text) {
	const match = new RegExp('^' + pieces(pattern).map((p) => (parts[p] ? parts[p][1] : p.replace(/'/g, '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))).join('') + '$').exec(text);
	if (!match) return NaN;
	const { y, M = '01', d = '01', H, h, a, m = 0, s = 0, S = 0 } = match.groups;
	return Date.UTC(+y, M - 1, +d, H !== undefined ? +H : h !== undefined ? (+h % 12) + (a === 'PM' ? 12 : 0) : 0, +m, +s, +S);
}

function csv(text) {
	const rows = [];
	for (const line of text.split('\n').filter((l) => l !== '')) {
		const cells = [];
		for (const match of line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) cells.push(match[1] !== undefined ? match[1].replace(/""/g, '"') : match[2]);
		rows.push(cells);
	}
	const [header, ...rest] = rows;
	return rest.map((cells) => Object.fromEntries(header.map((name, i) => [name, cells[i]])));
}

// the hand-over of a flow, as doc/connectors/lookoutmetrics.md has it
const source = (set) => set.MetricSource.S3SourceConfig || { TemplatedPathList: [`s3://${set.Bucket}/${set.MetricSource.AppFlowConfig.FlowName}/{{yyyyMMdd}}/{{HHmm}}`] };

function read({ set: name, at, bucket }) {
	const set = [...sets.values()].find((s) => s.MetricSetName === name);
	const { TemplatedPathList: [template], FileFormatDescriptor = {} } = source({ Bucket: bucket, ...set });
	const begin = Date.parse(`${at}Z`);
	const end = begin + frequencies[set.MetricSetFrequency || detectors.get(set.AnomalyDetectorArn).AnomalyDetectorConfig.AnomalyDetectorFrequency] * 1000;
	const folder = template.replace('s3://', '').replace(/{{(.*?)}}/g, (_, pattern) => show(pattern, new Date(begin)));
	const directory = path.join(root, folder);
	const files = fs.existsSync(directory) ? fs.readdirSync(directory, { withFileTypes: true }).filter((f) => f.isFile()).map((f) => fs.readFileSync(path.join(directory, f.name), 'utf8')) : [];
	const records = files.flatMap((text) => (FileFormatDescriptor.CsvFormatDescriptor ? csv(text) : text.split('\n').filter((l) => l !== '').map((l) => JSON.parse(l))));
	const { ColumnName, ColumnFormat = 'yyyy-MM-dd HH:mm:ss' } = set.TimestampColumn;
	const within = records.filter((record) => { const t = parse(ColumnFormat, record[ColumnName]); return t >= begin && t < end; });
	const measured = within.filter((record) => set.MetricList.every(({ MetricName }) => record[MetricName] === null || record[MetricName] === '' ||
		(FileFormatDescriptor.CsvFormatDescriptor ? Number.isFinite(Number(record[MetricName])) : typeof record[MetricName] === 'number')));
	return { folder, files: files.length, records: measured, ignored: records.length - measured.length };
}

const lines = (directory) => fs.readdirSync(directory, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? lines(path.join(directory, entry.name)) :
	fs.readFileSync(path.join(directory, entry.name), 'utf8').split('\n').filter((l) => l !== '').map((l) => JSON.parse(l))));

// ---------- the server ----------

const controls = {
	'/_log': () => log.splice(0),
	'/_make': (body) => make(JSON.parse(body)),
	'/_status': (body) => { const { detector, status, reason } = JSON.parse(body); Object.assign(detectors.get(arnOf(`AnomalyDetector:${detector}`)), { Status: status, FailureReason: reason }); return {}; },
	'/_answers': (body) => { answers = JSON.parse(body); return {}; },
	'/_read': (body) => read(JSON.parse(body)),
};

const server = http.createServer((request, response) => {
	const pieces = [];
	request.on('data', (piece) => pieces.push(piece));
	request.on('end', () => {
		const body = Buffer.concat(pieces);
		if (controls[request.url]) return reply(response, 200, controls[request.url](body));
		if (request.url.startsWith('/_all/')) return reply(response, 200, lines(path.join(root, request.url.slice(6))));
		const told = faults.control(request.url, body);
		if (told !== undefined) return reply(response, 200, told);
		const refused = complaint(request, body, { key, secret, token, region, service: 'lookoutmetrics' });
		log.push({ url: request.url, body: String(body), accepted: !refused });
		if (refused) return reply(response, 403, { message: refused[1] }, { 'x-amzn-ErrorType': refused[0] });
		const fault = faults.due(`${request.method} ${request.url}`, response);
		if (fault === 'html') return undefined;
		if (fault === 'throttle') return reply(response, 429, { Message: 'Too many requests' }, { 'x-amzn-ErrorType': 'TooManyRequestsException' });
		const next = answers.shift();
		if (next && next.cut) return request.socket.destroy();
		if (next) return reply(response, next.status, next.text ?? next.body ?? {}, next.headers);
		try {
			const operation = operations[request.url.slice(1)];
			if (request.method !== 'POST' || !operation) throw new Refusal(404, 'UnknownOperationException', 'no such operation');
			let input;
			try { input = JSON.parse(body); } catch { throw new Refusal(400, 'SerializationException', 'The body is not JSON'); }
			return reply(response, 200, operation(input));
		} catch (error) {
			if (!(error instanceof Refusal)) throw error;
			return reply(response, error.status, { Message: error.message }, { 'x-amzn-ErrorType': error.name });
		}
	});
});
for (const setting of settings) make(JSON.parse(setting));
server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`));
