import { inspect } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import {
  apiKey,
  authorizedFetch,
  bearer,
  type Credential,
  type CredentialEvent,
  type CredentialProvider,
  custom,
  withCredentials,
} from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { deferred, settle } from '../support/clock.ts'
import { countingTokens } from '../support/tokens.ts'
import { type Wire, wire } from '../support/wire.ts'

const resource = 'https://mcp.example.com/mcp'
const secret = 'canary-3f9a1c'

function setUp(provider: CredentialProvider, network: Wire, options: object = {}) {
  const events: CredentialEvent[] = []
  const fetch = authorizedFetch(provider, {
    resource,
    fetch: network.fetch,
    onEvent: (event) => events.push(event),
    ...options,
  })
  return { fetch, events }
}

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('the first request', () => {
  it('binds to its origin before its body is read', async () => {
    const network = wire()
    const { fetch } = withCredentials(bearer(secret), { fetch: network.fetch })

    const first = fetch(new Request(resource, { method: 'POST', body: '{"jsonrpc":"2.0"}' }))
    await fetch('https://other.example.com/asset')
    await first

    const byUrl = Object.fromEntries(
      network.sent.map(({ url, headers }) => [url, headers.get('Authorization')]),
    )
    expect(byUrl).toEqual({
      [resource]: `Bearer ${secret}`,
      'https://other.example.com/asset': null,
    })
  })

  const text = 'grant_type=authorization_code&code=abc'
  const formType = { 'Content-Type': 'application/x-www-form-urlencoded' }
  const endpoint = 'https://login.example.com/token'
  it.each<[string, () => [string | Request, RequestInit?]]>([
    [
      'a Request with a form',
      () => [new Request(endpoint, { method: 'POST', body: new URLSearchParams(text) })],
    ],
    [
      'a blob with a form',
      () => [
        endpoint,
        { method: 'POST', body: new Blob([text], { type: formType['Content-Type'] }) },
      ],
    ],
    [
      'a stream with a form',
      () => [endpoint, { method: 'POST', body: new Blob([text]).stream(), headers: formType }],
    ],
  ])('does not bind if it is %s', async (_what, request) => {
    const network = wire()
    const { fetch } = withCredentials(bearer(secret), { fetch: network.fetch })

    const first = fetch(...request())
    await fetch(resource)
    await first

    const byUrl = Object.fromEntries(
      network.sent.map(({ url, headers }) => [url, headers.get('Authorization')]),
    )
    expect(byUrl).toEqual({ [endpoint]: null, [resource]: `Bearer ${secret}` })
  })

  it('does not bind if it requests the metadata of an authorization server', async () => {
    const network = wire()
    const events: CredentialEvent[] = []
    const { fetch } = withCredentials(bearer(secret), {
      fetch: network.fetch,
      onEvent: (event) => events.push(event),
    })

    await fetch('https://login.example.com/.well-known/oauth-authorization-server')
    await fetch(resource)

    expect(network.authorizations()).toEqual([null, `Bearer ${secret}`])
    expect(events.filter(({ type }) => type === 'passed_through')).toMatchObject([
      { target: 'https://login.example.com/.well-known/oauth-authorization-server', resource },
    ])
  })
})

describe('the retry policy', () => {
  it('renews after a 401 even if `statusCodes` does not contain it', async () => {
    const network = wire((_sent, count) => new Response(null, { status: count === 1 ? 401 : 200 }))
    const provider = countingTokens()
    const { fetch } = setUp(provider, network, { retry: { statusCodes: [503] } })

    const response = await fetch(resource)

    expect(response.status).toBe(200)
    expect(provider.reasons).toEqual(['missing', 'rejected'])
  })

  it('does not renew with maxRetries: 0', async () => {
    const network = wire(() => new Response(null, { status: 401 }))
    const { fetch } = setUp(countingTokens(), network, { retry: { maxRetries: 0 } })

    expect((await fetch(resource)).status).toBe(401)
    expect(network.sent).toHaveLength(1)
  })
})

