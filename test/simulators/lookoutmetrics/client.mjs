// client.mjs PORT KEY SECRET REGION
//	The simulator, asked by Amazon's own client: what it says is what the client understands.

import * as lookout from '@aws-sdk/client-lookoutmetrics';
import assert from 'assert';

const [port, accessKeyId, secretAccessKey, region] = process.argv.slice(2);
const make = (secret) => new lookout.LookoutMetricsClient({ endpoint: `http://127.0.0.1:${port}`, region, maxAttempts: 1, credentials: { accessKeyId, secretAccessKey: secret } });
const client = make(secretAccessKey);
const send = (operation, input) => client.send(new lookout[`${operation}Command`](input));
const fails = (promise, name) => assert.rejects(promise, (error) => error instanceof lookout.LookoutMetricsServiceException && error.name === name);

const { AnomalyDetectorArn } = await send('CreateAnomalyDetector', { AnomalyDetectorName: 'counter', AnomalyDetectorConfig: { AnomalyDetectorFrequency: 'PT1H' } });
const set = {
	AnomalyDetectorArn, MetricSetName: 'counter-set', MetricList: [{ MetricName: 'revenue', AggregationFunction: 'SUM' }], DimensionList: ['region'], MetricSetFrequency: 'PT1H', Timezone: 'UTC',
	TimestampColumn: { ColumnName: 'at', ColumnFormat: 'yyyy-MM-dd HH:mm:ss' }, MetricSource: { AppFlowConfig: { FlowName: 'counter-flow', RoleArn: 'arn:aws:iam::123456789012:role/flow' } },
};
const { MetricSetArn } = await send('CreateMetricSet', set);
const described = await send('DescribeMetricSet', { MetricSetArn });
assert.deepEqual(described.MetricSource, set.MetricSource);
assert.deepEqual(described.TimestampColumn, set.TimestampColumn);
assert.equal((await send('DescribeAnomalyDetector', { AnomalyDetectorArn })).AnomalyDetectorConfig.AnomalyDetectorFrequency, 'PT1H');
const listed = [];
for await (const page of lookout.paginateListMetricSets({ client, pageSize: 1 }, {})) listed.push(...page.MetricSetSummaryList);
assert.ok(listed.some((summary) => summary.MetricSetArn === MetricSetArn && summary.AnomalyDetectorArn === AnomalyDetectorArn));
assert.ok((await send('ListAnomalyDetectors', {})).AnomalyDetectorSummaryList.length > 0);
await fails(send('CreateMetricSet', { ...set, MetricSetName: 'another' }), 'ServiceQuotaExceededException');
await fails(send('DescribeMetricSet', { MetricSetArn: MetricSetArn + 'x' }), 'ResourceNotFoundException');
await fails(send('ListMetricSets', { MaxResults: 101 }), 'ValidationException');
await fails(make('wrong').send(new lookout.ListMetricSetsCommand({})), 'InvalidSignatureException');
console.log('done');
