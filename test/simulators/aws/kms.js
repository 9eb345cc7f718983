// kms.js KEY SECRET TOKEN REGION
//	AWS KMS with symmetric keys that really encrypt, the encryption context as
//	associated data: GenerateDataKey, Encrypt, Decrypt.  See json11.js for what else
//	it answers.
//
//	POST /_keys  {arn: {denied: [actions], disabled, alias}}, the keys there are; those
//	             that were there before keep their material

'use strict'

const crypto = require('crypto')
const { serve, Failure } = require('./json11.js')

let keys = {}
const material = {} // arn => bytes

function contextOf(input) {
  const context = input.EncryptionContext || {}
  for (const [name, value] of Object.entries(context))
    if (name.startsWith('aws:') || typeof value !== 'string') throw new Failure('ValidationException', 'encryption context')
  return Buffer.from(JSON.stringify(Object.entries(context).sort()))
}

function use(id, action) {
  let arn = Object.keys(keys).find((a) => a === id || a.endsWith(`:key/${id}`) || (keys[a].alias && (id === keys[a].alias || id.endsWith(`:${keys[a].alias}`))))
  if (!arn)
    throw new Failure('NotFoundException', id.includes(':alias/') ? `Alias ${id} is not found.` : `Key '${id}' does not exist`)
  if ((keys[arn].denied || []).includes(action))
    throw new Failure('AccessDeniedException', `User: arn:aws:sts::123456789012:assumed-role/db is not authorized to perform: kms:${action} on resource: ${arn} because no resource-based policy allows the kms:${action} action`)
  if (keys[arn].disabled) throw new Failure('DisabledException', `${arn} is disabled.`)
  return arn
}

function encrypt(arn, plain, context) {
  const iv = crypto.randomBytes(12)
  const cipher = crypto.createCipheriv('aes-256-gcm', material[arn], iv)
  cipher.setAAD(context)
  const text = Buffer.concat([cipher.update(plain), cipher.final()])
  const name = Buffer.from(arn)
  return Buffer.concat([Buffer.from([1, name.length]), name, iv, cipher.getAuthTag(), text])
}

const actions = {
  GenerateDataKey(input) {
    if (!input.KeyId) throw new Failure('ValidationException', "1 validation error detected: Value null at 'keyId' failed to satisfy constraint")
    if ((input.KeySpec === undefined) === (input.NumberOfBytes === undefined))
      throw new Failure('ValidationException', 'Please specify either number of bytes or key spec.')
    if (input.KeySpec !== undefined && !['AES_256', 'AES_128'].includes(input.KeySpec)) throw new Failure('ValidationException', 'KeySpec')
    const arn = use(input.KeyId, 'GenerateDataKey')
    const plain = crypto.randomBytes(input.KeySpec === 'AES_128' ? 16 : input.NumberOfBytes || 32)
    return { KeyId: arn, Plaintext: plain.toString('base64'), CiphertextBlob: encrypt(arn, plain, contextOf(input)).toString('base64') }
  },
  Encrypt(input) {
    const arn = use(input.KeyId, 'Encrypt')
    const plain = Buffer.from(input.Plaintext, 'base64')
    if (plain.length < 1 || plain.length > 4096) throw new Failure('ValidationException', 'Plaintext')
    return { KeyId: arn, CiphertextBlob: encrypt(arn, plain, contextOf(input)).toString('base64'), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }
  },
  Decrypt(input) {
    const blob = Buffer.from(input.CiphertextBlob || '', 'base64')
    const arn = blob[0] === 1 ? blob.subarray(2, 2 + blob[1]).toString() : ''
    if (!keys[arn]) throw new Failure('InvalidCiphertextException', '')
    if (input.KeyId !== undefined && use(input.KeyId, 'Decrypt') !== arn)
      throw new Failure('IncorrectKeyException', 'The key ID in the request does not identify a CMK that can perform this operation.')
    use(arn, 'Decrypt')
    const at = 2 + blob[1]
    try {
      const decipher = crypto.createDecipheriv('aes-256-gcm', material[arn], blob.subarray(at, at + 12))
      decipher.setAAD(contextOf(input))
      decipher.setAuthTag(blob.subarray(at + 12, at + 28))
      const plain = Buffer.concat([decipher.update(blob.subarray(at + 28)), decipher.final()])
      return { KeyId: arn, Plaintext: plain.toString('base64'), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }
    } catch (e) {
      if (e instanceof Failure) throw e
      throw new Failure('InvalidCiphertextException', '')
    }
  }
}

serve({ service: 'kms', target: 'TrentService', actions,
  control: { '/_keys': (said) => { keys = said; for (const arn of Object.keys(said)) material[arn] = material[arn] || crypto.randomBytes(32) } } },
process.argv.slice(2))
