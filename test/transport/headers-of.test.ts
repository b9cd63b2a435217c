import { inspect } from 'node:util'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { awsSigV4 } from '../../src/aws/index.ts'
import {
  all,
  apiKey,
  basic,
  bearer,
  type CredentialProvider,
  custom,
  headersOf,
  hmac,
  httpSignature,
  jwt,
  liveHeaders,
  perTenant,
} from '../../src/index.ts'
import { startDpop } from '../../src/oauth/dpop.ts'
import { generateKey } from '../../src/oauth/dpop-key.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { testMcpServer } from '../../src/testing/index.ts'
import { PlainHeaders } from '../../src/transport/plain-headers.ts'
import { settle, testClock } from '../support/clock.ts'

const resource = 'https://mcp.example.com/mcp'
const secret = 'canary-secret-of-thirty-two-bytes-at-least'
const fetch = async () => {
  throw new Error('No request is expected.')
}

/** Numbered tokens that are valid for one minute each. */
function numbered(now: () => number, apply?: () => Promise<void>): CredentialProvider {
  let count = 0
  return {
    name: 'numbered',
    async acquire() {
      count += 1
      const token = `canary-${count}`
      return {
        expiresAt: now() + 60_000,
        apply({ headers }) {
          headers.set('Authorization', `Bearer ${token}`)
          return apply?.()
        },
      }
    },
  }
}

describe('headersOf', () => {
  it.each([
    ['a key', apiKey({ value: 'k' }), { 'x-api-key': 'k' }],
    ['a token', bearer('t'), { authorization: 'Bearer t' }],
    ['a password', basic({ username: 'ada', password: 'p' }), { authorization: 'Basic YWRhOnA=' }],
    [
      'two of them',
      all(apiKey({ value: 'k' }), bearer('t')),
      { authorization: 'Bearer t', 'x-api-key': 'k' },
    ],
  ])('returns the headers of %s, and sends nothing', async (_what, provider, expected) => {
    expect(await headersOf(provider, { resource, fetch })).toEqual(expected)
  })

  const dpop = custom({
    name: 'bound',
    acquire: async () => {
      const session = startDpop(true, 'ES256', () => generateKey('ES256'))
      return { apply: (request) => session.apply(request, secret) }
    },
  })
  it.each([
    ['hmac', hmac({ secret })],
    ['httpSignature', httpSignature({ secret, algorithm: 'hmac-sha256', keyId: 'k' })],
    [
      'SigV4',
      awsSigV4({
        region: 'eu-west-1',
        service: 'execute-api',
        credentials: { accessKeyId: 'AK', secretAccessKey: secret },
      }),
    ],
    ['DPoP', dpop],
    ['a token of jwt() for each request', jwt({ secret, algorithm: 'HS256', perRequest: true })],
    ['one of two', all(apiKey({ value: secret, header: 'X-Key' }), hmac({ secret }))],
  ])('rejects %s, which signs each request, and says what to use', async (_what, provider) => {
    for (const lend of [headersOf, liveHeaders]) {
      const refused = lend(provider, { resource, fetch })
      await expect(refused).rejects.toMatchObject({ code: 'not_fixed_headers' })
      await expect(refused).rejects.toThrow(/signs each request.*authorizedFetch\(\).*bridge\(\)/)
      await expect(refused).rejects.not.toThrow('canary')
    }
  })

  it.each([
    ['replaces it', apiKey({ value: secret, query: 'key' })],
    [
      'changes it',
      custom({
        name: 'own',
        acquire: async () => ({ apply: ({ url }) => url.searchParams.set('key', secret) }),
      }),
    ],
  ])('rejects a credential in the URL that %s', async (_what, provider) => {
    const refused = headersOf(provider, { resource, fetch })
    await expect(refused).rejects.toMatchObject({ code: 'not_fixed_headers' })
    await expect(refused).rejects.toThrow('in the URL')
    await expect(refused).rejects.not.toThrow('canary')
  })

  it('does not quote a value that cannot be sent', async () => {
    const provider = custom({
      name: 'own',
      acquire: async () => ({ apply: ({ headers }) => headers.set('X-Key', 'canary\n1') }),
    })
    const failed = headersOf(provider, { resource, fetch })
    await expect(failed).rejects.toMatchObject({ code: 'invalid_credential' })
    await expect(failed).rejects.not.toThrow('canary')
  })

  it('rejects headers of the transport, plain http, and unknown options', async () => {
    const own = custom({
      name: 'own',
      acquire: async () => ({ apply: ({ headers }) => headers.set('Accept', 'x') }),
    })
    await expect(headersOf(own, { resource })).rejects.toThrow('accept')
    const plain = { resource: 'http://mcp.example.com/mcp' }
    await expect(headersOf(bearer('t'), plain)).rejects.toThrow('not https')
    expect(await headersOf(bearer('t'), { ...plain, allowInsecure: true })).toEqual({
      authorization: 'Bearer t',
    })
    await expect(headersOf(bearer('t'), { resource, retry: {} } as never)).rejects.toThrow(
      '`retry`',
    )
    await expect(headersOf(bearer('t'), {} as never)).rejects.toMatchObject({ option: 'resource' })
  })

  it("requests the server's challenge without a credential if the provider needs it", async () => {
    const seen: (string | undefined)[] = []
    const provider: CredentialProvider = {
      ...bearer('t'),
      discovers: true,
      async acquire(context) {
        seen.push(context.challenges[0]?.scheme)
        return bearer('t').acquire(context)
      },
    }
    const requests: RequestInit[] = []
    const answer = async (_url: string | URL, init: RequestInit = {}) => {
      requests.push(init)
      return new Response(null, { status: 401, headers: { 'WWW-Authenticate': 'Bearer' } })
    }
    await headersOf(provider, { resource, fetch: answer })
    expect(seen).toEqual(['bearer'])
    expect(requests).toHaveLength(1)
    expect(new Headers(requests[0]?.headers).has('authorization')).toBe(false)
  })

  it('uses the credential of the tenant in whose context it is called', async () => {
    const provider = perTenant(
      () => 'acme',
      (name) => bearer(`t-${name}`),
    )
    expect(await headersOf(provider, { resource })).toEqual({ authorization: 'Bearer t-acme' })
  })

  it('rejects with the reason of its signal, and always closes its manager', async () => {
    const events: string[] = []
    const waiting = custom({ name: 'own', acquire: () => new Promise(() => {}) })
    const options = {
      resource,
      store: memoryStore(),
      onEvent: ({ type }: { type: string }) => events.push(type),
    }
    const lent = headersOf(waiting, { ...options, signal: AbortSignal.timeout(1) })
    await expect(lent).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(events.at(-1)).toBe('closed')
  })
})

