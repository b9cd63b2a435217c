import { createSecretKey } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import { clientCredentials, clientSecretJwt, privateKeyJwt } from '../../src/oauth/index.ts'
import { acquireContext } from '../../src/testing/acquire-context.ts'
import { oauthWorld, type Script, tokenAnswer, type World } from '../support/oauth-world.ts'

const secret = 'a-shared-secret-of-more-than-32-bytes'
const hour = 3_600_000

type ClientAuth = ReturnType<typeof privateKeyJwt>

function acquire(world: World, clientAuth: ClientAuth, context: object = {}, more: object = {}) {
  const { issuer } = world
  const provider = clientCredentials({ clientId: 'agent', issuer, clientAuth, ...more })
  return provider.acquire(acquireContext({ resource: new URL(world.url), ...context }))
}

function assertions(world: World): string[] {
  return world.tokenRequests().map((request) => String(request['client_assertion']))
}

async function failure(promise: Promise<unknown>): Promise<Error & { remedy?: string }> {
  return promise.then(
    () => expect.fail('did not fail'),
    (error: Error) => error,
  )
}

async function ownKey(algorithm = 'ES256') {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true })
  return exportJWK(privateKey) as Promise<JsonWebKey>
}

describe('clientSecretJwt', () => {
  test('proves possession of the secret to the issuer without sending it', async () => {
    const world = await oauthWorld()
    await acquire(world, clientSecretJwt({ secret }))
    const [assertion = ''] = assertions(world)
    const { payload } = await jwtVerify(assertion, createSecretKey(secret, 'utf8'), {
      audience: world.issuer,
      issuer: 'agent',
      subject: 'agent',
    })
    expect(payload.jti).toBeDefined()
    expect(world.authorizationServer.requests.at(-1)?.body).not.toContain(secret)
  })

  test('names the token endpoint as the audience if the server requires it', async () => {
    const world = await oauthWorld()
    await acquire(world, clientSecretJwt({ secret: () => secret, audience: 'token_endpoint' }))
    expect(decodeJwt(assertions(world)[0] ?? '').aud).toBe(`${world.issuer}/token`)
  })

  test('requires the issuer of the secret', () => {
    const clientAuth = clientSecretJwt({ secret })
    expect(() => clientCredentials({ clientId: 'agent', clientAuth } as never)).toThrow(
      expect.objectContaining({ option: 'clientCredentials.issuer' }),
    )
  })

  test('rejects an unknown option, an empty secret and another audience', () => {
    for (const [options, option] of [
      [{ secret, alg: 'HS256' }, 'clientSecretJwt.alg'],
      [{ secret: '' }, 'clientSecretJwt.secret'],
      [{ secret, audience: 'https://x.example' }, 'clientSecretJwt.audience'],
    ] as const) {
      expect(() => clientSecretJwt(options as never)).toThrow(expect.objectContaining({ option }))
    }
  })

  test('cannot be combined with `clientSecret`', () => {
    const options = { clientId: 'agent', issuer: 'https://login.example.com', clientSecret: 'x' }
    const clientAuth = clientSecretJwt({ secret })
    expect(() => clientCredentials({ ...options, clientAuth })).toThrow(
      expect.objectContaining({ option: 'clientCredentials.clientSecret' }),
    )
  })
})

