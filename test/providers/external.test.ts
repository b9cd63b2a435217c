import { generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import type { AccessToken, GetTokenOptions, TokenCredential } from '@azure/core-auth'
import { type AuthClient, GoogleAuth, IdTokenClient, JWT, OAuth2Client } from 'google-auth-library'
import { describe, expect, it } from 'vitest'
import type { Credential, CredentialProvider } from '../../src/credential.ts'
import { ConfigurationError } from '../../src/errors.ts'
import { TokenManager } from '../../src/manager/token-manager.ts'
import { fromGoogleAuth, fromTokenCredential } from '../../src/providers/external.ts'
import { acquireContext } from '../../src/testing/acquire-context.ts'
import { authorizedFetch } from '../../src/transport/authorized-fetch.ts'
import { Content, Outgoing } from '../../src/transport/outgoing.ts'
import { parseChallenges } from '../../src/www-authenticate.ts'

type GoogleAuthLike = Parameters<typeof fromGoogleAuth>[0]
type TokenCredentialLike = Parameters<typeof fromTokenCredential>[0]

const resource = 'https://mcp.example.com/mcp'
const now = Date.parse('2026-01-01T00:00:00Z')

const managerOf = (provider: CredentialProvider, clock = () => now) =>
  new TokenManager(provider, { resource, now: clock, random: () => 0 })

async function headersOf(credential: Credential): Promise<Record<string, string>> {
  const content = new Content(undefined)
  const request = new Outgoing('POST', new URL(resource), new Headers(), content, 1, now)
  await credential.apply(request)
  return Object.fromEntries(request.headers)
}

/** An Azure credential that records its calls. */
class Recorded implements TokenCredential {
  readonly calls: { scopes: string | string[]; options: GetTokenOptions | undefined }[] = []
  readonly #answer: () => AccessToken | null

  constructor(answer: () => AccessToken | null) {
    this.#answer = answer
  }

  async getToken(scopes: string | string[], options?: GetTokenOptions) {
    this.calls.push({ scopes, options })
    return this.#answer()
  }
}

describe('fromTokenCredential()', () => {
  const scope = 'api://mcp-server/.default'

  it('sends the token, and uses its expiry and its recommended renewal time', async () => {
    const expiresOnTimestamp = now + 3_600_000
    const refreshAfterTimestamp = now + 1_800_000
    const azure = new Recorded(() => ({
      token: 'a.b.c',
      expiresOnTimestamp,
      refreshAfterTimestamp,
    }))

    const credential = await managerOf(fromTokenCredential(azure, scope)).credential()

    expect(await headersOf(credential)).toEqual({ authorization: 'Bearer a.b.c' })
    expect(credential).toMatchObject({
      expiresAt: expiresOnTimestamp,
      refreshAt: refreshAfterTimestamp,
    })
    expect(azure.calls).toHaveLength(1)
    expect(azure.calls[0]?.scopes).toBe(scope)
    expect(azure.calls[0]?.options?.abortSignal).toBeInstanceOf(AbortSignal)
  })

  it('can request several scopes', async () => {
    const azure = new Recorded(() => ({ token: 't', expiresOnTimestamp: now + 3_600_000 }))

    const credential = await managerOf(fromTokenCredential(azure, ['s1', 's2'])).credential()

    expect(azure.calls[0]?.scopes).toEqual(['s1', 's2'])
    expect(credential.refreshAt).toBeUndefined()
  })

  it('requests another token before the first expires', async () => {
    let time = now
    const azure: Recorded = new Recorded(() => ({
      token: `token-${azure.calls.length}`,
      expiresOnTimestamp: time + 3_600_000,
    }))
    const manager = managerOf(fromTokenCredential(azure, scope), () => time)

    expect(await headersOf(await manager.credential())).toEqual({ authorization: 'Bearer token-1' })
    time += 3_595_000
    expect(await headersOf(await manager.credential())).toEqual({ authorization: 'Bearer token-2' })
  })

  it('aborts a request for a token when no caller is waiting', async () => {
    let signal: GetTokenOptions['abortSignal']
    const azure: TokenCredential = {
      getToken: (_scopes, options) =>
        new Promise((_resolve, reject) => {
          signal = options?.abortSignal
          signal?.addEventListener('abort', () => reject(new Error('aborted')))
        }),
    }
    const controller = new AbortController()
    const waiting = managerOf(fromTokenCredential(azure, scope)).credential(controller)
    await Promise.resolve()

    controller.abort(new Error('enough'))

    await expect(waiting).rejects.toThrow('enough')
    expect(signal?.aborted).toBe(true)
  })

  describe('claims in a challenge', () => {
    const claims = '{"access_token":{"nbf":{"essential":true,"value":"1767225600"}}}'
    const asked = async (header: string) => {
      const azure = new Recorded(() => ({ token: 't', expiresOnTimestamp: now + 3_600_000 }))
      const challenges = parseChallenges(header)
      const context = acquireContext({ reason: 'rejected', challenges })
      await fromTokenCredential(azure, scope).acquire(context)
      return azure.calls[0]?.options
    }

    it.each([
      ['in base64', btoa(claims)],
      ['in base64 for URLs', btoa(claims).replaceAll('+', '-').replace(/=+$/, '')],
    ])('are passed on if they are %s', async (_what, encoded) => {
      const options = await asked(
        `Bearer realm="", authorization_uri="https://login.example.com", error="insufficient_claims", claims="${encoded}"`,
      )
      expect(options).toEqual({ abortSignal: expect.any(AbortSignal), enableCae: true, claims })
    })

    it.each([
      ['another error', `Bearer error="invalid_token", claims="${btoa(claims)}"`],
      ['another scheme', `Basic error="insufficient_claims", claims="${btoa(claims)}"`],
      ['invalid claims', 'Bearer error="insufficient_claims", claims="%%%"'],
      ['claims that are not JSON', `Bearer error="insufficient_claims", claims="${btoa('x')}"`],
      ['no claims', 'Bearer error="insufficient_claims"'],
    ])('are not passed on for %s', async (_what, header) => {
      expect(await asked(header)).toEqual({
        abortSignal: expect.any(AbortSignal),
        enableCae: true,
      })
    })

    it('lead to a token with these claims after the 401', async () => {
      const azure: TokenCredential = {
        getToken: async (_scopes, options) => ({
          token: options?.claims === undefined ? 'plain' : 'with-claims',
          expiresOnTimestamp: Date.now() + 3_600_000,
        }),
      }
      const challenge = `Bearer error="insufficient_claims", claims="${btoa(claims)}"`
      const sent: (string | null)[] = []
      const send = authorizedFetch(fromTokenCredential(azure, scope), {
        resource,
        fetch: async (_input: string | URL | Request, init?: RequestInit) => {
          const token = new Headers(init?.headers).get('Authorization')
          sent.push(token)
          return token === 'Bearer with-claims'
            ? new Response('ok')
            : new Response('', { status: 401, headers: { 'WWW-Authenticate': challenge } })
        },
      })
      const response = await send(resource, { method: 'POST', body: '{}' })
      expect(response.status).toBe(200)
      expect(sent).toEqual(['Bearer plain', 'Bearer with-claims'])
    })
  })

  it('reports a missing token', async () => {
    const manager = managerOf(fromTokenCredential(new Recorded(() => null), scope))

    await expect(manager.credential()).rejects.toMatchObject({
      code: 'acquire_failed',
      message: expect.stringContaining('has no token'),
    })
  })

  it.each<[string, object]>([
    ['no token', { expiresOnTimestamp: now }],
    ['an empty token', { token: '', expiresOnTimestamp: now }],
    ['a token that no header can carry', { token: 'top\nsecret', expiresOnTimestamp: now }],
    ['no time of expiry', { token: 'topsecret' }],
    ['an invalid expiry time', { token: 'topsecret', expiresOnTimestamp: Number.NaN }],
  ])('rejects %s without showing it', async (_what, answer) => {
    const manager = managerOf(fromTokenCredential(new Recorded(() => answer as AccessToken), scope))

    const error: unknown = await manager.credential().catch((thrown: unknown) => thrown)

    expect(error).toMatchObject({ code: 'invalid_response' })
    expect(inspect(error)).not.toMatch(/top\s*secret/)
  })

  it.each<[string, unknown, unknown]>([
    ['credential', undefined, scope],
    ['credential', { token: 't' }, scope],
    ['scope', new Recorded(() => null), ''],
    ['scope', new Recorded(() => null), []],
    ['scope', new Recorded(() => null), ['s', '']],
    ['scope', new Recorded(() => null), undefined],
  ])('checks its %s immediately', (name, credential, wanted) => {
    const make = () => fromTokenCredential(credential as TokenCredentialLike, wanted as string)

    expect(make).toThrow(ConfigurationError)
    expect(make).toThrow(
      expect.objectContaining({ option: `fromTokenCredential.${name}` }) as unknown as Error,
    )
  })
})

describe('fromGoogleAuth()', () => {
  // Google's library compares with the real time, and renews 5 minutes before the expiry.
  const soon = () => Date.now() + 3_000_000
  const real = (auth: GoogleAuthLike) => managerOf(fromGoogleAuth(auth), Date.now).credential()

  it('sends the token of an OAuth2Client until it expires', async () => {
    const client = new OAuth2Client()
    const expiry_date = soon()
    client.setCredentials({ access_token: 'ya29.x', expiry_date })

    const credential = await real(client)

    expect(await headersOf(credential)).toEqual({ authorization: 'Bearer ya29.x' })
    expect(credential.expiresAt).toBe(expiry_date)
  })

  it('also sends the header of a quota project', async () => {
    const client = new OAuth2Client()
    client.quotaProjectId = 'billing'
    client.setCredentials({ access_token: 'ya29.x', expiry_date: soon() })

    expect(await headersOf(await real(client))).toEqual({
      authorization: 'Bearer ya29.x',
      'x-goog-user-project': 'billing',
    })
  })

  it('requests a token again before it expires', async () => {
    let time = Date.now()
    let refreshed = 0
    // Google's library has no clock to set, so it renews every token immediately.
    const client = new OAuth2Client({ eagerRefreshThresholdMillis: 7_200_000 })
    client.refreshHandler = async () => {
      refreshed += 1
      return { access_token: `token-${refreshed}`, expiry_date: time + 3_600_000 }
    }
    const manager = managerOf(fromGoogleAuth(client), () => time)

    expect(await headersOf(await manager.credential())).toEqual({ authorization: 'Bearer token-1' })
    time += 3_595_000
    expect(await headersOf(await manager.credential())).toEqual({ authorization: 'Bearer token-2' })
  })

  it('uses the client of a GoogleAuth', async () => {
    const authClient: AuthClient = new OAuth2Client()
    const expiry_date = soon()
    authClient.setCredentials({ access_token: 'ya29.y', expiry_date })

    const credential = await real(new GoogleAuth({ authClient }))

    expect(await headersOf(credential)).toEqual({ authorization: 'Bearer ya29.y' })
    expect(credential.expiresAt).toBe(expiry_date)
  })

  it('sends the ID token of an IdTokenClient until it expires', async () => {
    const exp = Math.floor(soon() / 1000)
    const payload = Buffer.from(JSON.stringify({ exp })).toString('base64url')
    const audiences: string[] = []
    const client = new IdTokenClient({
      targetAudience: 'https://mcp.example.com',
      idTokenProvider: {
        fetchIdToken: async (audience) => {
          audiences.push(audience)
          return `h.${payload}.s`
        },
      },
    })

    const credential = await real(client)

    expect(await headersOf(credential)).toEqual({ authorization: `Bearer h.${payload}.s` })
    expect(credential.expiresAt).toBe(exp * 1000)
    expect(audiences).toEqual(['https://mcp.example.com'])
  })

  it('lets a service account sign a token for the server', async () => {
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    })
    const credential = await real(new JWT({ email: 'agent@example.com', key: privateKey }))

    const { authorization } = await headersOf(credential)
    const claims: unknown = JSON.parse(
      Buffer.from(authorization?.split('.')[1] ?? '', 'base64url').toString(),
    )
    expect(claims).toMatchObject({ iss: 'agent@example.com', aud: resource })
    // The client's `expiry_date` is 1, as if the token had expired in 1970.
    expect(credential.expiresAt).toBeUndefined()
  })

  it('accepts the plain objects of older versions', async () => {
    const credential = await real({
      getRequestHeaders: async (url) => ({ Authorization: `Bearer for ${url}` }),
      credentials: { expiry_date: null },
    })

    expect(await headersOf(credential)).toEqual({ authorization: `Bearer for ${resource}` })
    expect(credential.expiresAt).toBeUndefined()
  })

  it('reports missing credentials', async () => {
    await expect(real({ getRequestHeaders: async () => new Headers() })).rejects.toMatchObject({
      code: 'acquire_failed',
      message: expect.stringContaining('returned no headers'),
    })
  })

  it('rejects a header that cannot be sent without showing it', async () => {
    const made = real({ getRequestHeaders: async () => ({ Authorization: 'Bearer top\nsecret' }) })

    const error: unknown = await made.catch((thrown: unknown) => thrown)

    expect(error).toMatchObject({ code: 'invalid_response' })
    expect(inspect(error)).not.toMatch(/top\s*secret/)
  })

  it('requires a client, not the promise of one', () => {
    for (const wrong of [undefined, Promise.resolve(new OAuth2Client())]) {
      expect(() => fromGoogleAuth(wrong as unknown as GoogleAuthLike)).toThrow(ConfigurationError)
    }
  })
})
