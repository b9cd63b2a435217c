import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { authorizedFetch, type CredentialProvider } from '../../src/index.ts'
import {
  type AuthorizationCodeOptions,
  authorizationCode,
  jwtBearer,
} from '../../src/oauth/index.ts'
import { testClock } from '../support/clock.ts'
import { runSnippet } from '../support/run-snippet.ts'

const resource = 'https://93.184.215.14/mcp'

/** Prevents DNS lookups of the products' hosts. */
const withoutLookups = { allowPrivateNetwork: true }

type Params = URLSearchParams

/** An authorization server that behaves as its product's documentation says. */
interface Product {
  readonly issuer: string
  /** The only URL of its metadata. */
  readonly at: string
  readonly metadata: Record<string, unknown>
  readonly scopes?: readonly string[]
  /** The authorization endpoint's objection to a request; `undefined`: none. */
  readonly refuses?: (request: Params) => string | undefined
  /** Whether a login with this request returns a refresh token. Default: with `offline_access`. */
  readonly renewable?: (request: Params) => boolean
  /** Whether clients require a secret. Default `false`. */
  readonly secret?: true
}

const asks = (name: string, request: Params) => request.get('scope')?.split(' ').includes(name)

const json = (body: object, status = 200) =>
  new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json' },
  })

/** Logs in with these options, uses the token, lets it expire and uses it again. */
async function life(product: Product, options: AuthorizationCodeOptions) {
  const { issuer, at, metadata, scopes } = product
  const clock = testClock()
  let request: Params | undefined
  let tokens = 0
  const forms: Params[] = []
  const fetch = async (input: string | URL | Request, init: RequestInit = {}) => {
    const url = String(input instanceof Request ? input.url : input)
    const headers = new Headers(init.headers)
    if (url === resource) {
      return new Response(null, { status: headers.has('authorization') ? 200 : 401 })
    }
    if (url.includes('oauth-protected-resource')) {
      return json({ resource, authorization_servers: [issuer], scopes_supported: scopes })
    }
    if (url === at) return json({ issuer, ...metadata })
    if (url === metadata['registration_endpoint']) return json({ client_id: 'registered' }, 201)
    if (url !== metadata['token_endpoint']) return new Response(null, { status: 404 })
    const form = new URLSearchParams(String(init.body))
    forms.push(form)
    const isAuthenticated = headers.has('authorization') || form.has('client_secret')
    if (product.secret === true && !isAuthenticated) return json({ error: 'invalid_client' }, 401)
    tokens += 1
    const renewable = product.renewable ?? ((login: Params) => asks('offline_access', login))
    return json({
      access_token: `t${tokens}`,
      token_type: 'Bearer',
      expires_in: 3600,
      ...(request !== undefined && renewable(request) ? { refresh_token: `r${tokens}` } : {}),
    })
  }
  const provider = authorizationCode({
    ...options,
    ...withoutLookups,
    onAuthorizationUrl(url) {
      request = url.searchParams
      const back = new URL(request.get('redirect_uri') ?? '')
      const error = product.refuses?.(request)
      if (error === undefined) back.searchParams.set('code', 'c')
      else back.searchParams.set('error', error)
      back.searchParams.set('state', request.get('state') ?? '')
      return back.href
    },
  })
  const send = authorizedFetch(provider, {
    resource,
    now: clock.now,
    fetch: fetch as typeof globalThis.fetch,
  })
  await send.login()
  expect((await send(resource)).status).toBe(200)
  clock.advance(3_700_000)
  expect((await send(resource)).status).toBe(200)
  await send.close()
  return { request: request ?? new URLSearchParams(), forms }
}

const grants = ['authorization_code', 'refresh_token']

const entra: Product = {
  issuer: 'https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0',
  at: 'https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0/.well-known/openid-configuration',
  metadata: {
    authorization_endpoint: 'https://login.microsoftonline.com/1/oauth2/v2.0/authorize',
    token_endpoint: 'https://login.microsoftonline.com/1/oauth2/v2.0/token',
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
  },
  scopes: ['api://notes/access'],
  refuses: (login) => (login.has('resource') ? 'invalid_target' : undefined),
}

const google: Product = {
  issuer: 'https://accounts.google.com',
  at: 'https://accounts.google.com/.well-known/openid-configuration',
  metadata: {
    authorization_endpoint: 'https://accounts.google.com/o/oauth2/v2/auth',
    token_endpoint: 'https://oauth2.googleapis.com/token',
    code_challenge_methods_supported: ['plain', 'S256'],
  },
  refuses: (login) =>
    /^http:\/\/127\.0\.0\.1:\d+\/?$/.test(login.get('redirect_uri') ?? '')
      ? undefined
      : 'redirect_uri_mismatch',
  renewable: (login) => login.get('access_type') === 'offline' && login.get('prompt') === 'consent',
  secret: true,
}

