import { describe, expect, it, onTestFinished, test } from 'vitest'
import { startApiKeyServer } from '../../examples/servers/api-key-server.ts'
import { startBearerServer } from '../../examples/servers/bearer-server.ts'
import {
  apiKey,
  authorizedFetch,
  bearer,
  CredentialError,
  type CredentialEvent,
  custom,
  LoginRequiredError,
  withCredentials,
} from '../../src/index.ts'
import { recordingOrigin } from '../support/recording-origin.ts'
import { sdks } from '../support/sdk.ts'
import { countingTokens } from '../support/tokens.ts'

const secret = 'canary-3f9a1c'
const ways = [
  { way: 'Authorization', provider: bearer(secret) },
  { way: 'a custom header', provider: apiKey({ value: secret }) },
  { way: 'the query', provider: apiKey({ value: secret, query: 'api_key' }) },
]

describe('a redirect to another origin', () => {
  for (const { way, provider } of ways) {
    for (const status of [301, 302, 303, 307, 308]) {
      it(`attacks 3, 4: never carries the key of ${way} (${status})`, async () => {
        const elsewhere = await recordingOrigin()
        const server = await recordingOrigin((_request, response) => {
          response.writeHead(status, { Location: `${elsewhere.origin}/mcp` }).end()
        })
        const fetch = withCredentials(provider).fetch

        const post = await fetch(`${server.origin}/mcp`, { method: 'POST', body: '{}' })
        const get = await fetch(`${server.origin}/mcp`)

        expect([post.status, get.status]).toEqual([status, status])
        expect(server.requests).toHaveLength(2)
        expect(JSON.stringify(server.requests)).toContain(secret)
        expect(elsewhere.requests).toEqual([])
      })
    }
    for (const sdk of sdks) {
      it(`advisories CVE-2026-53840, CVE-2026-62208: never carries the key of ${way} with ${sdk.name}`, async () => {
        const elsewhere = await recordingOrigin()
        const server = await recordingOrigin((_request, response) => {
          response.writeHead(307, { Location: `${elsewhere.origin}/mcp` }).end()
        })
        const url = new URL(`${server.origin}/mcp`)
        const client = sdk.client()
        onTestFinished(() => client.close())

        const streamable = sdk.streamable(url, withCredentials(provider))
        await expect(client.connect(streamable)).rejects.toThrow()
        const sse = sdk.sse(url, withCredentials(provider))
        await expect(sdk.client().connect(sse)).rejects.toThrow()
        await sse.close()

        expect(elsewhere.requests).toEqual([])
      })
    }
  }
})

test.each([
  '//elsewhere',
  '/\\\\elsewhere',
  '\\\\\\\\elsewhere',
  'http:///elsewhere',
  '@elsewhere',
  '/..//elsewhere',
])(
  'advisory CVE-2026-50143: a redirect to %j stays within the origin or is not followed',
  async (shape) => {
    const elsewhere = await recordingOrigin()
    const { host } = new URL(elsewhere.origin)
    const server = await recordingOrigin(({ url }, response) => {
      if (url !== '/mcp') return response.end('{}')
      return response.writeHead(307, { Location: shape.replace('elsewhere', `${host}/mcp`) }).end()
    })
    await withCredentials(bearer(secret)).fetch(`${server.origin}/mcp`, {
      method: 'POST',
      body: '{}',
    })
    expect(elsewhere.requests).toEqual([])
  },
)

describe("the SDK's own login beside our fetch", () => {
  for (const sdk of sdks) {
    it(`attack 1: never gets the key, wherever the server sends it (${sdk.name})`, async () => {
      const authorizationServer = await recordingOrigin(({ url }, response) => {
        const { origin } = authorizationServer
        const metadata = {
          issuer: origin,
          authorization_endpoint: `${origin}/authorize`,
          token_endpoint: `${origin}/token`,
          registration_endpoint: `${origin}/register`,
          response_types_supported: ['code'],
          code_challenge_methods_supported: ['S256'],
        }
        const isMetadata = url.includes('/.well-known/')
        response.writeHead(isMetadata ? 200 : 400, { 'Content-Type': 'application/json' })
        response.end(JSON.stringify(isMetadata ? metadata : { error: 'invalid_client_metadata' }))
      })
      const documents = await recordingOrigin((_request, response) => {
        response.setHeader('Content-Type', 'application/json')
        const resource = `${server.origin}/mcp`
        const servers = [authorizationServer.origin]
        response.end(JSON.stringify({ resource, authorization_servers: servers }))
      })
      const server = await recordingOrigin((_request, response) => {
        const challenge = `Bearer resource_metadata="${documents.origin}/metadata"`
        response.writeHead(401, { 'WWW-Authenticate': challenge }).end()
      })
      const client = sdk.client()
      onTestFinished(() => client.close())
      const options = { ...withCredentials(apiKey({ value: secret })), authProvider: sdkLogin }

      const transport = sdk.streamable(new URL(`${server.origin}/mcp`), options)
      await expect(client.connect(transport)).rejects.toThrow()

      expect(JSON.stringify(server.requests)).toContain(secret)
      const paths = authorizationServer.requests.map(({ url }) => url)
      expect(paths.at(-1)).toBe('/register')
      const others = [...documents.requests, ...authorizationServer.requests]
      expect(JSON.stringify(others)).not.toContain(secret)
    })
  }
})