describe('privateKeyJwt', () => {
  test('uses the `kid` and the `alg` of a JWK, as an object and as a string', async () => {
    const world = await oauthWorld()
    const jwk = { ...(await ownKey('RS512')), kid: 'own-kid', alg: 'RS512' } as JsonWebKey
    await acquire(world, privateKeyJwt({ key: jwk }))
    await acquire(world, privateKeyJwt({ key: JSON.stringify(jwk) }))
    await acquire(world, privateKeyJwt({ key: async () => JSON.stringify(jwk) }))
    for (const assertion of assertions(world)) {
      expect(decodeProtectedHeader(assertion)).toMatchObject({ alg: 'RS512', kid: 'own-kid' })
    }
    expect(assertions(world)).toHaveLength(3)
  })

  test('prefers its own options to those of a JWK', async () => {
    const world = await oauthWorld()
    const jwk = { ...(await ownKey('RS256')), kid: 'own-kid', alg: 'RS256' } as JsonWebKey
    await acquire(world, privateKeyJwt({ key: jwk, algorithm: 'PS256', keyId: 'registered' }))
    const header = decodeProtectedHeader(assertions(world)[0] ?? '')
    expect(header).toMatchObject({ alg: 'PS256', kid: 'registered' })
  })

  test('requires `algorithm` for an RSA key', async () => {
    const jwk = await ownKey('RS256')
    expect(() => privateKeyJwt({ key: jwk })).toThrow(/set `algorithm`/i)
    const world = await oauthWorld()
    const { message } = await failure(
      acquire(world, privateKeyJwt({ key: () => JSON.stringify(jwk) })),
    )
    expect(message).toMatch(/set `algorithm`/i)
  })
})

describe.each([
  ['privateKeyJwt', async () => privateKeyJwt({ key: await ownKey() })],
  [
    'privateKeyJwt with a key elsewhere',
    async () => privateKeyJwt({ sign: async () => new Uint8Array(64) }),
  ],
  ['clientSecretJwt', async () => clientSecretJwt({ secret })],
])('the times of %s', (_name, make) => {
  /** A server whose clock is `offsetMs` ahead, and which checks the times. */
  function strict(offsetMs: number): Script {
    return {
      token: (params, count) => {
        const headers = { date: new Date(Date.now() + offsetMs).toUTCString() }
        const { iat = 0, exp = 0 } = decodeJwt(params.get('client_assertion') ?? '')
        const now = (Date.now() + offsetMs) / 1000
        const isValid = iat <= now + 30 && exp >= now
        if (isValid) return { headers, body: tokenAnswer(count) }
        return { status: 401, headers, body: { error: 'invalid_client' } }
      },
    }
  }

  test("use the server's clock if it is known", async () => {
    const world = await oauthWorld(strict(hour))
    await acquire(world, await make(), { serverNow: () => Date.now() + hour })
    const { iat = 0, nbf = 0, exp = 0 } = decodeJwt(assertions(world)[0] ?? '')
    expect(iat * 1000).toBeGreaterThan(Date.now() + hour - 60_000)
    expect([nbf - iat, exp - iat]).toEqual([0, 60])
    expect(assertions(world)).toHaveLength(1)
  })

  test.each([hour, -hour])('are corrected once by a response that is %i ms off', async (offset) => {
    const world = await oauthWorld(strict(offset))
    await acquire(world, await make())
    const [first = '', second = '', ...more] = assertions(world)
    expect(more).toEqual([])
    expect(decodeJwt(second).jti).not.toBe(decodeJwt(first).jti)
    expect((decodeJwt(second).iat ?? 0) - (decodeJwt(first).iat ?? 0)).toBeCloseTo(
      offset / 1000,
      -1,
    )
  })

  test('stay corrected for the next request', async () => {
    const world = await oauthWorld(strict(hour))
    const clientAuth = await make()
    const provider = clientCredentials({ clientId: 'agent', issuer: world.issuer, clientAuth })
    await provider.acquire(acquireContext({ resource: new URL(world.url) }))
    await provider.acquire(acquireContext({ resource: new URL(world.url) }))
    expect(assertions(world)).toHaveLength(3)
  })

  test("are not corrected if the server's clock agrees", async () => {
    const world = await oauthWorld({
      token: () => ({ status: 401, body: { error: 'invalid_client' } }),
    })
    await failure(acquire(world, await make()))
    expect(assertions(world)).toHaveLength(1)
  })

  test('are corrected once, even if the server rejects the assertion again', async () => {
    const world = await oauthWorld({
      token: () => ({
        status: 401,
        headers: { date: new Date(Date.now() + hour).toUTCString() },
        body: { error: 'invalid_client' },
      }),
    })
    await failure(acquire(world, await make()))
    expect(assertions(world)).toHaveLength(2)
  })
})
