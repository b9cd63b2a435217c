import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  apiKey,
  basic,
  bearer,
  ConfigurationError,
  type CredentialProvider,
  custom,
  headers,
  type Secret,
} from '../../src/index.ts'
import { acquireContext } from '../../src/testing/acquire-context.ts'
import { applied } from '../support/acquire.ts'

const canary = 'cAnArY-secret'
const make: Readonly<Record<string, (value: Secret) => CredentialProvider>> = {
  'apiKey.value': (value) => apiKey({ value }),
  'bearer.token': (value) => bearer(value),
  "headers['X-Session']": (value) => headers({ 'X-Session': value }),
  'basic.password': (value) => basic({ username: 'alice', password: value }),
  'basic.username': (value) => basic({ username: value, password: 'p' }),
}
const unsendable: readonly (readonly [string, string])[] = [
  ['a carriage return', `${canary}\r`],
  ['a line feed', `${canary}\nX-Injected: 1`],
  ['a NUL', `${canary}\0`],
  ['nothing', ''],
]
const notInHeaders: readonly (readonly [string, string])[] = [
  ['a character outside Latin-1', `${canary}☃`],
  ['white space at its end', `${canary} `],
]

function thrownBy(build: () => unknown): unknown {
  try {
    build()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

function expectNoCanary(error: unknown): void {
  const stack = error instanceof Error ? error.stack : ''
  expect(`${inspect(error, { depth: 10 })} ${JSON.stringify(error)} ${stack}`).not.toContain(canary)
}

describe.each(Object.entries(make))('%s', (option, build) => {
  const bad = option.startsWith('basic') ? unsendable : [...unsendable, ...notInHeaders]

  test.each(bad)(
    'attack 5: with %s is rejected at construction, without quoting it',
    (_what, value) => {
      const error = thrownBy(() => build(value))
      expect(error).toBeInstanceOf(ConfigurationError)
      expect(error).toMatchObject({ option, message: expect.stringContaining(option) })
      expectNoCanary(error)
    },
  )

  test.each(bad)('from a source that returns %s fails when it is read', async (_what, value) => {
    const provider = build(() => value)
    const error = await provider.acquire(acquireContext()).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'secret_unavailable',
      message: expect.stringContaining(option),
    })
    expectNoCanary(error)
  })

  test('that is missing is rejected', () => {
    expect(thrownBy(() => build(undefined as never))).toMatchObject({ option })
  })

  test('is read again for every acquisition', async () => {
    let count = 0
    const provider = build(() => `value-${++count}`)
    const first = await applied(provider)
    const second = await applied(provider)
    expect([...first.request.headers]).not.toEqual([...second.request.headers])
  })

  test("whose source throws fails without quoting the source's message", async () => {
    const provider = build(() => {
      throw new Error(`https://vault.example.com/?token=${canary}`)
    })
    const error = await provider.acquire(acquireContext()).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'secret_unavailable' })
    expectNoCanary(error)
  })
})

describe('apiKey', () => {
  test('sends X-API-Key, or the configured header', async () => {
    const standard = await applied(apiKey({ value: 'k' }))
    expect([...standard.request.headers]).toEqual([['x-api-key', 'k']])
    const named = await applied(apiKey({ value: 'k', header: 'X-Service-Key' }))
    expect([...named.request.headers]).toEqual([['x-service-key', 'k']])
  })

  test('sets the query parameter, keeps the others, and does not change the caller’s URL', async () => {
    const credential = await apiKey({ value: 'a b&c', query: 'key' }).acquire(acquireContext())
    const url = new URL('https://mcp.example.com/mcp?x=1&key=old')
    const request = { ...(await applied(apiKey({ value: 'k' }))).request, url }
    await credential.apply(request)
    expect(request.url.search).toBe('?x=1&key=a+b%26c')
    expect(url.search).toBe('?x=1&key=old')
  })

  test.each([
    ['apiKey.header', { value: 'k', header: 'X Key' }],
    ['apiKey.header', { value: 'k', header: '' }],
    ['apiKey.header', { value: 'k', header: 'Mcp-Session-Id' }],
    ['apiKey.header', { value: 'k', header: 'mcp-protocol-version' }],
    ['apiKey.header', { value: 'k', header: 'Accept' }],
    ['apiKey.header', { value: 'k', header: 'content-type' }],
    ['apiKey.header', { value: 'k', header: 'Host' }],
    ['apiKey.query', { value: 'k', query: '' }],
    ['apiKey.query', { value: 'k', query: 'q', header: 'X-Key' }],
    ['apiKey.heder', { value: 'k', heder: 'X-Key' }],
  ])('rejects a wrong %s', (option, options) => {
    expect(thrownBy(() => apiKey(options as never))).toMatchObject({ option })
  })
})

