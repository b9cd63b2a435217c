import { AsyncLocalStorage } from 'node:async_hooks'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { CredentialProvider, SelectionRequest } from '../../src/credential.ts'
import { ConfigurationError, CredentialError } from '../../src/errors.ts'
import { TokenManager } from '../../src/manager/token-manager.ts'
import { all } from '../../src/providers/combinators.ts'
import { type PerTenantOptions, perTenant } from '../../src/providers/per-tenant.ts'
import { authorizedFetch } from '../../src/transport/authorized-fetch.ts'
import { wire } from '../support/wire.ts'

const resource = 'https://mcp.example.com/mcp'

/** A server with a provider for each tenant, and the tenants whose provider was created. */
function tenants(options?: PerTenantOptions) {
  const storage = new AsyncLocalStorage<string>()
  const made: string[] = []
  const selector = perTenant(
    () => storage.getStore() ?? '',
    (key): CredentialProvider => {
      made.push(key)
      const apply = ({ headers }: { headers: Headers }) =>
        headers.set('Authorization', encodeURIComponent(key))
      return { name: 'tenant', acquire: async () => ({ apply }) }
    },
    options,
  )
  const { fetch, authorizations } = wire()
  const send = authorizedFetch(selector, { resource, fetch })
  const request = (key: string) => storage.run(key, () => send(resource))
  return { made, selector, send, request, authorizations }
}

/** The error of a request with this tenant and provider. */
function failure(keyOf: (request: SelectionRequest) => string, providerFor = unused) {
  const send = authorizedFetch(perTenant(keyOf, providerFor), { resource, fetch: wire().fetch })
  return send(resource).then(
    () => undefined,
    (error: unknown) => error,
  )
}

describe('perTenant()', () => {
  it("sends the credential of the request's tenant", async () => {
    const { made, request, authorizations } = tenants()

    await Promise.all([request('acme'), request('globex'), request('acme')])

    expect(authorizations().sort()).toEqual(['acme', 'acme', 'globex'])
    expect(made).toEqual(['acme', 'globex'])
  })

  it('can take the tenant from the request', async () => {
    const seen: SelectionRequest[] = []
    await failure((request) => {
      seen.push(request)
      return 'acme'
    })

    expect(seen).toMatchObject([{ method: 'GET', mcpMethod: undefined, toolName: undefined }])
    expect(seen[0]?.url.href).toBe(resource)
  })

  it('closes the least recently used tenant', async () => {
    const { made, request } = tenants({ maxTenants: 2 })

    for (const key of ['a', 'b', 'a', 'c', 'a', 'c', 'b']) await request(key)

    expect(made).toEqual(['a', 'b', 'c', 'b'])
  })

  it('keeps a thousand tenants', async () => {
    const { made, request } = tenants()
    const keys = Array.from({ length: 1000 }, (_, index) => `tenant-${index}`)

    for (const key of [...keys, ...keys]) await request(key)
    expect(made).toEqual(keys)

    await request('one too many')
    await request('tenant-0')
    expect(made.slice(1000)).toEqual(['one too many', 'tenant-0'])
  })

  it("separates tenants whose names are those of an object's members", async () => {
    const { request, authorizations } = tenants()

    await request('__proto__')
    await request('constructor')

    expect(authorizations()).toEqual(['__proto__', 'constructor'])
  })

  it('rejects a request whose tenant is not known', async () => {
    const { send, made } = tenants()

    const error = await send(resource).catch((reason: unknown) => reason)

    expect(error).toBeInstanceOf(CredentialError)
    expect(error).toMatchObject({ code: 'no_tenant', retryable: false })
    expect(made).toEqual([])
  })

  it.each<[string, () => unknown]>([
    ['throws', () => raise(new TypeError('top secret'))],
    ['returns a promise', () => Promise.resolve('acme')],
    ['returns nothing', () => undefined],
    ['returns an empty text', () => ''],
    ['returns a promise that rejects', () => Promise.reject(new Error('top secret'))],
    ['returns a lone surrogate', () => 'acme\ud800'],
  ])('rejects a function that %s', async (_what, keyOf) => {
    const error = await failure(keyOf as () => string)

    expect(error).toMatchObject({ code: 'no_tenant' })
    expect(inspect(error, { showHidden: true })).not.toContain('top secret')
  })

  it('does not change credential errors of the function', async () => {
    const own = new CredentialError('login_required', 'Log in.')

    expect(await failure(() => raise(own))).toBe(own)
    expect(
      await failure(
        () => 'acme',
        () => raise(own),
      ),
    ).toBe(own)
  })

  it('does not keep a tenant whose provider could not be created, and does not show the error', async () => {
    let broken = true
    const selector = perTenant(
      () => 'acme',
      () => (broken ? raise(new Error('top secret')) : unused()),
    )
    const send = authorizedFetch(selector, { resource, fetch: wire().fetch })

    const error = await send(resource).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'configuration', tenant: 'acme' })
    expect(inspect(error, { showHidden: true })).not.toContain('top secret')

    broken = false
    expect((await send(resource)).status).toBe(200)
  })

  it('requires a provider, not the promise of one or another selector', async () => {
    const inner = perTenant(() => 'x', unused)
    for (const wrong of [Promise.reject(new Error('late')), inner]) {
      const error = await failure(
        () => 'acme',
        () => wrong as unknown as CredentialProvider,
      )
      expect(error).toBeInstanceOf(ConfigurationError)
    }
  })

  it('cannot be passed where it would use one credential for all tenants', () => {
    const { selector, made } = tenants()

    // @ts-expect-error: a selector is no provider.
    expect(() => new TokenManager(selector, { resource })).toThrow(ConfigurationError)
    // @ts-expect-error: nor can it be combined.
    expect(() => all(selector)).toThrow(ConfigurationError)
    expect(made).toEqual([])
  })

  it.each<[string, unknown[]]>([
    ['keyOf', ['acme', unused]],
    ['providerFor', [() => 'acme', undefined]],
    ['maxTenants', [() => 'acme', unused, { maxTenants: 0 }]],
    ['maxTenants', [() => 'acme', unused, { maxTenants: 1.5 }]],
    ['maxTenant', [() => 'acme', unused, { maxTenant: 5 }]],
  ])('checks %s immediately', (name, parameters) => {
    const make = () => perTenant(...(parameters as Parameters<typeof perTenant>))

    expect(make).toThrow(
      expect.objectContaining({ option: `perTenant.${name}` }) as unknown as Error,
    )
  })
})

function unused(): CredentialProvider {
  return { name: 'unused', acquire: async () => ({ apply: () => {} }) }
}

function raise(error: Error): never {
  throw error
}

it.each([
  [
    'key',
    'no_tenant',
    perTenant(
      (async () => {
        throw new Error('cAnArY')
      }) as never,
      unused,
    ),
  ],
  [
    'selection',
    'configuration',
    { name: 's', select: async () => Promise.reject(new Error('cAnArY')) } as never,
  ],
])(
  'a promise of a %s is rejected, and its own rejection is handled',
  async (_what, code, selector) => {
    const unhandled: unknown[] = []
    const listener = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', listener)
    try {
      const send = authorizedFetch(selector, { resource, fetch: wire().fetch })
      await expect(send(resource)).rejects.toMatchObject({ code })
      await new Promise((resolve) => setImmediate(resolve))
      expect(unhandled).toEqual([])
    } finally {
      process.off('unhandledRejection', listener)
    }
  },
)
