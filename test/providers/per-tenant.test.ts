import { AsyncLocalStorage } from 'node:async_hooks'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { CredentialProvider } from '../../src/credential.ts'
import { ConfigurationError, CredentialError } from '../../src/errors.ts'
import { TokenManager } from '../../src/manager/token-manager.ts'
import { all } from '../../src/providers/combinators.ts'
import { type PerTenantOptions, perTenant } from '../../src/providers/per-tenant.ts'

const context = { resource: 'https://mcp.example.com/mcp' }

/** A provider per tenant, and the tenants for which one was made. */
function tenants(options?: PerTenantOptions) {
  const storage = new AsyncLocalStorage<string>()
  const made: string[] = []
  const provider = perTenant(
    () => storage.getStore() ?? '',
    (key): CredentialProvider => {
      made.push(key)
      return { name: key, acquire: async () => ({ apply: () => {} }) }
    },
    options,
  )
  return { made, provider, select: (key: string) => storage.run(key, () => provider.select()) }
}

describe('perTenant()', () => {
  it('selects the provider of the tenant that a request is made for', () => {
    const { made, select } = tenants()

    const acme = select('acme')
    const globex = select('globex')

    expect([acme.key, acme.provider.name]).toEqual(['acme', 'acme'])
    expect([globex.key, globex.provider.name]).toEqual(['globex', 'globex'])
    expect(select('acme').provider).toBe(acme.provider)
    expect(made).toEqual(['acme', 'globex'])
  })

  it('forgets the tenant that was not used for the longest time', () => {
    const { made, select } = tenants({ maxTenants: 2 })

    for (const key of ['a', 'b', 'a', 'c', 'a', 'c', 'b']) select(key)

    expect(made).toEqual(['a', 'b', 'c', 'b'])
  })

  it('keeps a thousand tenants', () => {
    const { made, select } = tenants()
    const keys = Array.from({ length: 1000 }, (_, index) => `tenant-${index}`)

    for (const key of [...keys, ...keys]) select(key)
    expect(made).toEqual(keys)

    select('one too many')
    select('tenant-0')
    expect(made.slice(1000)).toEqual(['one too many', 'tenant-0'])
  })

  it("keeps tenants apart whose names are those of an object's members", () => {
    const { select } = tenants()

    expect(select('__proto__').provider.name).toBe('__proto__')
    expect(select('constructor').provider.name).toBe('constructor')
  })

  it('is of no use where the tenant is not known', () => {
    const { provider, made } = tenants()

    expect(() => provider.select()).toThrow(CredentialError)
    expect(() => provider.select()).toThrow(
      expect.objectContaining({ code: 'no_tenant', retryable: false }) as unknown as Error,
    )
    expect(made).toEqual([])
  })

  it.each<[string, () => unknown]>([
    ['throws', () => raise(new TypeError('top secret'))],
    ['returns a promise', () => Promise.resolve('acme')],
    ['returns nothing', () => undefined],
  ])('refuses a function that %s', (_what, keyOf) => {
    const provider = perTenant(keyOf as () => string, () => raise(new Error('not reached')))

    let caught: unknown
    try {
      provider.select()
    } catch (error) {
      caught = error
    }
    expect(caught).toMatchObject({ code: 'no_tenant' })
    expect(inspect(caught)).not.toContain('top secret')
  })

  it("leaves the function's own credential errors as they are", () => {
    const own = new CredentialError('login_required', 'Log in.')

    expect(() => perTenant(() => raise(own), unused).select()).toThrow(own)
  })

  it('does not keep a tenant whose provider could not be made', () => {
    let broken = true
    const provider = perTenant(
      () => 'acme',
      () => {
        if (broken) throw new Error('no configuration')
        return unused()
      },
    )

    expect(() => provider.select()).toThrow('no configuration')
    broken = false
    expect(provider.select().key).toBe('acme')
  })

  it('wants a provider, and not the promise of one', () => {
    const promised = perTenant(
      () => 'acme',
      () => Promise.resolve(unused()) as unknown as CredentialProvider,
    )

    expect(() => promised.select()).toThrow(ConfigurationError)
  })

  it('never hands one credential to all, whatever it is put into', async () => {
    const { provider, made } = tenants()

    for (const misused of [provider, all(provider)]) {
      await expect(new TokenManager(misused, context).credential()).rejects.toThrow(
        'perTenant has no credential of its own',
      )
    }
    expect(made).toEqual([])
  })

  it.each<[string, unknown[]]>([
    ['keyOf', ['acme', unused]],
    ['providerFor', [() => 'acme', undefined]],
    ['maxTenants', [() => 'acme', unused, { maxTenants: 0 }]],
    ['maxTenants', [() => 'acme', unused, { maxTenants: 1.5 }]],
    ['maxTenant', [() => 'acme', unused, { maxTenant: 5 }]],
  ])('checks %s at once', (name, parameters) => {
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