describe('bearer', () => {
  const jwt = (claims: object) => `e30.${btoa(JSON.stringify(claims)).replace(/=+$/, '')}.sig`
  const now = Date.UTC(2026, 0, 1)
  const exp = now / 1000 + 600

  test('is rejected if it includes the prefix Bearer', async () => {
    expect(() => bearer('Bearer abc')).toThrow('leave out the word Bearer')
    await expect(applied(bearer(() => 'bearer abc'))).rejects.toThrow('leave out the word Bearer')
  })

  test.each(['two words', 'a,b', 'a"b', '1|abc', 'a=b', 'caf\u00e9'])(
    'rejects %j, which cannot be a bearer token',
    async (token) => {
      expect(thrownBy(() => bearer(token))).toMatchObject({
        option: 'bearer.token',
        message: expect.stringMatching(/RFC 6750.*headers/),
      })
      await expect(applied(bearer(() => token))).rejects.toMatchObject({
        code: 'secret_unavailable',
        message: expect.stringContaining('RFC 6750'),
      })
    },
  )

  test.each(['abc', 'aZ09-._~+/', 'YWJj==', 'e30.e30.c2ln'])('sends %j', async (token) => {
    const { request } = await applied(bearer(token))
    expect(request.headers.get('Authorization')).toBe(`Bearer ${token}`)
  })

  test('row 4: sends the token', async () => {
    const { request } = await applied(bearer('token'))
    expect(request.headers.get('Authorization')).toBe('Bearer token')
  })

  test('reads the expiry of a JWT only if it comes from a source', async () => {
    expect((await applied(bearer(() => jwt({ exp })))).credential.expiresAt).toBe(exp * 1000)
    expect((await applied(bearer(jwt({ exp })))).credential.expiresAt).toBeUndefined()
  })

  test.each([
    ['opaque'],
    ['a.b.c'],
    ['a..c'],
    ['e30.W10.s'],
    ['e30.bnVsbA.s'],
    [jwt({ exp: 'soon' })],
    [jwt({ exp: now / 1000 - 1 })],
  ])('treats %s as a token without an expiry', async (token) => {
    expect((await applied(bearer(() => token))).credential.expiresAt).toBeUndefined()
  })
})

describe('basic', () => {
  // RFC 7617, sections 2 and 2.1.
  test.each([
    ['Aladdin', 'open sesame', 'QWxhZGRpbjpvcGVuIHNlc2FtZQ=='],
    ['test', '123£', 'dGVzdDoxMjPCow=='],
  ])('encodes %s and %s as in RFC 7617', async (username, password, expected) => {
    const { request } = await applied(basic({ username, password }))
    expect(request.headers.get('Authorization')).toBe(`Basic ${expected}`)
  })

  test('rejects a user name with a colon', () => {
    const error = thrownBy(() => basic({ username: 'a:b', password: 'p' }))
    expect(error).toMatchObject({ option: 'basic.username' })
  })
})

describe('headers', () => {
  test('sends all headers', async () => {
    const { request } = await applied(headers({ 'X-Tenant-ID': 'acme', 'X-Session': () => 's' }))
    expect([...request.headers]).toEqual([
      ['x-session', 's'],
      ['x-tenant-id', 'acme'],
    ])
  })

  test.each([[{}], [{ 'Mcp-Name': 'x' }], [{ 'bad name': 'x' }], [{ Accept: 'x' }]])(
    'rejects %o',
    (values) => {
      expect(thrownBy(() => headers(values as never))).toBeInstanceOf(ConfigurationError)
    },
  )
})

describe('custom', () => {
  test('passes the context on and uses its own name', async () => {
    const provider = custom({
      name: 'vault',
      acquire: ({ resource }) => ({
        apply: (request) => request.headers.set('X-For', resource.pathname),
      }),
    })
    expect(provider.name).toBe('vault')
    expect((await applied(provider)).request.headers.get('X-For')).toBe('/mcp')
  })

  test.each([[{}], [{ acquire: 'token' }], [{ acquire: () => {}, refresh: () => {} }]])(
    'rejects %o',
    (options) => {
      expect(thrownBy(() => custom(options as never))).toBeInstanceOf(ConfigurationError)
    },
  )
})