describe('a provider that needs a challenge', () => {
  it('also uses the challenge of a 403 to the first request', async () => {
    const challenge = 'Bearer resource_metadata="https://mcp.example.com/metadata"'
    const network = wire((_sent, count) =>
      count === 1
        ? new Response(null, { status: 403, headers: { 'WWW-Authenticate': challenge } })
        : new Response('ok'),
    )
    const seen: (string | undefined)[] = []
    const { fetch } = setUp(
      {
        name: 'discovering',
        discovers: true,
        async acquire({ challenges }) {
          seen.push(challenges[0]?.parameters.get('resource_metadata'))
          return { apply: ({ headers }) => headers.set('Authorization', 'Bearer t') }
        },
      },
      network,
    )

    expect((await fetch(resource)).status).toBe(200)
    expect(seen).toEqual(['https://mcp.example.com/metadata'])
    expect(network.authorizations()).toEqual([null, 'Bearer t'])
  })

  it('sends no request without a credential after close()', async () => {
    const network = wire()
    const { fetch } = setUp(
      { name: 'discovering', discovers: true, acquire: async () => ({ apply() {} }) },
      network,
    )

    await fetch.manager.close()

    await expect(fetch(resource)).rejects.toMatchObject({ code: 'closed' })
    expect(network.sent).toEqual([])
  })

  it('sends no request without a credential if it is closed while the store is read', async () => {
    const reading = deferred<undefined>()
    const network = wire()
    const inner = memoryStore()
    const { fetch } = setUp(
      {
        name: 'discovering',
        discovers: true,
        restore: () => undefined,
        acquire: async () => ({ apply() {} }),
      },
      network,
      { store: { ...inner, get: () => reading.promise } },
    )

    const failed = failureOf(fetch(resource))
    await settle()
    const closing = fetch.close()
    reading.resolve(undefined)

    expect(await failed).toMatchObject({ code: 'closed' })
    await closing
    expect(network.sent).toEqual([])
  })

  it.each([
    ['close', 'closed'],
    ['logout', undefined],
  ] as const)(
    'sends nothing further if %s() is called during the request without a credential',
    async (end, code) => {
      const network = wire(async (_sent, count) => {
        if (count === 1) await fetch[end]()
        return count === 1 ? new Response(null, { status: 401 }) : new Response('ok')
      })
      const { fetch } = setUp(
        {
          name: 'discovering',
          discovers: true,
          acquire: async () => ({ apply: ({ headers }) => headers.set('Authorization', 'new') }),
        },
        network,
      )

      const result = await fetch(resource).catch((error: unknown) => error)

      expect((result as { code?: unknown }).code).toBe(code)
      expect(network.authorizations()).toEqual(code === 'closed' ? [null] : [null, 'new'])
    },
  )
})

