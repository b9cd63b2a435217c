import { describe, expect, test } from 'vitest'
import { authorizedFetch, type CredentialProvider } from '../../src/index.ts'
import { authorizationCode, clientCredentials, oauthExtensions } from '../../src/oauth/index.ts'
import { profileOf } from '../../src/oauth/profiles.ts'

const resource = 'https://93.184.215.14/mcp'
const json = (body: object) => new Response(JSON.stringify(body), { status: 200 })

/** Simulated servers of large providers, as their documentation describes them. */
function network(issuer: string, metadata: object) {
  const sent: { url: string; body: URLSearchParams; headers: Headers }[] = []
  const fetch = async (input: string | URL | Request, init: RequestInit = {}) => {
    const url = String(input instanceof Request ? input.url : input)
    sent.push({
      url,
      body: new URLSearchParams(String(init.body ?? '')),
      headers: new Headers(init.headers),
    })
    if (url.includes('oauth-protected-resource')) {
      return json({ resource, authorization_servers: [issuer] })
    }
    if (url.includes('/.well-known/')) {
      return json({
        issuer,
        token_endpoint: `${issuer}/token`,
        authorization_endpoint: `${issuer}/authorize`,
        ...metadata,
      })
    }
    if (url.endsWith('/token')) {
      return new Response(
        JSON.stringify({ access_token: 'a', token_type: 'Bearer', expires_in: 3600 }),
        { status: 200, headers: { 'content-type': 'application/json' } },
      )
    }
    return new Response(null, { status: 404 })
  }
  const acquire = (provider: CredentialProvider) =>
    authorizedFetch(provider, {
      resource,
      fetch: fetch as typeof globalThis.fetch,
    }).manager.credential()
  return { sent, acquire, token: () => sent.find(({ url }) => url.endsWith('/token'))?.body }
}

// Prevents DNS lookups of the products' hosts.
const withoutLookups = { allowPrivateNetwork: true }
const machine = { clientId: 'agent', clientSecret: 'secret', ...withoutLookups }

describe('deviations of large authorization servers', () => {
  test('Entra receives no resource, and may name every tenant', async () => {
    const issuer = 'https://login.microsoftonline.com/common/v2.0'
    const own = 'https://login.microsoftonline.com/{tenantid}/v2.0'
    const { acquire, token } = network(issuer, { issuer: own })
    await acquire(clientCredentials({ ...machine, issuer, scope: 'api://notes/.default' }))
    expect(Object.fromEntries(token() ?? [])).toEqual({
      grant_type: 'client_credentials',
      scope: 'api://notes/.default',
    })
  })

  test.each([
    ['login.microsoftonline.us', 'login.microsoftonline.us'],
    ['login.partner.microsoftonline.cn', 'login.partner.microsoftonline.cn'],
    ['login.chinacloudapi.cn', 'login.partner.microsoftonline.cn'],
  ])('the national cloud at %s may name every tenant at its own host', async (host, named) => {
    const issuer = `https://${host}/organizations/v2.0`
    const own = `https://${named}/{tenantid}/v2.0`
    const { acquire, token } = network(issuer, { issuer: own })
    await acquire(clientCredentials({ ...machine, scope: 'api://notes/.default', issuer }))
    expect(token()?.has('resource')).toBe(false)
  })

  test('the public cloud of Microsoft may not name a tenant of a national cloud', async () => {
    const issuer = 'https://login.microsoftonline.us/organizations/v2.0'
    const own = 'https://login.microsoftonline.com/{tenantid}/v2.0'
    const { acquire, token } = network(issuer, { issuer: own })
    await expect(acquire(clientCredentials({ ...machine, issuer }))).rejects.toThrow('metadata of')
    expect(token()).toBeUndefined()
  })

  test('personal accounts of Microsoft have the published tenant', async () => {
    const issuer = 'https://login.microsoftonline.com/consumers/v2.0'
    const own = 'https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0'
    const { acquire, token } = network(issuer, { issuer: own })
    await acquire(clientCredentials({ ...machine, issuer, acceptIssuer: own }))
    expect(token()).toBeDefined()
  })

  test('Auth0 receives the server as its audience', async () => {
    const issuer = 'https://acme.eu.auth0.com/'
    const { acquire, token } = network(issuer, { token_endpoint: `${issuer}token` })
    await acquire(clientCredentials({ ...machine, issuer }))
    expect(token()?.get('audience')).toBe(resource)
    expect(token()?.has('resource')).toBe(false)
  })

  test('Google receives its own parameters for a refresh token', async () => {
    const issuer = 'https://accounts.google.com'
    const { acquire } = network(issuer, { code_challenge_methods_supported: ['S256'] })
    let shown: URL | undefined
    const provider = authorizationCode({
      ...withoutLookups,
      clientId: 'agent',
      onAuthorizationUrl(url) {
        shown = url
        throw new Error('enough')
      },
    })
    await expect(acquire(provider)).rejects.toThrow()
    expect(Object.fromEntries(shown?.searchParams ?? [])).toMatchObject({
      access_type: 'offline',
      prompt: 'consent',
    })
    expect(shown?.searchParams.has('resource')).toBe(false)
  })

  test('Cognito and Entra support PKCE without announcing it; other servers must announce it', async () => {
    expect(profileOf('https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x').hasPkce).toBe(true)
    expect(profileOf('https://login.microsoftonline.com/x/v2.0').hasPkce).toBe(true)
    for (const issuer of [
      'https://login.microsoftonline.com.evil.example',
      'https://evil-auth0.com',
      'x',
    ]) {
      expect(profileOf(issuer)).toEqual({})
    }
  })

  test('options of the application take precedence', async () => {
    const issuer = 'https://login.microsoftonline.com/x/v2.0'
    const { acquire, token } = network(issuer, {})
    await acquire(clientCredentials({ ...machine, issuer, resource: 'api://notes' }))
    expect(token()?.get('resource')).toBe('api://notes')
  })
})

test('row 6: no URL contains a token, secret or code', async () => {
  const issuer = 'https://93.184.215.15'
  const { acquire, sent } = network(issuer, {})
  await acquire(clientCredentials({ ...machine, issuer, clientAuth: 'client_secret_post' }))
  expect(sent.map(({ url }) => url).join()).not.toMatch(/secret|access_token|\?/)
})

test('row 74: the exported capabilities name the extensions', () => {
  expect(Object.keys(oauthExtensions)).toEqual([
    'io.modelcontextprotocol/oauth-client-credentials',
    'io.modelcontextprotocol/enterprise-managed-authorization',
    'io.modelcontextprotocol/auth/wif',
  ])
})

test('row 87: proofs are never signed with a shared secret', () => {
  const dpop = { algorithm: 'HS256' as never }
  expect(() => authorizationCode({ dpop })).toThrow('never made with a shared secret')
})
