import { exportJWK, generateKeyPair } from 'jose'
import { describe, expect, test } from 'vitest'
import { authorizedFetch, type CredentialError } from '../../src/index.ts'
import {
  authorizationCode,
  type ClientAuthentication,
  clientSecretJwt,
  privateKeyJwt,
  savedLogin,
} from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { testClock } from '../support/clock.ts'
import { oauthWorld, type Script, tokenAnswer } from '../support/oauth-world.ts'

const hour = 3_600_000
const secret = 'canary-client-secret-of-32-bytes-and-more'
const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }

/** Like many servers, it revokes the login when a client that has a secret refreshes without it. */
function burning(isAuthenticated: (params: URLSearchParams, authorization: string) => boolean) {
  const state = { burnt: false }
  const token: NonNullable<Script['token']> = (params, count, { headers }) => {
    if (!isAuthenticated(params, headers.authorization ?? '')) state.burnt = true
    if (state.burnt) return { status: 401, body: { error: 'invalid_client' } }
    return { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) }
  }
  return { state, token }
}

const assertion = (params: URLSearchParams) => params.has('client_assertion')

async function keyJwt(): Promise<ClientAuthentication> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  return privateKeyJwt({ key: (await exportJWK(privateKey)) as JsonWebKey })
}

async function setUp(script: Script, login: object) {
  const world = await oauthWorld(script)
  const clock = testClock()
  const store = memoryStore()
  const client = { clientId: 'agent', issuer: world.issuer }
  const options = { resource: world.url, store, now: clock.now, random: () => 0 }
  const first = authorizedFetch(authorizationCode({ ...browser, ...client, ...login }), options)
  await first.login()
  await first.close()
  clock.advance(2 * hour)
  const later = (own: object = {}) => authorizedFetch(savedLogin(own), options)
  const failure = async (own: object = {}) =>
    (await later(own)
      .login()
      .then(() => expect.fail('did not fail'))
      .catch((error: unknown) => error)) as CredentialError & { option: string }
  const texts = async () =>
    JSON.stringify(await Promise.all((await store.list()).map((key) => store.get(key))))
  return { world, client, later, failure, texts }
}

describe("savedLogin without the client's authentication", () => {
  test.each([
    [
      'a secret',
      async () => ({ clientSecret: secret }),
      (_params: URLSearchParams, authorization: string) => authorization.startsWith('Basic'),
      '`clientSecret`',
    ],
    [
      'a secret in the body',
      async () => ({ clientSecret: secret, clientAuth: 'client_secret_post' }),
      (params: URLSearchParams) => params.has('client_secret'),
      '`clientSecret`',
    ],
    [
      'a secret that signs',
      async () => ({ clientAuth: clientSecretJwt({ secret }) }),
      assertion,
      '`clientAuth: clientSecretJwt({ secret })`',
    ],
    [
      'a key',
      async () => ({ clientAuth: await keyJwt() }),
      assertion,
      '`clientAuth: privateKeyJwt({ key })`',
    ],
    [
      'a certificate',
      async () => ({ clientAuth: 'tls_client_auth' }),
      () => true,
      "`clientAuth: 'tls_client_auth'`",
    ],
  ])('does not use up the login of a client with %s', async (_what, login, check, advice) => {
    const { state, token } = burning(check)
    const given = await login()
    const { world, client, later, failure, texts } = await setUp({ token }, given)
    expect(await texts()).not.toContain(secret)

    const error = await failure()

    expect(error).toMatchObject({ code: 'configuration' })
    expect(error.remedy).toContain(advice)
    expect(state.burnt).toBe(false)
    expect(world.tokenRequests()).toHaveLength(1)
    await later({ ...client, ...given }).login()
    expect(world.tokenRequests()).toHaveLength(2)
  })

  test('authenticates as the login did, even if the metadata prefers another method', async () => {
    const { state, token } = burning((params) => params.has('client_secret'))
    const given = { clientSecret: secret, clientAuth: 'client_secret_post' }
    const { client, later } = await setUp({ token }, given)
    await later({ ...client, clientSecret: secret }).login()
    expect(state.burnt).toBe(false)
  })

  test('continues the login of a public client, and of a dynamically registered one', async () => {
    const isPublic = await setUp({ token: burning(() => true).token }, {})
    await isPublic.later().login()

    const { state, token } = burning((params) => params.get('client_secret') === 'own')
    const methods = ['client_secret_post']
    const { later } = await setUp(
      {
        token,
        metadata: () => ({ token_endpoint_auth_methods_supported: methods }),
        register: (body) => ({ body: { ...body, client_id: 'r-1', client_secret: 'own' } }),
      },
      { clientId: undefined },
    )
    await later().login()
    expect(state.burnt).toBe(false)
  })
})

test('login() without a stored login names the provider to use, and does not ask for a store', async () => {
  const world = await oauthWorld()
  const saved = authorizedFetch(savedLogin(), { resource: world.url, store: memoryStore() })
  await expect(saved.login()).rejects.toThrow(/there is no login.*Log in once with/)
})