describe('a request to the bound origin', () => {
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
  const passing: [string, string, RequestInit][] = [
    ['resource metadata', '/.well-known/oauth-protected-resource/mcp', {}],
    ['server metadata', '/.well-known/oauth-authorization-server/tenant', {}],
    ['OpenID metadata', '/.well-known/openid-configuration', {}],
    ['OpenID metadata below a path', '/tenant/.well-known/openid-configuration', {}],
    [
      'a token request',
      '/token',
      { method: 'POST', body: new URLSearchParams({ grant_type: 'x' }) },
    ],
    ['a revocation', '/revoke', { method: 'POST', body: 'token=abc&x=1', headers: form }],
    ['a pushed request', '/par', { method: 'POST', body: 'client_id=abc', headers: form }],
    [
      'a token request in a blob',
      '/token',
      { method: 'POST', body: new Blob(['grant_type=x']), headers: form },
    ],
    ['a HEAD of metadata', '/.well-known/oauth-protected-resource', { method: 'HEAD' }],
    ['metadata below two slashes', '//.well-known/oauth-authorization-server', {}],
    ['a registration', '/register', { method: 'POST', body: '{"redirect_uris":["http://a/"]}' }],
  ]
  it.each(passing)(
    'is sent without the credential, and reported, if it is %s',
    async (_, path, init) => {
      const network = wire()
      const { fetch, events } = setUp(bearer(secret), network)
      const url = `https://mcp.example.com${path}`

      await fetch(url, init)
      await fetch(url, init)

      expect(network.authorizations()).toEqual([null, null])
      expect(events.filter(({ type }) => type === 'passed_through')).toMatchObject([
        { target: url },
      ])
    },
  )

  const authorized: [string, string, RequestInit][] = [
    ['a form', '/upload', { method: 'POST', body: 'a=b', headers: form }],
    ['URLSearchParams', '/search', { method: 'POST', body: new URLSearchParams({ q: 'x' }) }],
    [
      'a form to the resource',
      '/mcp',
      { method: 'POST', body: 'grant_type=x&token=y', headers: form },
    ],
    [
      'URLSearchParams to the resource',
      '/mcp',
      { method: 'POST', body: new URLSearchParams({ grant_type: 'x' }) },
    ],
    [
      'JSON with redirect_uris to the resource',
      '/mcp',
      { method: 'POST', body: '{"redirect_uris":[]}' },
    ],
    [
      'redirect_uris that is not an array',
      '/apps',
      { method: 'POST', body: '{"redirect_uris":"x"}' },
    ],
    ['redirect_uris deeper', '/apps', { method: 'POST', body: '{"a":{"redirect_uris":[]}}' }],
    ['another well-known document', '/.well-known/mcp.json', {}],
    ['a path that only looks alike', '/.well-known/oauth-protected-resources', {}],
    [
      'a blob to the resource',
      '/mcp',
      { method: 'POST', body: new Blob(['grant_type=x']), headers: form },
    ],
    ['a blob that is not a form', '/upload', { method: 'POST', body: new Blob(['grant_type=x']) }],
    ['a POST to a well-known path', '/.well-known/oauth-protected-resource', { method: 'POST' }],
  ]
  it.each(authorized)('is sent with the credential if it is %s', async (_what, path, init) => {
    const network = wire()
    const { fetch } = setUp(bearer(secret), network)

    await fetch(`https://mcp.example.com${path}`, init)

    expect(network.authorizations()).toEqual([`Bearer ${secret}`])
  })

  it('is sent without the credential if the body of a Request shows that it is a token request', async () => {
    const network = wire()
    const { fetch } = setUp(bearer(secret), network)
    const body = () => new URLSearchParams({ grant_type: 'x' })

    await fetch(new Request('https://mcp.example.com/token', { method: 'POST', body: body() }))
    await fetch(new Request(resource, { method: 'POST', body: body() }))

    expect(network.authorizations()).toEqual([null, `Bearer ${secret}`])
  })

  it('does not follow a redirect to the metadata of an authorization server, and reports it', async () => {
    const target = 'https://mcp.example.com/.well-known/oauth-authorization-server'
    const network = wire(() => new Response(null, { status: 307, headers: { Location: target } }))
    const { fetch, events } = setUp(bearer(secret), network)

    expect((await fetch(resource)).status).toBe(307)
    expect(network.sent).toHaveLength(1)
    expect(events).toContainEqual(expect.objectContaining({ type: 'redirect_refused', target }))
  })

  it.each([
    [`data:text/html,${'x'.repeat(5000)}`, 'data:'],
    ['myapp://callback/cAnArY', 'myapp:'],
    [`https://other.example.com/${'ab/'.repeat(1000)}`, /^https:\/\/other.{187}$/],
  ])('is reported by a short label if the server redirects it', async (location, target) => {
    const answer = () => new Response(null, { status: 307, headers: { Location: location } })
    const { fetch, events } = setUp(bearer(secret), wire(answer))

    await fetch(resource)

    const matching = typeof target === 'string' ? target : expect.stringMatching(target)
    expect(events.filter(({ type }) => type === 'redirect_refused')).toMatchObject([
      { target: matching },
    ])
  })

  it('is sent with the credential to a resource below /.well-known/', async () => {
    const network = wire()
    const here = 'https://mcp.example.com/.well-known/openid-configuration'
    const { fetch } = setUp(bearer(secret), network, { resource: here })

    await fetch(here)

    expect(network.authorizations()).toEqual([`Bearer ${secret}`])
  })
})

