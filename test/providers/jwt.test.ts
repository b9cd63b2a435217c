import { createSign, generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import * as jose from 'jose'
import { describe, expect, test, vi } from 'vitest'
import {
  generateSigningKey,
  type JwtOptions,
  jwt,
  TokenManager,
  withCredentials,
} from '../../src/index.ts'
import { applied, testTime } from '../support/acquire.ts'
import { testClock } from '../support/clock.ts'

const secret = 'cAnArY-'.padEnd(64, 's')
const shared: JwtOptions = { algorithm: 'HS256', secret }
const now = testTime

async function tokenOf(options: JwtOptions, context = {}): Promise<string> {
  const { request } = await applied(jwt(options), context)
  return request.headers.get('Authorization')?.replace(/^Bearer /, '') ?? ''
}

const verify = (token: string, key: Parameters<typeof jose.jwtVerify>[1], algorithm: string) =>
  jose.jwtVerify(token, key, { algorithms: [algorithm], currentDate: new Date(now) })

describe('a minted token', () => {
  test.each(['HS256', 'HS384', 'HS512'] as const)('is verified with %s', async (algorithm) => {
    const token = await tokenOf({ algorithm, secret })
    const { protectedHeader } = await verify(token, new TextEncoder().encode(secret), algorithm)
    expect(protectedHeader).toEqual({ alg: algorithm, typ: 'JWT' })
  })

  test.each([
    'RS256',
    'RS512',
    'PS256',
    'PS384',
    'ES256',
    'ES384',
    'ES512',
    'EdDSA',
    'Ed25519',
  ] as const)('is verified with %s, from PEM, JWK and CryptoKey', async (algorithm) => {
    const pair = await generateSigningKey(algorithm)
    const publicKeys = jose.createLocalJWKSet({ keys: [...pair.jwks.keys] as never })
    const imported = await jose.importPKCS8(pair.privateKey, algorithm, { extractable: true })
    const jwk = (await jose.exportJWK(imported)) as JsonWebKey
    for (const key of [pair.privateKey, jwk, imported, () => JSON.stringify(jwk)]) {
      const token = await tokenOf({ algorithm, key, keyId: pair.keyId })
      const { protectedHeader } = await verify(token, publicKeys as never, algorithm)
      expect(protectedHeader.kid).toBe(pair.keyId)
    }
  })

  test('can be signed by a non-exportable key', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const sign = async (data: Uint8Array) =>
      createSign('SHA256').update(data).sign({ key: privateKey, dsaEncoding: 'ieee-p1363' })
    const token = await tokenOf({ algorithm: 'ES256', sign, subject: 'hsm' })
    const { payload } = await verify(token, publicKey, 'ES256')
    expect(payload.sub).toBe('hsm')
  })

  test('contains the requested claims and the times', async () => {
    const token = await tokenOf({
      ...shared,
      issuer: 'https://agents.example.com',
      subject: 'alice',
      audience: ['a', 'b'],
      notBefore: true,
      expiresIn: 60,
      header: { typ: 'at+jwt' },
      claims: { roles: ['reader'], policy: { tools: ['echo'] } },
    })
    const { jti, ...claims } = jose.decodeJwt(token)
    expect(claims).toEqual({
      iss: 'https://agents.example.com',
      sub: 'alice',
      aud: ['a', 'b'],
      iat: now / 1000,
      nbf: now / 1000,
      exp: now / 1000 + 60,
      roles: ['reader'],
      policy: { tools: ['echo'] },
    })
    expect(jti).toMatch(/^[0-9a-f-]{36}$/)
    expect(jose.decodeProtectedHeader(token).typ).toBe('at+jwt')
    expect(jose.decodeJwt(await tokenOf({ ...shared, jwtId: false })).jti).toBeUndefined()
  })

  test('computes claims for each token, with the current server', async () => {
    let count = 0
    const claims = async ({ resource }: { resource: URL }) => ({ n: ++count, for: resource.host })
    const provider = jwt({ ...shared, claims })
    const tokens = [await applied(provider), await applied(provider)].map(({ request }) =>
      jose.decodeJwt(request.headers.get('Authorization')?.slice(7) ?? ''),
    )
    expect(tokens).toMatchObject([
      { n: 1, for: 'mcp.example.com' },
      { n: 2, for: 'mcp.example.com' },
    ])
  })

  test("has times by the server's clock, and expires by this machine's clock", async () => {
    const serverNow = () => now + 600_000
    const { request, credential } = await applied(jwt(shared), { serverNow })
    const { iat } = jose.decodeJwt(request.headers.get('Authorization')?.slice(7) ?? '')
    expect(iat).toBe((now + 600_000) / 1000)
    expect(credential.expiresAt).toBe(now + 300_000)
  })

  test('is used until it is due for renewal, and the key is imported once', async () => {
    const clock = testClock()
    const imports = vi.spyOn(crypto.subtle, 'importKey')
    try {
      const resource = 'https://mcp.example.com/mcp'
      const manager = new TokenManager(jwt(shared), { resource, now: clock.now, random: () => 0 })
      const first = await manager.credential()
      clock.advance(239_000)
      expect(await manager.credential()).toBe(first)
      clock.advance(61_000)
      expect(await manager.credential()).not.toBe(first)
      const raw = imports.mock.calls.filter(([format]) => format === 'raw')
      expect(raw).toHaveLength(1)
    } finally {
      imports.mockRestore()
    }
  })

  test('is a new one for every request with `perRequest`', async () => {
    const seen = new Set<string | null>()
    const fetch = withCredentials(jwt({ ...shared, perRequest: true }), {
      fetch: async (_url, init) => {
        seen.add(new Headers(init?.headers).get('Authorization'))
        return new Response('{}')
      },
    }).fetch
    for (let request = 0; request < 5; request += 1) await fetch('https://mcp.example.com/mcp')
    expect(seen.size).toBe(5)
  })

  test('is signed with the new key after its source returns another', async () => {
    let current = secret
    const provider = jwt({ algorithm: 'HS256', secret: () => current })
    await applied(provider)
    current = 'another'.padEnd(64, 's')
    const { request } = await applied(provider)
    const token = request.headers.get('Authorization')?.slice(7) ?? ''
    await verify(token, new TextEncoder().encode(current), 'HS256')
  })
})

