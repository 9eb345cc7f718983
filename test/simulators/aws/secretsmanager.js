// secretsmanager.js KEY SECRET TOKEN REGION
//	AWS Secrets Manager's GetSecretValue.  See json11.js for what else it answers.
//
//	POST /_secrets  {arn: {string | binary | denied | deleted}}, the secrets there are

'use strict'

const { serve, Failure } = require('./json11.js')

let secrets = {}

function getSecretValue(input) {
  for (const name of Object.keys(input))
    if (!['SecretId', 'VersionId', 'VersionStage'].includes(name)) throw new Failure('SerializationException', '')
  if (typeof input.SecretId !== 'string' || input.SecretId.length < 1 || input.SecretId.length > 2048)
    throw new Failure('ValidationException', "1 validation error detected: Value at 'secretId' failed to satisfy constraint")
  const arn = input.SecretId.startsWith('arn:') ? input.SecretId
    : Object.keys(secrets).find((a) => a.split(':').pop().replace(/-[A-Za-z0-9]{6}$/, '') === input.SecretId)
  const secret = secrets[arn]
  if (!secret) throw new Failure('ResourceNotFoundException', "Secrets Manager can't find the specified secret.")
  if (secret.denied)
    throw new Failure('AccessDeniedException', `User: arn:aws:sts::123456789012:assumed-role/db is not authorized to perform: secretsmanager:GetSecretValue on resource: ${arn} because no identity-based policy allows it`)
  if (secret.deleted)
    throw new Failure('InvalidRequestException', "You can't perform this operation on the secret because it was marked for deletion.")
  return {
    ARN: arn, Name: arn.split(':').pop(), VersionId: '12345678-1234-1234-1234-123456789012', VersionStages: ['AWSCURRENT'],
    CreatedDate: 1700000000.1,
    ...(secret.binary !== undefined ? { SecretBinary: Buffer.from(secret.binary).toString('base64') } : { SecretString: secret.string })
  }
}

serve({ service: 'secretsmanager', target: 'secretsmanager', actions: { GetSecretValue: getSecretValue },
  control: { '/_secrets': (said) => { secrets = said } } }, process.argv.slice(2))