describe('the request options', () => {
  it('can be members of a class', async () => {
    class Options {
      get method() {
        return 'POST'
      }
      get headers() {
        return { 'X-Own': '1' }
      }
      get body() {
        return '{}'
      }
    }
    const network = wire()
    const { fetch } = setUp(bearer(secret), network)

    await fetch(resource, new Options())
    await fetch(new Request(resource), new Options())

    for (const { init, headers } of network.sent) {
      expect(init).toMatchObject({ method: 'POST', body: '{}' })
      expect(headers.get('X-Own')).toBe('1')
    }
    expect(network.sent).toHaveLength(2)
  })

  it('can be a Request, whose method, headers and body are kept', async () => {
    const network = wire()
    const { fetch } = setUp(bearer(secret), network)
    const request = new Request('https://elsewhere.example.com/', {
      method: 'PUT',
      body: 'text',
      headers: { 'X-A': '1' },
    })

    await fetch(resource, request)

    const [sent] = network.sent
    expect(sent?.init.method).toBe('PUT')
    expect(sent?.headers.get('X-A')).toBe('1')
    expect(new TextDecoder().decode(sent?.init.body as ArrayBuffer)).toBe('text')
  })

  it('can contain a relative URL if the platform has a base URL', async () => {
    const network = wire()
    const { fetch } = setUp(bearer(secret), network)

    await expect(fetch('/mcp')).rejects.toThrow(TypeError)
    vi.stubGlobal('location', { href: 'https://mcp.example.com/app/index.html' })
    await fetch('../mcp').finally(() => vi.unstubAllGlobals())

    expect(network.sent.map(({ url }) => url)).toEqual([resource])
  })

  it('can be a Request without a `body` property, and a GET is sent without a body', async () => {
    const network = wire()
    const { fetch } = setUp(bearer(secret), network)
    const withoutBody = (request: Request) =>
      Object.defineProperty(request, 'body', { value: undefined })

    await fetch(withoutBody(new Request(resource, { method: 'POST', body: 'text' })))
    await fetch(withoutBody(new Request(resource)))

    const [post, get] = network.sent
    expect(new TextDecoder().decode(post?.init.body as ArrayBuffer)).toBe('text')
    expect(get?.init.body).toBeUndefined()
  })

  it('can share one signal among twenty requests without a warning', async () => {
    const warnings: unknown[] = []
    const onWarning = (warning: Error) => warnings.push(warning.name)
    process.on('warning', onWarning)
    const open = deferred<void>()
    const { fetch } = setUp(custom({ acquire: () => ({ apply: () => open.promise }) }), wire())
    const { signal } = new AbortController()
    await fetch.manager.credential()

    const all = Promise.all(Array.from({ length: 20 }, () => fetch(resource, { signal })))
    await settle()
    await new Promise((resolve) => setTimeout(resolve, 5))
    open.resolve()
    await all
    process.off('warning', onWarning)

    expect(warnings).toEqual([])
  })
})

describe('an opaque redirect in a browser', () => {
  const opaque = () => {
    const response = new Response(null)
    Object.defineProperty(response, 'type', { value: 'opaqueredirect' })
    Object.defineProperty(response, 'status', { value: 0 })
    return response
  }

  it('throws an error that says to use the final URL', async () => {
    const { fetch, events } = setUp(bearer(secret), wire(opaque))

    const error = await failureOf(fetch(resource))

    expect(error).toMatchObject({
      code: 'redirect_refused',
      message: expect.stringContaining('final URL'),
      resource,
    })
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'redirect_refused', target: resource }),
    )
  })

  it('is returned to a caller that requested manual redirects', async () => {
    const { fetch, events } = setUp(bearer(secret), wire(opaque))

    expect((await fetch(resource, { redirect: 'manual' })).type).toBe('opaqueredirect')
    expect(events).toContainEqual(expect.objectContaining({ type: 'redirect_refused' }))
  })
})

describe('a network error', () => {
  const inQuery = apiKey({ value: secret, query: 'api_key' })
  const failing = (error: Error) => wire(() => Promise.reject(error))

  it("does not contain a key of the query, even if the runtime's message does", async () => {
    const cause = Object.assign(new Error(`connect ${resource}?api_key=${secret}`), {
      code: 'ECONNREFUSED',
    })
    const message = `Unable to connect to ${resource}?api_key=${secret}`
    const { fetch } = setUp(inQuery, failing(Object.assign(new TypeError(message, { cause }))))

    const error = await failureOf(fetch(resource))

    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ message: 'fetch failed', cause: { code: 'ECONNREFUSED' } })
    expect(inspect(error, { showHidden: true, depth: 9 })).not.toContain(secret)
  })

  it('is not changed if the credential is in a header', async () => {
    const reason = new TypeError('fetch failed')
    const { fetch } = setUp(bearer(secret), failing(reason))

    expect(await failureOf(fetch(resource))).toBe(reason)
  })

  it('keeps the reason of an abort', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const network = wire(() => {
      controller.abort(reason)
      return Promise.reject(reason)
    })
    const { fetch } = setUp(inQuery, network)

    expect(await failureOf(fetch(resource, { signal: controller.signal }))).toBe(reason)
  })
})

