import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { checkPrivateKey, importPrivateKey } from '../src/signing-key.ts'

const pem = { type: 'pkcs8', format: 'pem' } as const
const keys = {
  'without parameters': generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
  'with parameters': generateKeyPairSync('rsa-pss', {
    modulusLength: 2048,
    hashAlgorithm: 'sha512',
    mgf1HashAlgorithm: 'sha512',
  }),
}
const cases = Object.entries(keys).map(
  ([title, { privateKey }]) => [title, privateKey.export(pem).toString()] as const,
)
const platforms = ['Node', 'another platform'] as const

function runOn(platform: (typeof platforms)[number]): void {
  if (platform === 'Node') return
  vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never)
}

function refusal(key: string): Error {
  try {
    checkPrivateKey('jwt.key', key, 'PS512')
  } catch (error) {
    return error as Error
  }
  throw new Error('the key was taken')
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe.each(cases)('a key that is restricted to RSASSA-PSS, %s', (_title, key) => {
  test.each(platforms)('is refused on %s with what to do about it', async (platform) => {
    runOn(platform)
    const error = refusal(key)
    expect(error).toMatchObject({
      option: 'jwt.key',
      message: expect.stringMatching(/^jwt\.key is restricted to RSASSA-PSS.*: openssl rsa /),
    })
    expect(inspect(error)).not.toContain(key.split('\n')[3])
    await expect(importPrivateKey('jwt.key', () => key, 'PS512', undefined)).rejects.toMatchObject({
      code: 'secret_unavailable',
      message: expect.stringContaining('openssl rsa'),
    })
  })

  test('is taken after the command that the error names', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'signing-key-test-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'key.pem'), key)
    const { message } = refusal(key)
    const script = message.slice(message.indexOf('openssl rsa'))
    execFileSync('sh', ['-c', script], { cwd: folder, stdio: 'pipe' })

    const plain = readFileSync(join(folder, 'plain.pem'), 'utf8')
    const imported = await importPrivateKey('jwt.key', plain, 'PS512', undefined)
    expect(imported.algorithm).toMatchObject({ name: 'RSA-PSS', modulusLength: 2048 })
  })
})

test.each(platforms)('a plain RSA key signs with RSASSA-PSS on %s', async (platform) => {
  runOn(platform)
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const key = privateKey.export(pem).toString()
  expect((await importPrivateKey('jwt.key', key, 'PS256', undefined)).algorithm.name).toBe(
    'RSA-PSS',
  )
})

describe('what is no private key', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const text = privateKey.export(pem).toString()
  const jwk = privateKey.export({ format: 'jwk' })

  test.each([
    ['a key object of Node', privateKey],
    ['a JWK set', { keys: [jwk] }],
    ['a whole result of generateSigningKey()', { privateKey: text, keyId: 'a', jwks: {} }],
    ['the JSON of a JWK set', JSON.stringify({ keys: [jwk] })],
  ])('is refused with the forms that are taken: %s', (_what, key) => {
    const check = () => checkPrivateKey('jwt.key', key as never, 'ES256')
    expect(check).toThrow('jwt.key is not a private key; pass a PEM text, a JWK or a CryptoKey.')
  })

  test('since its line breaks are written as \\n is refused with what to do', () => {
    const check = () => checkPrivateKey('jwt.key', text.replaceAll('\n', '\\n'), 'ES256')
    expect(check).toThrow('contains \\n instead of line breaks')
    expect(check).not.toThrow(text.split('\n')[1])
  })
})
