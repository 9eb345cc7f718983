// sdk.mjs PORT KEY SECRET TOKEN REGION < [{operation, request}]
//	Sends the requests through the AWS SDK, whose model is AWS's own.

import * as appflow from '@aws-sdk/client-appflow';
import { readFileSync } from 'fs';

const [port, accessKeyId, secretAccessKey, sessionToken, region] = process.argv.slice(2);
const client = new appflow.AppflowClient({
	endpoint: `http://127.0.0.1:${port}`, region, maxAttempts: 1,
	credentials: { accessKeyId, secretAccessKey, sessionToken },
});
const times = ['scheduleStartTime', 'scheduleEndTime', 'firstExecutionFrom'];

for (const { operation, request } of JSON.parse(readFileSync(0, 'utf8'))) {
	// the SDK wants times as such
	const input = JSON.parse(JSON.stringify(request), (name, value) => (times.includes(name) ? new Date(value * 1000) : value));
	await client.send(new appflow[`${operation}Command`](input));
}
console.log('done');