describe('a credential', () => {
  const credential = (apply: (request: never) => void) =>
    ({ name: 'foreign', acquire: async () => ({ apply }) }) as CredentialProvider
  const origin = 'https://mcp.example.com'

  it.each<[string, string, (request: { headers: unknown; url: unknown }) => void]>([
    ['the headers', 'invalid_credential', (request) => Object.assign(request, { headers: {} })],
    [
      'the URL by something else',
      'invalid_credential',
      (request) => Object.assign(request, { url: {} }),
    ],
    [
      'the URL by what only claims its origin',
      'wrong_origin',
      (request) => {
        request.url = { origin, href: resource, toString: () => 'https://evil.example/' }
      },
    ],
  ])('that replaces %s is not sent', async (_what, code, apply) => {
    const network = wire()
    const { fetch } = setUp(credential(apply), network)

    expect(await failureOf(fetch(resource))).toMatchObject({ code })
    expect(network.sent).toEqual([])
  })

  it('that replaces the URL by a string is sent there', async () => {
    const network = wire()
    const apply = (request: { url: unknown }) => {
      request.url = `${resource}?key=1`
    }
    await setUp(credential(apply), network).fetch(resource)

    expect(network.sent).toMatchObject([{ url: `${resource}?key=1` }])
  })

  it('whose scope is not a string leaves a 403 unchanged', async () => {
    const challenge = { 'WWW-Authenticate': 'Bearer error="insufficient_scope", scope="b"' }
    const network = wire(() => new Response(null, { status: 403, headers: challenge }))
    const provider = {
      ...credential(() => {}),
      scoped: true,
      acquire: async () => ({ scope: ['a'], apply() {} }),
    } as unknown as CredentialProvider

    expect((await setUp(provider, network).fetch(resource)).status).toBe(403)
  })

  it('whose observe throws leaves no body unread, and its text is not in the error', async () => {
    let wasRead = false
    const body = () =>
      new ReadableStream(
        {
          pull(controller) {
            wasRead = true
            controller.close()
          },
        },
        { highWaterMark: 0 },
      )
    const { fetch } = setUp(
      custom({
        acquire: () => ({
          apply() {},
          observe() {
            throw new Error(`nonce ${secret}`)
          },
        }),
      }),
      wire(() => new Response(body())),
    )

    const error = await failureOf(fetch(resource))
    await settle()

    expect(error).toMatchObject({ code: 'invalid_credential' })
    expect(inspect(error, { showHidden: true, depth: 9 })).not.toContain(secret)
    expect(wasRead).toBe(true)
  })

  it.each(['mcp-session-id', 'accept', 'mcp-protocol-version'])(
    'that deletes the header %s of the transport is rejected',
    async (header) => {
      const network = wire()
      const { fetch } = setUp(
        custom({ acquire: () => ({ apply: ({ headers }) => headers.delete(header) }) }),
        network,
      )

      const error = await failureOf(fetch(resource, { headers: { [header]: 'mine', 'X-A': '1' } }))

      expect(error).toMatchObject({
        code: 'invalid_credential',
        message: expect.stringContaining(header),
      })
      expect(network.sent).toEqual([])
    },
  )

  it('that throws its own error gets the advice about headers only for errors of `Headers`', async () => {
    const messageOf = async (apply: Credential['apply']) => {
      const { fetch } = setUp(custom({ acquire: () => ({ apply }) }), wire())
      return ((await failureOf(fetch(resource))) as Error).message
    }
    const advice = 'Check that header names and values contain only characters that HTTP allows.'

    expect(await messageOf(() => Promise.reject(new Error('mine')))).toBe(
      'custom: `apply` threw (Error).',
    )
    expect(await messageOf(({ headers }) => headers.set('X Y', 'a'))).toBe(
      `custom: \`apply\` threw (TypeError). ${advice}`,
    )
  })

  it('whose apply never settles is abandoned after 30 seconds', async () => {
    vi.useFakeTimers()
    const network = wire()
    const { fetch } = setUp(
      custom({ acquire: () => ({ apply: () => new Promise(() => {}) }) }),
      network,
    )

    const failed = failureOf(fetch(resource))
    await vi.advanceTimersByTimeAsync(30_000)
    const error = await Promise.race([failed, settle().then(() => 'still waiting')])
    vi.useRealTimers()

    expect(error).toMatchObject({ code: 'timeout', retryable: true })
    expect(network.sent).toEqual([])
  })

  it('whose apply settles after close() is not sent', async () => {
    const open = deferred<void>()
    const network = wire()
    const { fetch } = setUp(custom({ acquire: () => ({ apply: () => open.promise }) }), network)

    const failed = failureOf(fetch(resource))
    await settle()
    await fetch.manager.close()
    const error = await Promise.race([failed, settle().then(() => 'still waiting')])
    open.resolve()
    await settle()

    expect(error).toMatchObject({ code: 'closed' })
    expect(network.sent).toEqual([])
  })

  it('is not sent with a redirect after close()', async () => {
    const network = wire(async (_sent, count) => {
      if (count > 1) return new Response('ok')
      await fetch.manager.close()
      return new Response(null, { status: 307, headers: { Location: '/elsewhere' } })
    })
    const { fetch } = setUp(bearer(secret), network)

    await expect(fetch(resource)).rejects.toMatchObject({ code: 'closed' })
    expect(network.sent).toHaveLength(1)
  })
})