describe('jwt rejects', () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const curve = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const pem = (key: typeof weak.privateKey) =>
    key.export({ type: 'pkcs8', format: 'pem' }) as string
  test.each<[string, string, object]>([
    ['the algorithm none', 'jwt.algorithm', { algorithm: 'none', secret }],
    ['an unknown algorithm', 'jwt.algorithm', { algorithm: 'toString', secret }],
    ['no key', 'jwt.secret', { algorithm: 'HS256' }],
    ['two keys', 'jwt.secret', { algorithm: 'HS256', secret, key: secret }],
    ['a key for a secret', 'jwt.key', { algorithm: 'HS256', key: pem(curve.privateKey) }],
    ['a secret for a key', 'jwt.secret', { algorithm: 'ES256', secret }],
    ['a short secret', 'jwt.secret', { algorithm: 'HS256', secret: 'cAnArY-short' }],
    [
      'a secret shorter than its hash',
      'jwt.secret',
      { algorithm: 'HS512', secret: secret.slice(1) },
    ],
    ['a weak RSA key', 'jwt.key', { algorithm: 'RS256', key: pem(weak.privateKey) }],
    ['a key of another curve', 'jwt.key', { algorithm: 'ES256', key: pem(curve.privateKey) }],
    [
      'a public key',
      'jwt.key',
      { algorithm: 'ES384', key: curve.publicKey.export({ type: 'spki', format: 'pem' }) },
    ],
    ['a string that is not a key', 'jwt.key', { algorithm: 'ES256', key: 'cAnArY' }],
    ['a life of nothing', 'jwt.expiresIn', { ...shared, expiresIn: 0 }],
    ['a registered claim', 'jwt.claims', { ...shared, claims: { exp: 1 } }],
    ['claims that are a list', 'jwt.claims', { ...shared, claims: ['a'] }],
    ['a header with its own `alg`', 'jwt.header.alg', { ...shared, header: { alg: 'none' } }],
    ['a header that changes the payload', 'jwt.header.b64', { ...shared, header: { b64: 'x' } }],
    ['an option that does not exist', 'jwt.expires', { ...shared, expires: 60 }],
  ])('%s', (_what, option, options) => {
    let thrown: unknown
    try {
      jwt(options as never)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ name: 'ConfigurationError', option })
    expect(inspect(thrown)).not.toContain('cAnArY')
  })

  test('values that are known only at run time', async () => {
    const short = jwt({ algorithm: 'HS256', secret: () => 'cAnArY-short' })
    await expect(applied(short)).rejects.toMatchObject({ code: 'secret_unavailable' })
    const wrong = jwt({ algorithm: 'ES256', key: () => pem(curve.privateKey) })
    await expect(applied(wrong)).rejects.toMatchObject({ code: 'secret_unavailable' })
    const colliding = jwt({ ...shared, claims: () => ({ iss: 'me' }) })
    await expect(applied(colliding)).rejects.toMatchObject({ code: 'invalid_claims' })
  })
})

test('generateSigningKey rejects an algorithm with a shared secret', async () => {
  await expect(generateSigningKey('HS256' as never)).rejects.toMatchObject({ option: 'algorithm' })
})

describe('a JWK', () => {
  async function ownJwk(): Promise<JsonWebKey> {
    const { privateKey } = await jose.generateKeyPair('PS384', { extractable: true })
    return { ...(await jose.exportJWK(privateKey)), kid: 'own', alg: 'PS384' } as JsonWebKey
  }

  test('adds its `alg` and `kid` to the header', async () => {
    const key = await ownJwk()
    for (const source of [key, JSON.stringify(key), () => JSON.stringify(key)]) {
      const header = jose.decodeProtectedHeader(await tokenOf({ key: source }))
      expect(header).toMatchObject({ alg: 'PS384', kid: 'own' })
    }
  })

  test('is overridden by the options', async () => {
    const options = { key: await ownJwk(), algorithm: 'RS256', keyId: 'chosen' } as const
    const header = jose.decodeProtectedHeader(await tokenOf(options))
    expect(header).toMatchObject({ alg: 'RS256', kid: 'chosen' })
  })

  test('without `alg` requires the option `algorithm`', async () => {
    const { alg: _, ...key } = await ownJwk()
    expect(() => jwt({ key })).toThrow('set `algorithm`')
    await expect(tokenOf({ key: () => JSON.stringify(key) })).rejects.toThrow('set `algorithm`')
  })
})