/** What the SDKs ask of an application that leaves the login to them. */
const sdkLogin = {
  redirectUrl: 'http://127.0.0.1:1/callback',
  clientMetadata: { client_name: 'test', redirect_uris: ['http://127.0.0.1:1/callback'] },
  clientInformation: () => undefined,
  saveClientInformation: () => {},
  tokens: () => undefined,
  saveTokens: () => {},
  redirectToAuthorization: () => {},
  saveCodeVerifier: () => {},
  codeVerifier: () => '',
}

describe('a redirect within the origin', () => {
  for (const sdk of sdks) {
    it(`is followed with the credential and the same body (${sdk.name})`, async () => {
      const server = await startApiKeyServer({
        keys: { [secret]: 'alice' },
        configure: (app) => app.all('/old', (_request, response) => response.redirect(307, '/mcp')),
      })
      onTestFinished(() => server.close())
      const client = sdk.client()
      const url = new URL('/old', server.origin)

      await client.connect(sdk.streamable(url, withCredentials(apiKey({ value: secret }))))
      const result = await client.callTool({ name: 'whoami' })
      await client.close()

      expect(JSON.stringify(result)).toContain('alice')
      const calls = server.requests.filter(({ method }) => method === 'POST')
      expect(calls.map(({ path }) => path).slice(0, 2)).toEqual(['/old', '/mcp'])
      expect(calls[1]?.body).toBe(calls[0]?.body)
      expect(server.requests.every(({ headers }) => headers['x-api-key'] === secret)).toBe(true)
    })
  }

  it('signs every hop anew', async () => {
    const server = await recordingOrigin(({ url }, response) => {
      if (url === '/end') return response.end('{}')
      return response.writeHead(308, { Location: '/end' }).end()
    })
    const fetch = withCredentials(
      custom({
        acquire: () => ({
          apply: ({ headers, url }) => headers.set('X-Signed-Path', url.pathname),
        }),
      }),
    ).fetch

    await fetch(`${server.origin}/start`, { method: 'POST', body: '{}' })

    expect(server.requests.map(({ headers }) => headers['x-signed-path'])).toEqual([
      '/start',
      '/end',
    ])
  })

  it('is not followed for ever', async () => {
    const server = await recordingOrigin((_request, response) => {
      response.writeHead(307, { Location: '/again' }).end()
    })

    const response = await withCredentials(bearer(secret)).fetch(`${server.origin}/mcp`)

    expect(response.status).toBe(307)
    expect(server.requests).toHaveLength(6)
  })
})

describe('an authorization server on the same origin', () => {
  const requests: [string, string, RequestInit][] = [
    ['protected resource metadata', '/.well-known/oauth-protected-resource/mcp', {}],
    ['server metadata', '/.well-known/oauth-authorization-server', {}],
    ['metadata below a path', '/tenant/.well-known/openid-configuration', {}],
    [
      'a token request',
      '/token',
      { method: 'POST', body: new URLSearchParams({ grant_type: 'refresh_token' }) },
    ],
    [
      'a token request in text',
      '/token',
      {
        method: 'POST',
        body: 'grant_type=refresh_token',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      },
    ],
    [
      'a registration',
      '/register',
      { method: 'POST', body: JSON.stringify({ redirect_uris: ['http://localhost/'] }) },
    ],
  ]
  for (const [what, path, init] of requests) {
    it(`gets no credential with ${what}`, async () => {
      const server = await recordingOrigin()
      const fetch = authorizedFetch(bearer(secret), { resource: `${server.origin}/mcp` })

      await fetch(`${server.origin}${path}`, init)

      expect(server.requests).toHaveLength(1)
      expect(JSON.stringify(server.requests)).not.toContain(secret)
    })
  }
})