describe('a credential that logout() has discarded', () => {
  it('does not sign a redirect of its earlier request', async () => {
    const signed: string[] = []
    let made = 0
    const network = wire(async (_sent, count) => {
      if (count > 1) return new Response('ok')
      await fetch.logout()
      return new Response(null, { status: 307, headers: { Location: '/elsewhere' } })
    })
    const { fetch } = setUp(
      custom({
        acquire() {
          made += 1
          const name = `credential-${made}`
          return {
            async apply({ url, headers }) {
              signed.push(`${name} ${url.pathname}`)
              headers.set('Authorization', name)
            },
          }
        },
      }),
      network,
    )

    expect((await fetch(resource)).status).toBe(200)
    expect(signed).toEqual(['credential-1 /mcp', 'credential-2 /mcp'])
    expect(network.authorizations()).toEqual(['credential-1', 'credential-2'])
  })

  it('is aborted while it signs, and the request is sent with the next credential', async () => {
    const signals: (AbortSignal | undefined)[] = []
    const network = wire()
    const { fetch } = setUp(
      custom({
        acquire: () => ({
          apply({ signal, headers }) {
            signals.push(signal)
            if (signals.length === 1) return new Promise(() => {})
            headers.set('Authorization', 'second')
          },
        }),
      }),
      network,
    )

    const sending = fetch(resource)
    await settle()
    expect(signals[0]?.aborted).toBe(false)
    await fetch.logout()

    expect(signals[0]?.aborted).toBe(true)
    const response = await Promise.race([sending, settle().then(() => 'still waiting')])
    expect(response).toMatchObject({ status: 200 })
    expect(signals[1]?.aborted).toBe(false)
    expect(network.authorizations()).toEqual(['second'])
  })

  it('is also aborted by close()', async () => {
    let signal: AbortSignal | undefined
    const network = wire()
    const { fetch } = setUp(
      custom({
        acquire: () => ({
          apply(request) {
            signal = request.signal
            return new Promise(() => {})
          },
        }),
      }),
      network,
    )

    const failed = failureOf(fetch(resource))
    await settle()
    await fetch.close()

    expect(signal?.aborted).toBe(true)
    expect(await failed).toMatchObject({ code: 'closed' })
    expect(network.sent).toEqual([])
  })
})

describe('an event source', () => {
  const failing = custom({
    acquire: () => Promise.reject(new Error('down')),
  })

  it('is not assumed for a request that only has `cache: no-store`', async () => {
    const { fetch } = setUp(failing, wire())

    await expect(
      fetch(new Request(resource, { cache: 'no-store', mode: 'cors' })),
    ).rejects.toMatchObject({ code: 'acquire_failed' })
  })

  it('receives a 401 instead of an error, so that it does not reconnect endlessly', async () => {
    const { fetch } = setUp(failing, wire())
    const headers = { Accept: 'text/event-stream' }

    const response = await fetch(resource, { cache: 'no-store', mode: 'cors', headers })

    expect(response.status).toBe(401)
  })

  it('also receives a 401 after close(), and if its first request is rejected', async () => {
    const init = {
      cache: 'no-store',
      mode: 'cors',
      headers: { Accept: 'text/event-stream' },
    } as const
    const { fetch } = setUp(bearer(secret), wire())
    const unbound = withCredentials(bearer(secret), { fetch: wire().fetch })
    await fetch.close()

    expect((await fetch(resource, init)).status).toBe(401)
    expect((await unbound.fetch('http://mcp.example.com/mcp', init)).status).toBe(401)
  })
})
