import { describe, expect, test } from 'vitest'
import { authorizedFetch } from '../../src/index.ts'
import { allowOnly, authorizationCode, deviceCode } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { oauthWorld } from '../support/oauth-world.ts'
import { recordingOrigin } from '../support/recording-origin.ts'

const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }
const mtls = (body: Record<string, unknown>) => ({
  status: 201,
  body: { ...body, client_id: 'public-client', token_endpoint_auth_method: 'tls_client_auth' },
})

/** An authorization server whose mTLS endpoint aliases are at another origin. */
async function aliasing(...names: readonly string[]) {
  const other = await recordingOrigin((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ access_token: 'of-another-server', token_type: 'Bearer' }))
  })
  const aliases = Object.fromEntries(names.map((name) => [name, `${other.origin}/alias`]))
  const isPushed = names.includes('pushed_authorization_request_endpoint')
  const world = await oauthWorld({
    metadata: ({ issuer }) => ({
      mtls_endpoint_aliases: aliases,
      device_authorization_endpoint: `${issuer}/device/token`,
      ...(isPushed
        ? {
            require_pushed_authorization_requests: true,
            pushed_authorization_request_endpoint: `${issuer}/par`,
          }
        : {}),
    }),
    register: mtls,
  })
  return { other, world }
}

describe('aliases for clients with certificates', () => {
  test('must have the origin of the issuer, or nothing is sent there', async () => {
    const { other, world } = await aliasing('token_endpoint')
    await expect(world.call(authorizationCode(browser))).rejects.toMatchObject({
      code: 'discovery',
    })
    expect(other.requests).toEqual([])
  })

  test('are not chosen by the registration response', async () => {
    const world = await oauthWorld({ register: mtls })
    await world.call(authorizationCode(browser))
    expect(world.tokenRequests()[0]).toMatchObject({ client_id: 'public-client' })
  })

  test.each([
    ['pushed_authorization_request_endpoint', () => authorizationCode],
    ['device_authorization_endpoint', () => deviceCode],
  ] as const)('are passed to the policy before they are contacted: %s', async (name, kind) => {
    const { other, world } = await aliasing(name)
    const shared = {
      issuer: world.issuer,
      clientId: 'with-certificate',
      clientAuth: 'tls_client_auth',
      allow: allowOnly({ origins: [world.issuer, world.mcp] }),
    } as const
    const provider =
      kind() === deviceCode
        ? deviceCode({ ...shared, onUserCode: () => {} })
        : authorizationCode({ ...shared, ...browser })
    const send = authorizedFetch(provider, { resource: world.url })
    await expect(send.login()).rejects.toMatchObject({ code: 'refused_by_policy' })
    expect(other.requests).toEqual([])
  })
})

test('the verification page is passed to the policy', async () => {
  const shown: unknown[] = []
  const world = await oauthWorld({
    metadata: ({ issuer }) => ({ device_authorization_endpoint: `${issuer}/device/token` }),
    token: () => ({
      body: {
        device_code: 'device-1',
        user_code: 'WDJB-MJHT',
        verification_uri: 'https://elsewhere.example/activate',
        expires_in: 60,
      },
    }),
  })
  const provider = deviceCode({
    clientId: 'tv',
    issuer: world.issuer,
    onUserCode: (login) => void shown.push(login),
    allow: allowOnly({ origins: [world.issuer, world.mcp] }),
    allowPrivateNetwork: true,
  })
  const send = authorizedFetch(provider, { resource: world.url })
  await expect(send.login()).rejects.toMatchObject({ code: 'refused_by_policy' })
  expect(shown).toEqual([])
})

test.each([
  ['revocation_endpoint', null],
  ['device_authorization_endpoint', null],
  ['token_endpoint_auth_methods_supported', null],
  ['token_endpoint_auth_methods_supported', true],
  ['scopes_supported', {}],
])('metadata whose %s is %j is ignored', async (name, value) => {
  const world = await oauthWorld({ metadata: () => ({ [name]: value }) })
  expect((await world.call(authorizationCode(browser))).status).toBe(200)
})

test('a registration with a secret that cannot be sent is rejected, and not stored', async () => {
  const store = memoryStore()
  const world = await oauthWorld({
    register: (body) => ({ status: 201, body: { ...body, client_id: 'r', client_secret: '秘密' } }),
  })
  await expect(world.call(authorizationCode(browser), { store })).rejects.toMatchObject({
    code: 'registration_failed',
  })
  // The attempt is counted.
  const [key = '', ...others] = await store.list()
  expect(others).toEqual([])
  expect((await store.get(key))?.data).not.toHaveProperty('clientId')
  expect(JSON.stringify(await store.get(key))).not.toContain('秘密')
})