describe('authorizedFetch', () => {
  it('row 8: sends requests to another origin, for an icon perhaps, without the credential', async () => {
    const server = await recordingOrigin()
    const other = await recordingOrigin()
    const events: CredentialEvent[] = []
    const fetch = withCredentials(bearer(secret), { onEvent: (event) => events.push(event) }).fetch

    await fetch(`${server.origin}/mcp`)
    await fetch(`${other.origin}/mcp`)
    await fetch(`${other.origin}/mcp?again`)

    expect(server.requests[0]?.headers.authorization).toBe(`Bearer ${secret}`)
    expect(other.requests[0]?.headers.authorization).toBeUndefined()
    // Whoever meant the other server finds out why it sees no credential.
    const passed = events.filter(({ type }) => type === 'passed_through')
    expect(passed).toMatchObject([{ target: other.origin, resource: `${server.origin}/mcp` }])
  })

  for (const headers of [
    { Authorization: 'Basic caller' },
    { authorization: 'Basic caller' },
    new Headers({ AUTHORIZATION: 'Basic caller' }),
    [['authorization', 'Basic caller'] as [string, string]],
  ]) {
    it(`wins over the caller's own header, given as ${JSON.stringify(headers)}`, async () => {
      const server = await recordingOrigin()
      const events: CredentialEvent[] = []
      const fetch = withCredentials(bearer(secret), {
        onEvent: (event) => events.push(event),
      }).fetch

      await fetch(`${server.origin}/mcp`, { headers })

      expect(server.requests[0]?.headers.authorization).toBe(`Bearer ${secret}`)
      expect(events).toContainEqual(
        expect.objectContaining({ type: 'header_replaced', header: 'authorization' }),
      )
    })
  }

  it('says what is wrong with its arguments', () => {
    const swapped = withCredentials as (...args: unknown[]) => unknown
    expect(() => swapped('https://mcp.example.com/mcp')).toThrow('must be a provider')
    expect(() => swapped(bearer(secret), 'https://mcp.example.com/mcp')).toThrow('pass an object')
    expect(() => swapped(bearer(secret), new URL('https://a.example'))).toThrow('pass an object')
    expect(() => (authorizedFetch as typeof swapped)(bearer(secret))).toThrow('{ resource: url }')
    expect(() => withCredentials(bearer(secret), { resource: 'mcp.example.com/mcp' })).toThrow(
      'beginning with https://',
    )
    const retry = { retries: 3 } as never
    expect(() => withCredentials(bearer(secret), { retry })).toThrow('maxRetries, statusCodes')
  })

  it('refuses plain http to another machine, at construction or at the first request', async () => {
    const url = 'http://mcp.example.com/mcp'

    expect(() => authorizedFetch(bearer(secret), { resource: url })).toThrow(/allowInsecure/)
    await expect(withCredentials(bearer(secret)).fetch(url)).rejects.toThrow(/allowInsecure/)
    expect(() =>
      authorizedFetch(bearer(secret), { resource: url, allowInsecure: true }),
    ).not.toThrow()
  })

  it('accepts a Request and sends its body again after a 401', async () => {
    let answers = 0
    const server = await recordingOrigin((_request, response) => {
      answers += 1
      response.writeHead(answers === 1 ? 401 : 200).end()
    })
    const fetch = withCredentials(countingTokens()).fetch

    const response = await fetch(
      new Request(`${server.origin}/mcp`, { method: 'POST', body: 'é', headers: { 'X-A': '1' } }),
    )

    expect(response.status).toBe(200)
    expect(server.requests.map(({ body, headers }) => [body, headers['x-a']])).toEqual([
      ['é', '1'],
      ['é', '1'],
    ])
  })

  it('sends a stream once and returns the 401', async () => {
    const server = await recordingOrigin((_request, response) => response.writeHead(401).end())
    const body = new Blob(['{}']).stream()
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit

    const response = await withCredentials(countingTokens()).fetch(`${server.origin}/mcp`, init)

    expect(response.status).toBe(401)
    expect(server.requests.map((request) => request.body)).toEqual(['{}'])
  })

  it('leaves the body of the last 401 to the caller', async () => {
    const server = await recordingOrigin((_request, response) => response.writeHead(401).end('why'))

    const response = await withCredentials(countingTokens()).fetch(`${server.origin}/mcp`)

    expect(await response.text()).toBe('why')
    expect(server.requests).toHaveLength(2)
  })

  it('waits as long as Retry-After says, within its policy', async () => {
    const server = await recordingOrigin((_request, response) =>
      server.requests.length === 1
        ? response.writeHead(503, { 'Retry-After': '0' }).end()
        : response.end('{}'),
    )
    const retry = { maxRetries: 2, statusCodes: [503], backoffFactor: 0 }

    const response = await withCredentials(bearer(secret), { retry }).fetch(`${server.origin}/mcp`)

    expect(response.status).toBe(200)
    expect(server.requests).toHaveLength(2)
  })

  it('returns the response when Retry-After is longer than allowed', async () => {
    const server = await recordingOrigin((_request, response) =>
      response.writeHead(503, { 'Retry-After': '3600' }).end(),
    )
    const retry = { maxRetries: 2, statusCodes: [503] }

    const response = await withCredentials(bearer(secret), { retry }).fetch(`${server.origin}/mcp`)

    expect(response.status).toBe(503)
    expect(server.requests).toHaveLength(1)
  })

  it('makes as many retries as the policy asks for', async () => {
    const server = await recordingOrigin((_request, response) => response.writeHead(401).end())
    const retry = { maxRetries: 3, backoffFactor: 0 }

    const response = await withCredentials(countingTokens(), { retry }).fetch(
      `${server.origin}/mcp`,
    )

    expect(response.status).toBe(401)
    expect(server.requests).toHaveLength(4)
  })

  it('rejects with the reason of an abort while it waits for a credential', async () => {
    const server = await recordingOrigin()
    const controller = new AbortController()
    const reason = new Error('enough')
    const fetch = withCredentials(custom({ acquire: () => new Promise(() => {}) })).fetch

    const pending = fetch(`${server.origin}/mcp`, { signal: controller.signal })
    controller.abort(reason)

    await expect(pending).rejects.toBe(reason)
    expect(server.requests).toEqual([])
  })

  it('keeps a secret out of an error that Headers.set would quote', async () => {
    const server = await recordingOrigin()
    const fetch = withCredentials(
      custom({
        acquire: () => ({ apply: ({ headers }) => headers.set('X-Key', `${secret}\nx`) }),
      }),
    ).fetch

    const error: Error = await fetch(`${server.origin}/mcp`).then(
      () => expect.unreachable(),
      (reason) => reason,
    )

    expect(error).toBeInstanceOf(CredentialError)
    expect(`${error.message} ${error.stack} ${String(error.cause)}`).not.toContain(secret)
  })
})

