// The AWS SDK as a counter-client: what it reads must be what was written.
//
//   node client.js PORT put BUCKET KEY TEXT
//   node client.js PORT get BUCKET KEY       prints size, SHA-256, content type

'use strict'

const crypto = require('node:crypto')
const { S3Client, PutObjectCommand, GetObjectCommand } = require('@aws-sdk/client-s3')

async function main([port, what, Bucket, Key, text]) {
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' }
  })
  if (what === 'put') {
    await client.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.from(text), ContentType: 'text/plain' }))
  } else if (what === 'get') {
    const answer = await client.send(new GetObjectCommand({ Bucket, Key }))
    const body = await answer.Body.transformToByteArray()
    console.log(`${body.length} ${crypto.createHash('sha256').update(body).digest('hex')} ${answer.ContentType}`)
  }
}

main(process.argv.slice(2)).catch((e) => {
  console.error(String(e))
  process.exit(1)
})
