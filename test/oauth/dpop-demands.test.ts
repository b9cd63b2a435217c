import { decodeJwt, decodeProtectedHeader, EmbeddedJWK, jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import type { CredentialError } from '../../src/index.ts'
import {
  authorizationCode,
  clientCredentials,
  type OAuthOptions,
  savedLogin,
} from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { acquireContext } from '../../src/testing/acquire-context.ts'
import { outgoing } from '../support/acquire.ts'
import { oauthWorld, type Script, tokenAnswer, type World } from '../support/oauth-world.ts'

const hour = 3_600_000

const bound: NonNullable<Script['token']> = (_params, count) => ({
  body: tokenAnswer(count, { token_type: 'DPoP', refresh_token: `refresh-${count}` }),
})

function providerFor(world: World, dpop: OAuthOptions['dpop'], more: object = {}) {
  return clientCredentials({
    clientId: 'agent',
    clientSecret: 'canary-secret',
    issuer: world.issuer,
    ...(dpop === undefined ? {} : { dpop }),
    ...more,
  })
}

function acquire(world: World, dpop: OAuthOptions['dpop'], context: object = {}) {
  const whole = acquireContext({ resource: new URL(world.url), ...context })
  return providerFor(world, dpop).acquire(whole)
}

async function failure(promise: Promise<unknown>): Promise<CredentialError> {
  return promise.then(
    () => expect.fail('did not fail'),
    (error: CredentialError) => error,
  )
}

function tokenProofs(world: World): string[] {
  return world.authorizationServer.requests
    .filter(({ url }) => url.endsWith('/token'))
    .map(({ headers }) => String(headers['dpop']))
}

/** A key that can only sign, like the key of a key service. */
async function keyService(algorithm: 'ES256' | 'PS256' = 'ES256') {
  const parameters =
    algorithm === 'ES256'
      ? { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
      : {
          name: 'RSA-PSS',
          hash: 'SHA-256',
          modulusLength: 2048,
          publicExponent: new Uint8Array([1, 0, 1]),
          saltLength: 32,
        }
  const pair = (await crypto.subtle.generateKey(parameters, false, [
    'sign',
    'verify',
  ])) as CryptoKeyPair
  const publicJwk = await crypto.subtle.exportKey('jwk', pair.publicKey)
  const sign = async (data: Uint8Array) =>
    new Uint8Array(await crypto.subtle.sign(parameters, pair.privateKey, new Uint8Array(data)))
  return { sign, publicJwk }
}

describe('an external key', () => {
  test.each(['ES256', 'PS256'] as const)(
    'signs the proofs of both servers with %s',
    async (algorithm) => {
      const world = await oauthWorld({ token: bound })
      const key = await keyService(algorithm)
      const credential = await acquire(world, { ...key, algorithm })
      const request = outgoing()
      await credential.apply(request)
      const proofs = [...tokenProofs(world), request.headers.get('DPoP') ?? '']
      for (const proof of proofs) {
        const { protectedHeader } = await jwtVerify(proof, EmbeddedJWK, { typ: 'dpop+jwt' })
        expect(protectedHeader).toMatchObject({ alg: algorithm, jwk: { kty: key.publicJwk.kty } })
      }
      expect(decodeJwt(proofs[1] ?? '')).toMatchObject({ htm: 'POST', ath: expect.any(String) })
    },
  )

  test('leaves only its public part in the store, and continues with the stored login', async () => {
    const world = await oauthWorld({ token: bound })
    const key = await keyService()
    const credential = await acquire(world, key)
    const { record } = credential
    expect(record?.data['dpopKey']).toEqual({
      kty: 'EC',
      crv: 'P-256',
      x: key.publicJwk.x,
      y: key.publicJwk.y,
    })
    const context = acquireContext({ resource: new URL(world.url) })
    const restored = await providerFor(world, key).restore?.(record as never, context)
    const request = outgoing()
    await restored?.apply(request)
    expect(request.headers.get('Authorization')).toBe('DPoP access-1')
    await jwtVerify(request.headers.get('DPoP') ?? '', EmbeddedJWK)
  })

  test('is not replaced by another one, whose tokens would be rejected', async () => {
    const world = await oauthWorld({ token: bound })
    const { record } = await acquire(world, await keyService())
    const context = acquireContext({ resource: new URL(world.url) })
    for (const dpop of [await keyService(), true, undefined]) {
      const restored = await providerFor(world, dpop).restore?.(record as never, context)
      const error = await failure((async () => restored?.apply(outgoing()))())
      expect(error).toMatchObject({ code: 'configuration', option: 'clientCredentials.dpop' })
    }
  })

  test.each([
    [{ sign: async () => new Uint8Array() }, 'publicJwk'],
    [{ publicJwk: { kty: 'EC', crv: 'P-256' } }, 'sign'],
    [
      { sign: async () => new Uint8Array(), publicJwk: { kty: 'EC', crv: 'P-256', d: 'x' } },
      'publicJwk',
    ],
    [{ sign: async () => new Uint8Array(), publicJwk: { kty: 'RSA' } }, 'algorithm'],
    [{ sign: async () => new Uint8Array(), publicJwk: { kty: 'EC', crv: 'P-384' } }, 'algorithm'],
    [{ signer: 1 }, 'signer'],
  ])('row 87: is rejected if it is described incorrectly: %j', (dpop, option) => {
    expect(() => authorizationCode({ dpop: dpop as never })).toThrow(
      expect.objectContaining({ option: `authorizationCode.dpop.${option}` }),
    )
  })
})

describe('the algorithm of proofs', () => {
  const listing = (server?: string[], resource?: string[]): Script => ({
    token: bound,
    metadata: () => (server ? { dpop_signing_alg_values_supported: server } : {}),
    resource: () => (resource ? { dpop_signing_alg_values_supported: resource } : {}),
  })

  test.each([
    [undefined, undefined, 'ES256'],
    [['PS256', 'ES256'], undefined, 'ES256'],
    [['PS256', 'RS256'], undefined, 'PS256'],
    [['ES256', 'PS256'], ['PS256'], 'PS256'],
    [undefined, ['Ed25519'], 'Ed25519'],
  ])('is one that both servers support: %j and %j', async (server, resource, expected) => {
    const world = await oauthWorld(listing(server, resource))
    await acquire(world, true)
    expect(decodeProtectedHeader(tokenProofs(world)[0] ?? '').alg).toBe(expected)
  })

  test('is one that the challenge lists', async () => {
    const world = await oauthWorld({
      token: bound,
      mcp: (token) => (token === undefined ? { status: 401 } : undefined),
    })
    const parameters = new Map([['algs', 'RS256 PS256']])
    await acquire(world, true, { challenges: [{ scheme: 'dpop', parameters }] })
    expect(decodeProtectedHeader(tokenProofs(world)[0] ?? '').alg).toBe('PS256')
  })

  test('is not used if the servers support none', async () => {
    const world = await oauthWorld(listing(['PS256', 'ES512']))
    const { code, message } = await failure(acquire(world, { algorithm: 'ES256' }))
    expect(code).toBe('configuration')
    expect(message).toContain('Set `dpop.algorithm` to PS256')
    expect(world.tokenRequests()).toEqual([])
    const other = await oauthWorld(listing(['ES512\u202e', 'ES384']))
    const unusable = await failure(acquire(other, true))
    expect(unusable.message).toContain('signed with ES384, not')
  })
})

describe('a server that requires DPoP', () => {
  test('receives no login without `dpop` if its metadata says so', async () => {
    const world = await oauthWorld({
      resource: () => ({ dpop_bound_access_tokens_required: true }),
    })
    const error = await failure(acquire(world, undefined))
    expect(error).toMatchObject({ code: 'configuration', option: 'clientCredentials.dpop' })
    expect(error.remedy).toBe('Set `dpop: true`.')
    expect(world.tokenRequests()).toEqual([])
  })

  test('receives no login without `dpop` if it challenges only for DPoP', async () => {
    const world = await oauthWorld()
    const challenge = (scheme: string) => ({ scheme, parameters: new Map() })
    const error = await failure(acquire(world, undefined, { challenges: [challenge('dpop')] }))
    expect(error.remedy).toBe('Set `dpop: true`.')
    const challenges = [challenge('dpop'), challenge('bearer')]
    await acquire(world, undefined, { challenges })
    expect(world.tokenRequests()).toHaveLength(1)
  })

  test('is named if it rejects a token request without a proof', async () => {
    const world = await oauthWorld({
      token: () => ({ status: 400, body: { error: 'invalid_dpop_proof' } }),
    })
    const error = await failure(acquire(world, undefined))
    expect(error).toMatchObject({ code: 'invalid_dpop_proof' })
    expect(error.remedy).toContain('`dpop: true`')
  })

  test.each(['use_dpop_nonce', 'invalid_dpop_proof'])(
    'and responds with %s causes another remedy if `dpop` is set',
    async (error) => {
      const world = await oauthWorld({ token: () => ({ status: 400, body: { error } }) })
      const without = await failure(acquire(world, undefined))
      expect(without).toMatchObject({ code: error, retryable: false })
      expect(without.remedy).toBe('Set `dpop: true`.')
      const bound = await failure(acquire(world, true))
      expect(bound).toMatchObject({ code: error, retryable: false })
      expect(bound.remedy).toBeDefined()
      expect(bound.remedy).not.toContain('`dpop: true`')
    },
  )

  test('receives a proof with a time that its clock accepts', async () => {
    const world = await oauthWorld({
      token: (params, count, request) => {
        const headers = { date: new Date(Date.now() + hour).toUTCString() }
        const { iat = 0 } = decodeJwt(String(request.headers['dpop']))
        if (iat * 1000 > Date.now() + hour - 60_000)
          return { ...bound(params, count, request), headers }
        return { status: 400, headers, body: { error: 'invalid_dpop_proof' } }
      },
    })
    await acquire(world, true)
    expect(tokenProofs(world)).toHaveLength(2)
  })

  test('receives each nonce once, and the next request contains it immediately', async () => {
    const world = await oauthWorld({
      token: (params, count, request) => {
        const { nonce } = decodeJwt(String(request.headers['dpop']))
        if (nonce === 'n-1') return bound(params, count, request)
        const headers = { 'dpop-nonce': 'n-1' }
        return { status: 400, headers, body: { error: 'use_dpop_nonce' } }
      },
    })
    const provider = providerFor(world, true)
    const context = acquireContext({ resource: new URL(world.url) })
    await provider.acquire(context)
    await provider.acquire(context)
    expect(tokenProofs(world)).toHaveLength(3)
  })

  test('is not tried endlessly if it never accepts its own nonce', async () => {
    let count = 0
    const world = await oauthWorld({
      token: () => {
        count += 1
        return {
          status: 400,
          headers: { 'dpop-nonce': `n-${count}` },
          body: { error: 'use_dpop_nonce' },
        }
      },
    })
    await failure(acquire(world, true))
    expect(tokenProofs(world)).toHaveLength(2)
  })
})

test('a login that is bound to an external key names the option for continuing it', async () => {
  const world = await oauthWorld({ token: bound })
  const store = memoryStore()
  const dpop = await keyService()
  const login = authorizationCode({ dpop, onAuthorizationUrl: (url) => fetch(url) })
  await world.call(login, { store })
  const error = await failure(world.call(savedLogin(), { store }))
  expect(error.remedy).toContain('dpop: { sign, publicJwk }')
})
