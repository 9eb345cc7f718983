// sigv4.js
//	Whether a request is signed as AWS wants it.

'use strict';

const crypto = require('crypto');

const hash = (data) => crypto.createHash('sha256').update(data).digest('hex');
const hmac = (of, data) => crypto.createHmac('sha256', of).update(data).digest();
const encode = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());

// the rules of Signature Version 4, from its definition; a complaint or null
function complaint(request, body, { key, secret, token, region, service }) {
	const headers = request.headers;
	const parts = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(headers.authorization || '');
	if (!parts) return ['MissingAuthenticationTokenException', 'Missing Authentication Token'];
	const date = headers['x-amz-date'] || '';
	if (!/^\d{8}T\d{6}Z$/.test(date)) return ['IncompleteSignatureException', 'no date'];
	const time = Date.parse(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
	if (Math.abs(Date.now() - time) > 300000) return ['InvalidSignatureException', 'Signature expired'];
	const scope = `${date.slice(0, 8)}/${region}/${service}/aws4_request`;
	if (parts[1] !== `${key}/${scope}`) return ['UnrecognizedClientException', 'The security token included in the request is invalid.'];
	if ((headers['x-amz-security-token'] || '') !== token) return ['UnrecognizedClientException', 'The security token included in the request is invalid.'];

	const signed = parts[2].split(';');
	if (signed.join() !== [...signed].sort().join()) return ['IncompleteSignatureException', 'unsorted headers'];
	for (const must of ['host', 'content-type', ...Object.keys(headers).filter((h) => h.startsWith('x-amz-'))])
		if (must in headers && !signed.includes(must)) return ['InvalidSignatureException', `${must} is not signed`];
	const [path, query] = request.url.split('?');
	const canonical = [request.method,
		path.split('/').map(encode).join('/'),
		(query || '').split('&').filter((p) => p).map((p) => (p.includes('=') ? p : p + '=')).sort().join('&'),
		...signed.map((h) => `${h}:${String(headers[h]).trim().replace(/ +/g, ' ')}`), '',
		signed.join(';'), hash(body)].join('\n');
	const signing = [service, 'aws4_request'].reduce(hmac, hmac(hmac('AWS4' + secret, date.slice(0, 8)), region));
	const expected = hmac(signing, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${hash(canonical)}`).toString('hex');
	// as AWS has it: with the request, and the token in it
	return expected === parts[3] ? null : ['InvalidSignatureException', 'The request signature we calculated does not match the signature you provided. ' +
		`Check your AWS Secret Access Key and signing method.\n\nThe Canonical String for this request should have been\n'${canonical}'\n`];
}

module.exports = { complaint };