describe('a credential that cannot be had', () => {
  for (const sdk of sdks) {
    const modes = sdk.major === 2 ? ['legacy', 'auto'] : ['legacy']
    for (const mode of modes) {
      it(`keeps its class through connect() (${sdk.name}, ${mode})`, async () => {
        const server = await startBearerServer({ tokens: {} })
        onTestFinished(() => server.close())
        const failure = new LoginRequiredError('no_credential', 'Nobody is logged in.')
        const provider = custom({ acquire: () => Promise.reject(failure) })
        const client = sdk.client(mode === 'auto' ? { versionNegotiation: { mode } } : undefined)

        const connecting = client.connect(sdk.streamable(server.url, withCredentials(provider)))

        await expect(connecting).rejects.toBe(failure)
        expect(server.requests).toEqual([])
      })
    }

    it(`ends the SSE transport, which would otherwise reconnect for ever (${sdk.name})`, async () => {
      const server = await startBearerServer({ kind: 'sse', tokens: {} })
      onTestFinished(() => server.close())
      let acquisitions = 0
      const provider = custom({
        acquire() {
          acquisitions += 1
          throw new LoginRequiredError('no_credential', 'Nobody is logged in.')
        },
      })
      const transport = sdk.sse(server.url, withCredentials(provider))
      const errors: Error[] = []
      transport.onerror = (error) => errors.push(error)

      await expect(sdk.client().connect(transport)).rejects.toThrow(/401/)
      const before = errors.length
      // Longer than the three seconds after which an event source reconnects.
      await new Promise((resolve) => setTimeout(resolve, 3500))

      expect(acquisitions).toBe(1)
      expect(errors).toHaveLength(before)
      expect(server.requests).toEqual([])
    })
  }
})
