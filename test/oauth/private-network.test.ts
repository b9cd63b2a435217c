import dns from 'node:dns/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { authorizedFetch, type CredentialProvider } from '../../src/index.ts'
import {
  allowOnly,
  authorizationCode,
  clientCredentials,
  type OAuthOptions,
} from '../../src/oauth/index.ts'

const publicResource = 'https://mcp.example.com/mcp'
const resource = publicResource
const issuer = 'https://auth.example.com'

/** Simulated public servers with the addresses that the test sets. */
function publicWorld(
  script: { resource?: string; metadata?: object; challenge?: string; addresses?: object } = {},
) {
  const { resource = publicResource } = script
  const metadata = {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    code_challenge_methods_supported: ['S256'],
    ...script.metadata,
  }
  const addresses = new Map<string, string>(Object.entries(script.addresses ?? {}))
  vi.spyOn(dns, 'lookup').mockImplementation((async (name: string) => [
    { address: addresses.get(name) ?? '93.184.216.34', family: 4 },
  ]) as never)
  const asked: string[] = []
  const fetch = async (input: string | URL | Request, init?: RequestInit) => {
    const url = new URL(input instanceof Request ? input.url : input)
    asked.push(`${init?.method ?? 'GET'} ${url.href}`)
    if (url.pathname.startsWith('/.well-known/oauth-protected-resource')) {
      return Response.json({ resource, authorization_servers: [issuer] })
    }
    if (url.pathname.startsWith('/.well-known/')) return Response.json(metadata)
    if (url.href === resource) {
      if (new Headers(init?.headers).has('authorization')) return Response.json({})
      const header = `Bearer ${script.challenge ?? ''}`
      return new Response(null, { status: 401, headers: { 'www-authenticate': header } })
    }
    return Response.json({ access_token: 'token', token_type: 'Bearer', refresh_token: 'refresh' })
  }
  const call = (provider: CredentialProvider) => {
    const send = authorizedFetch(provider, { resource, fetch })
    return send(resource, { method: 'POST', body: '{}' })
  }
  return { asked, fetch, call }
}

const machine = (options: OAuthOptions = {}) =>
  clientCredentials({ clientId: 'agent', clientSecret: 'secret', issuer, ...options })

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a public MCP server', () => {
  test.each([
    ['authorization server', { addresses: { 'auth.example.com': '10.0.0.1' } }],
    [
      'token endpoint',
      {
        metadata: { token_endpoint: 'https://token.example.com/token' },
        addresses: { 'token.example.com': '169.254.169.254' },
      },
    ],
  ])(
    'row 66: whose %s has a private address makes the client send nothing there',
    async (_what, script) => {
      const { asked, call } = publicWorld(script)
      await expect(call(machine())).rejects.toMatchObject({
        name: 'DiscoveryError',
        message: expect.stringMatching(/private address.*`allowPrivateNetwork: true`/),
      })
      const [host = ''] = Object.keys(script.addresses)
      expect(asked.filter((request) => request.includes(host))).toEqual([])
    },
  )

  test('row 66: whose registration endpoint has a private address receives no registration', async () => {
    const { asked, call } = publicWorld({
      metadata: { registration_endpoint: 'https://register.example.com/' },
      addresses: { 'register.example.com': 'fd00::1' },
    })
    const onAuthorizationUrl = () => expect.unreachable()
    const provider = authorizationCode({ onAuthorizationUrl, issuer })
    await expect(call(provider)).rejects.toThrow('private address')
    expect(asked.join()).not.toContain('register.example.com')
  })

  test('row 66: whose revocation endpoint has a private address does not receive the tokens', async () => {
    const { asked, fetch } = publicWorld({
      metadata: { revocation_endpoint: 'https://revoke.example.com/' },
      addresses: { 'revoke.example.com': '192.168.0.1' },
    })
    const { manager } = authorizedFetch(machine(), { resource, fetch })
    await manager.credential()
    expect(await manager.logout()).toMatchObject({ revoked: false })
    expect(asked.join()).not.toContain('revoke.example.com')
  })

  test('may have its authorization server in a private network if the application permits it', async () => {
    const { call } = publicWorld({ addresses: { 'auth.example.com': '10.0.0.1' } })
    expect((await call(machine({ allowPrivateNetwork: true }))).status).toBe(200)
  })

  test('may have a private address itself, because the application chose it', async () => {
    const { asked, call } = publicWorld({ addresses: { 'mcp.example.com': '10.0.0.1' } })
    expect((await call(machine())).status).toBe(200)
    expect(asked).toContain('GET https://mcp.example.com/.well-known/oauth-protected-resource/mcp')
  })

  test.each([
    'http://127.0.0.1:9/metadata',
    'https://localhost/metadata',
    'https://169.254.169.254/latest/meta-data',
    'http://other.example.com/metadata',
  ])('attack 2: cannot make the client request %s for its metadata', async (place) => {
    const { asked, call } = publicWorld({ challenge: `resource_metadata="${place}"` })
    await expect(call(machine())).rejects.toMatchObject({ name: 'DiscoveryError' })
    expect(asked).toEqual([`POST ${resource}`])
  })
})