describe('liveHeaders', () => {
  it('reads the current credential, and renews it before it expires', async () => {
    const clock = testClock()
    await using live = await liveHeaders(numbered(clock.now), {
      resource,
      fetch,
      now: clock.now,
      renewal: { earlyWindow: 20, hardMargin: 5, jitter: 0, keepFresh: false },
    })
    const read = () => ({ ...live.headers })
    expect(read()).toEqual({ authorization: 'Bearer canary-1' })
    clock.advance(56_000)
    expect(read).toThrow(
      /numbered: the credential for .* has expired, and no new one has been acquired/,
    )
    await settle()
    expect(read()).toEqual({ authorization: 'Bearer canary-2' })
  })

  it('shows no value to `inspect`, and none after it is closed', async () => {
    const live = await liveHeaders(bearer(secret), { resource })
    expect(inspect(live, { depth: 9, showHidden: true })).not.toContain('canary')
    expect(JSON.stringify({ ...live, headers: undefined })).not.toContain('canary')
    await live.close()
    expect(() => live.headers['authorization']).toThrow(
      expect.objectContaining({ code: 'closed' }) as Error,
    )
  })

  it('rejects a later credential that signs requests, and reveals nothing for other names', async () => {
    const clock = testClock()
    const later = numbered(clock.now, async () => {})
    await expect(liveHeaders(later, { resource, now: clock.now })).rejects.toMatchObject({
      code: 'not_fixed_headers',
    })
    let name = 'X-One'
    const changing = custom({
      name: 'changing',
      acquire: async () => {
        const header = name
        return {
          expiresAt: clock.now() + 60_000,
          apply: ({ headers }) => headers.set(header, 'canary'),
        }
      },
    })
    await using live = await liveHeaders(changing, {
      resource,
      now: clock.now,
      renewal: { keepFresh: false },
    })
    name = 'X-Two'
    clock.advance(61_000)
    expect(() => live.headers['x-one']).toThrow('expired')
    await settle()
    expect(() => live.headers['x-one']).toThrow('no longer sends the same headers')
  })

  it('works with the transport of the official SDK, which reads its headers for each request', async () => {
    const server = await testMcpServer()
    onTestFinished(() => server.close())
    const clock = testClock()
    await using live = await liveHeaders(numbered(clock.now), {
      resource: server.url,
      now: clock.now,
      renewal: { keepFresh: false },
    })
    const client = new Client({ name: 'test', version: '1' })
    const requestInit = { headers: live.headers }
    await client.connect(new StreamableHTTPClientTransport(server.url, { requestInit }) as never)
    clock.advance(61_000)
    expect(() => live.headers['authorization']).toThrow('expired')
    await settle()
    await client.listTools()
    const sent = server.requests.map(({ headers }) => headers.get('authorization'))
    expect(sent.at(0)).toBe('Bearer canary-1')
    expect(sent.at(-1)).toBe('Bearer canary-2')
    await client.close()
  })
})

describe('live headers', () => {
  it('behave like a platform Headers object', () => {
    const [own, native] = [new PlainHeaders(), new Headers()]
    for (const headers of [own, native]) {
      headers.set('X-B', '  two\t')
      headers.append('x-b', ' three ')
      headers.append('X-A', 'one')
      headers.set('X-Gone', '1')
      headers.delete('x-gone')
    }
    const said = (headers: Headers) => {
      const seen: string[] = []
      headers.forEach((value, name) => void seen.push(`${name}=${value}`))
      const lists = [
        [...headers],
        [...headers.keys()],
        [...headers.values()],
        headers.getSetCookie(),
      ]
      return {
        seen,
        lists,
        has: headers.has('X-B'),
        get: headers.get('x-B'),
        none: headers.get('x'),
      }
    }
    expect(said(own)).toEqual(said(native))
    for (const headers of [own, native]) {
      expect(() => headers.set('a b', '1')).toThrow(TypeError)
      expect(() => headers.set('a', 'x\ny')).toThrow(TypeError)
      expect(() => headers.set('a', 'ā')).toThrow(TypeError)
    }
  })
})
