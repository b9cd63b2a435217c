import { createSign, generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { CredentialError } from '../../src/index.ts'
import {
  authorizationCode,
  clientCredentials,
  type OAuthOptions,
  privateKeyJwt,
  savedLogin,
} from '../../src/oauth/index.ts'
import { tokenAnswer } from '../support/oauth-world.ts'
import { storedClients } from '../support/stored-clients.ts'

const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const publicJwk = publicKey.export({ format: 'jwk' })
const dsa = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const
const signed = async (data: Uint8Array) =>
  new Uint8Array(createSign('sha256').update(data).sign(dsa))
const der = async (data: Uint8Array) =>
  new Uint8Array(createSign('sha256').update(data).sign(privateKey))
const broken = async (): Promise<Uint8Array> => {
  throw new Error('canary-pin')
}

type Sign = (data: Uint8Array) => Promise<unknown>

/** A client whose proofs are signed by this function from now on. */
async function proven(first: Sign) {
  const state = { sign: first }
  const parts = await storedClients({
    token: (_params, count) => ({
      body: tokenAnswer(count, { token_type: 'DPoP', refresh_token: `refresh-${count}` }),
    }),
  })
  const sign = (data: Uint8Array) => state.sign(data)
  const dpop = { sign, publicJwk } as OAuthOptions['dpop'] & object
  return { ...parts, dpop, state, ...parts.client(authorizationCode({ ...browser, dpop })) }
}

describe('an external signer', () => {
  test('that fails is named at the login, with what to do', async () => {
    const { failure, world } = await proven(broken)
    const error = await failure()
    expect(error).toMatchObject({ code: 'secret_unavailable', retryable: true })
    expect(error.message).toContain('authorizationCode.dpop.sign threw (Error); nothing was sent.')
    expect(error.remedy).toContain('CredentialError')
    expect(error.message).not.toContain('canary')
    expect(world.tokenRequests()).toEqual([])
  })

  test('that fails is named at a renewal, which can be repeated', async () => {
    const { call, clock, client, dpop, state, world } = await proven(signed)
    await call()
    clock.advance(3_700_000)
    state.sign = broken
    const saved = client(savedLogin({ dpop }))
    const error = await saved.failure()
    expect(error).toMatchObject({ code: 'secret_unavailable', retryable: true })
    expect(error.message).toContain('savedLogin.dpop.sign threw')
    state.sign = signed
    clock.advance(61_000)
    expect((await saved.call()).status).toBe(200)
    expect(world.logins()).toHaveLength(1)
  })

  test('that fails is named when the token is used', async () => {
    const { call, failure, state } = await proven(signed)
    await call()
    state.sign = broken
    const error = await failure()
    expect(error.code).toBe('secret_unavailable')
    expect(error.message).toContain('authorizationCode.dpop.sign threw')
  })

  test('may state itself why it failed', async () => {
    const { failure } = await proven(async () => {
      throw new CredentialError('hsm_locked', 'The HSM is locked.')
    })
    expect(await failure()).toMatchObject({ code: 'hsm_locked' })
  })

  test.each<[string, Sign, string]>([
    ['DER', der, 'not DER'],
    ['a text', async () => 'signature', 'Uint8Array'],
    ['nothing', async () => undefined, 'Uint8Array'],
    ['too few bytes', async () => new Uint8Array(10), '64'],
  ])('that returns %s is rejected before anything is sent', async (_what, sign, hint) => {
    const { failure, world } = await proven(sign)
    const error = await failure()
    expect(error).toMatchObject({
      code: 'configuration',
      option: 'authorizationCode.dpop.sign',
    })
    expect(error.message).toContain(hint)
    expect(world.tokenRequests()).toEqual([])
  })

  test('may return an ArrayBuffer', async () => {
    const { call } = await proven(async (data) => (await signed(data)).slice().buffer)
    expect((await call()).status).toBe(200)
  })

  test.each<[string, Sign, object]>([
    ['fails', broken, { code: 'secret_unavailable', retryable: true }],
    ['makes DER', der, { code: 'configuration', option: 'privateKeyJwt.sign' }],
  ])('for assertions and %s is named', async (_what, sign, expected) => {
    const { client, world } = await storedClients()
    const clientAuth = privateKeyJwt({ sign: sign as typeof signed })
    const { failure } = client(
      clientCredentials({ clientId: 'job', issuer: world.issuer, clientAuth }),
    )
    const error = await failure()
    expect(error).toMatchObject(expected)
    expect(error.message).toContain('privateKeyJwt.sign')
    expect(world.tokenRequests()).toEqual([])
  })
})

test('dpop.algorithm that does not match the key names the matching one', () => {
  expect(() =>
    authorizationCode({ dpop: { sign: signed, publicJwk, algorithm: 'RS256' } }),
  ).toThrow('this key needs ES256')
})

test('onAuthorizationUrl that throws is named', async () => {
  const { client } = await storedClients()
  const onAuthorizationUrl = () => {
    throw new Error('canary')
  }
  const error = await client(authorizationCode({ onAuthorizationUrl })).failure()
  expect(error.code).toBe('acquire_failed')
  expect(error.message).toContain('authorizationCode.onAuthorizationUrl threw (Error)')
  expect(error.message).not.toContain('canary')
})