describe('a private MCP server', () => {
  const leadsTo = async (own: string, endpoint: string, options: OAuthOptions = {}) => {
    const addresses = {
      'login.intra': '10.0.0.9',
      'alias.intra': '10.0.0.5',
      'mcp.intra': '10.0.0.5',
    }
    const metadata = { token_endpoint: `${endpoint}/token` }
    const { asked, call } = publicWorld({ resource: own, metadata, addresses })
    const outcome = await call(machine(options)).then(
      ({ status }) => status,
      (error: unknown) => error,
    )
    return { outcome, asked: asked.filter((request) => request.startsWith(`POST ${endpoint}`)) }
  }

  test.each([
    ['http://localhost:3000/mcp', 'http://127.0.0.1:4000'],
    ['http://127.0.0.1:3000/mcp', 'http://localhost:4000'],
    ['http://[::1]:3000/mcp', 'http://app.localhost:4000'],
    ['http://localhost:3000/mcp', 'https://login.example.com'],
    ['https://10.0.0.5/mcp', 'https://10.0.0.5:8443'],
    ['https://10.0.0.5/mcp', 'https://alias.intra'],
    ['https://10.0.0.5/mcp', 'https://login.example.com'],
    ['https://mcp.intra/mcp', 'https://mcp.intra:8443'],
  ])('%s may point to %s', async (own, endpoint) => {
    const { outcome, asked } = await leadsTo(own, endpoint)
    expect(outcome).toBe(200)
    expect(asked).toHaveLength(1)
  })

  test.each([
    ['http://localhost:3000/mcp', 'https://10.0.0.9'],
    ['http://127.0.0.1:3000/mcp', 'https://169.254.169.254'],
    ['http://localhost:3000/mcp', 'https://login.intra'],
    ['https://10.0.0.5/mcp', 'https://10.0.0.9'],
    ['https://10.0.0.5/mcp', 'http://localhost:4000'],
    ['https://10.0.0.5/mcp', 'https://[::1]:4000'],
    ['https://10.0.0.5/mcp', 'https://login.intra'],
    ['https://[fd00::5]/mcp', 'https://[fd00::9]'],
    ['https://mcp.intra/mcp', 'https://login.intra'],
    ['https://mcp.intra/mcp', 'https://alias.intra'],
  ])('%s must not point to %s, unless the application permits it', async (own, endpoint) => {
    const { outcome, asked } = await leadsTo(own, endpoint)
    expect(outcome).toMatchObject({
      name: 'DiscoveryError',
      message: expect.stringMatching(/private (network|address).*`allowPrivateNetwork: true`/),
    })
    expect(asked).toEqual([])
    const allowed = await leadsTo(own, endpoint, { allowPrivateNetwork: true })
    expect(allowed.outcome).toBe(200)
    expect(allowed.asked).toHaveLength(1)
  })

  test('may point only to the address that the policy lists', async () => {
    const own = 'https://mcp.intra/mcp'
    const allow = allowOnly({ issuers: [issuer], origins: ['https://login.intra'] })
    const options = { allowPrivateNetwork: true, allow }
    expect((await leadsTo(own, 'https://login.intra', options)).outcome).toBe(200)
    const { outcome, asked } = await leadsTo(own, 'https://10.0.0.1', options)
    expect(outcome).toMatchObject({ code: 'refused_by_policy' })
    expect(asked).toEqual([])
  })
})

test.each([301, 302, 303, 307, 308])(
  'attack 3: a redirect to plain http is not followed (%d)',
  async (status) => {
    const asked: string[] = []
    const send = authorizedFetch(
      machine({ metadata: { issuer, token_endpoint: `${issuer}/token` } }),
      {
        resource,
        async fetch(input) {
          const { href } = new URL(input instanceof Request ? input.url : input)
          asked.push(href)
          if (href.endsWith('/token'))
            return Response.json({ access_token: 't', token_type: 'Bearer' })
          return new Response(null, { status, headers: { location: 'http://mcp.example.com/mcp' } })
        },
      },
    )
    expect((await send(resource, { method: 'POST', body: '{}' })).status).toBe(status)
    expect(asked).toEqual([`${issuer}/token`, resource])
  },
)