const auth0 = (host: string): Product => ({
  issuer: `https://${host}/`,
  at: `https://${host}/.well-known/openid-configuration`,
  metadata: {
    authorization_endpoint: `https://${host}/authorize`,
    token_endpoint: `https://${host}/oauth/token`,
    scopes_supported: ['openid', 'profile', 'offline_access'],
    code_challenge_methods_supported: ['S256', 'plain'],
  },
  scopes: ['notes:read'],
  refuses: (login) => (login.get('audience') === resource ? undefined : 'access_denied'),
})

const okta: Product = {
  issuer: 'https://acme.okta.com/oauth2/default',
  at: 'https://acme.okta.com/oauth2/default/.well-known/openid-configuration',
  metadata: {
    authorization_endpoint: 'https://acme.okta.com/oauth2/default/v1/authorize',
    token_endpoint: 'https://acme.okta.com/oauth2/default/v1/token',
    registration_endpoint: 'https://acme.okta.com/oauth2/v1/clients',
    scopes_supported: ['openid', 'offline_access'],
    code_challenge_methods_supported: ['S256'],
  },
  refuses: (login) =>
    login.get('redirect_uri') === 'http://127.0.0.1:18417/callback' && !login.has('resource')
      ? undefined
      : 'invalid_request',
}

const cognito: Product = {
  issuer: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI',
  at: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI/.well-known/openid-configuration',
  metadata: {
    authorization_endpoint: 'https://acme.auth.eu-west-1.amazoncognito.com/oauth2/authorize',
    token_endpoint: 'https://acme.auth.eu-west-1.amazoncognito.com/oauth2/token',
    scopes_supported: ['openid', 'email', 'phone', 'profile'],
  },
  refuses: (login) =>
    login.get('redirect_uri') === 'http://127.0.0.1:18418/callback' &&
    login.get('resource') === resource
      ? undefined
      : 'invalid_request',
  renewable: () => true,
}

const keycloak: Product = {
  issuer: 'https://id.example.com/realms/acme',
  at: 'https://id.example.com/.well-known/oauth-authorization-server/realms/acme',
  metadata: {
    authorization_endpoint: 'https://id.example.com/realms/acme/protocol/openid-connect/auth',
    token_endpoint: 'https://id.example.com/realms/acme/protocol/openid-connect/token',
    scopes_supported: ['openid', 'offline_access', 'mcp:tools'],
    code_challenge_methods_supported: ['plain', 'S256'],
  },
  scopes: ['mcp:tools'],
  refuses: (login) => (asks('mcp:tools', login) ? undefined : 'invalid_scope'),
}

const github: Product = {
  issuer: 'https://github.com/login/oauth',
  at: 'https://github.com/.well-known/oauth-authorization-server/login/oauth',
  metadata: {
    authorization_endpoint: 'https://github.com/login/oauth/authorize',
    token_endpoint: 'https://github.com/login/oauth/access_token',
    code_challenge_methods_supported: ['S256'],
  },
  scopes: ['repo'],
  secret: true,
}

const authKit: Product = {
  issuer: 'https://acme.authkit.app',
  at: 'https://acme.authkit.app/.well-known/oauth-authorization-server',
  metadata: {
    authorization_endpoint: 'https://acme.authkit.app/oauth2/authorize',
    token_endpoint: 'https://acme.authkit.app/oauth2/token',
    registration_endpoint: 'https://acme.authkit.app/oauth2/register',
    scopes_supported: ['email', 'offline_access', 'openid', 'profile'],
    grant_types_supported: grants,
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none', 'client_secret_post', 'client_secret_basic'],
  },
  scopes: ['openid', 'profile'],
  refuses: (login) => (login.get('resource') === resource ? undefined : 'invalid_target'),
}

const stytch: Product = {
  issuer: 'https://acme.customers.stytch.dev',
  at: 'https://acme.customers.stytch.dev/.well-known/oauth-authorization-server',
  metadata: {
    // The consent page of the application.
    authorization_endpoint: 'https://app.acme.example/oauth/authorize',
    token_endpoint: 'https://acme.customers.stytch.dev/v1/oauth2/token',
    registration_endpoint: 'https://acme.customers.stytch.dev/v1/oauth2/register',
    scopes_supported: ['openid', 'offline_access'],
    grant_types_supported: grants,
    code_challenge_methods_supported: ['S256'],
  },
  scopes: ['openid'],
}

const descope: Product = {
  issuer: 'https://api.descope.com/v1/apps/agentic/P1/M1',
  at: 'https://api.descope.com/v1/apps/agentic/P1/M1/.well-known/openid-configuration',
  metadata: {
    authorization_endpoint: 'https://api.descope.com/oauth2/v1/apps/authorize',
    token_endpoint: 'https://api.descope.com/oauth2/v1/apps/token',
    registration_endpoint: 'https://api.descope.com/v1/mgmt/inboundapp/app/P1/M1/register',
    grant_types_supported: grants,
    code_challenge_methods_supported: ['S256'],
  },
  renewable: () => true,
}

const pinned = ({ issuer }: Product) => ({ clientId: 'agent', issuer })

const guide = readFileSync(
  new URL('../../docs/guides/identity-providers.md', import.meta.url),
  'utf8',
)

/** The options of the example in a section of the guide. */
async function recommended(heading: string): Promise<AuthorizationCodeOptions> {
  const section = guide.split('\n## ').find((text) => text.startsWith(`${heading}\n`))
  const code = /```ts\n([\s\S]*?)```/.exec(section ?? '')?.[1] ?? ''
  let options: AuthorizationCodeOptions | undefined
  await runSnippet(code, {
    'mcp-credentials': { env: () => 'secret' },
    'mcp-credentials/oauth': {
      authorizationCode: (passed: AuthorizationCodeOptions) => {
        options = passed
      },
    },
  })
  if (options === undefined) throw new Error(`The guide has no example for ${heading}.`)
  return options
}

function expectRenewed({ request, forms }: Awaited<ReturnType<typeof life>>) {
  expect(request.get('code_challenge_method')).toBe('S256')
  expect(forms.map((form) => form.get('grant_type'))).toEqual([
    'authorization_code',
    'refresh_token',
  ])
}

describe('a login with the configuration in the guide to identity providers is renewed', () => {
  test.each<[string, Product]>([
    ['Microsoft Entra ID', entra],
    ['Google', google],
    ['Auth0', auth0('acme.eu.auth0.com')],
    ['Okta', okta],
    ['Amazon Cognito', cognito],
    ['Keycloak', keycloak],
    ['GitHub', github],
    ['WorkOS', authKit],
    ['Stytch', stytch],
    ['Descope', descope],
  ])('%s', async (heading, product) => {
    expectRenewed(await life(product, await recommended(heading)))
  })

  test('Entra, with the scopes that the MCP server lists', async () => {
    expectRenewed(await life(entra, pinned(entra)))
  })

  test('Auth0, at a custom domain', async () => {
    const product = auth0('login.acme.example')
    const options = { resource: false, parameters: { audience: resource } } as const
    expectRenewed(await life(product, { ...pinned(product), ...options }))
  })

  test('Stytch, without `issuer`: the consent page is at another origin, so the user is not sent there', async () => {
    await expect(life(stytch, {})).rejects.toMatchObject({
      code: 'discovery',
      message: expect.stringContaining('app.acme.example'),
    })
  })
})

test('a token on behalf of a user is requested from Entra with a JWT bearer grant', async () => {
  const forms: Params[] = []
  const fetch = async (input: string | URL | Request, init: RequestInit = {}) => {
    const url = String(input instanceof Request ? input.url : input)
    if (url.includes('oauth-protected-resource')) {
      return json({ resource, authorization_servers: [entra.issuer] })
    }
    if (url === entra.at) return json({ issuer: entra.issuer, ...entra.metadata })
    if (url !== entra.metadata['token_endpoint']) return new Response(null, { status: 404 })
    forms.push(new URLSearchParams(String(init.body)))
    return json({ access_token: 'a', token_type: 'Bearer', expires_in: 3600 })
  }
  const provider: CredentialProvider = jwtBearer({
    ...pinned(entra),
    ...withoutLookups,
    clientSecret: 's',
    assertion: 'token-of-the-user',
    scope: 'api://notes/access',
    parameters: { requested_token_use: 'on_behalf_of' },
  })
  const send = authorizedFetch(provider, { resource, fetch: fetch as typeof globalThis.fetch })
  await send.manager.credential()

  expect(Object.fromEntries(forms[0] ?? [])).toMatchObject({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: 'token-of-the-user',
    requested_token_use: 'on_behalf_of',
    scope: 'api://notes/access',
  })
  expect(forms[0]?.has('resource')).toBe(false)
})
