import { describe, expect, it } from 'vitest'
import { authorizedFetch } from '../../src/index.ts'
import { authorizationCode, savedLogin } from '../../src/oauth/index.ts'
import { perTenant } from '../../src/providers/per-tenant.ts'
import { memoryStore } from '../../src/testing/index.ts'
import { webLogins } from '../../src/web/index.ts'
import { oauthWorld, type Script } from '../support/oauth-world.ts'
import { alice, application, errorOf, of, visit } from '../support/web-application.ts'

/** A login that has begun, and the callback that the browser brings. */
async function begun(more: object = {}) {
  const found = await application({}, more)
  const { url, state, id } = await found.logins.beginLogin({ resource: found.world.url, ...alice })
  const callback = await visit(url)
  const finish = (to: string | URL = callback) => found.logins.finishLogin(to, state, of(alice))
  return { ...found, callback, state, id, finish }
}

describe('a callback', () => {
  it('with an empty `error` uses its login up, whatever code it brings', async () => {
    const { world, callback, finish } = await begun()
    callback.searchParams.set('error', '')
    await finish(callback)

    callback.searchParams.set('code', 'code-of-somebody-else')

    expect(await errorOf(finish(callback))).toMatchObject({ code: 'login_used' })
    expect(world.tokenRequests().map(({ code }) => code)).toEqual(['code-1'])
  })

  it('with an empty `error` leaves a mark in the store before authorizationCode() sends its code', async () => {
    const store = memoryStore()
    const marks: unknown[] = []
    const world = await oauthWorld({
      redirect: (target) => target.searchParams.set('error', ''),
      token: () => {
        marks.push(store.get(`${world.url} | default`))
        return undefined
      },
    })
    const provider = authorizationCode({ onAuthorizationUrl: (url) => fetch(url) })
    await authorizedFetch(provider, { resource: world.url, store }).login()
    expect(await Promise.all(marks)).toMatchObject([{ pending: { at: expect.any(Number) } }])
  })

  type Change = (query: URLSearchParams, issuer: string) => void
  const changes: readonly (readonly [string, Change])[] = [
    ['without a code', (query) => query.delete('code')],
    ['with an empty code', (query) => query.set('code', '')],
    ['with two codes', (query) => query.append('code', 'code-2')],
    [
      'with two issuers',
      (query, issuer) => [issuer, 'https://a.example'].map((iss) => query.append('iss', iss)),
    ],
    ['with two errors', (query) => ['', 'a'].map((error) => query.append('error', error))],
    ['with the answer of another flow', (query) => query.set('response', 'a.b.c')],
    ['with a token', (query) => query.set('id_token', 'a.b.c')],
  ]
  it.each(changes)('%s is refused, and its login can still be finished', async (_what, change) => {
    const { world, callback, finish } = await begun()
    const odd = new URL(callback)
    change(odd.searchParams, world.issuer)

    const error = await errorOf(finish(odd))

    expect(error).toMatchObject({ code: 'invalid_response' })
    expect(error.message).not.toMatch(/a\.b\.c|code-2/)
    expect(world.tokenRequests()).toEqual([])
    expect(await finish()).toMatchObject({ account: 'alice' })
  })
})

describe('a URL that is no callback', () => {
  it('is named with the path of the callback, and where a router may have changed it', async () => {
    const { callback, finish, id } = await begun()

    const error = await errorOf(finish(`/app${callback.pathname}${callback.search}`))

    expect(error).toMatchObject({ code: 'login_mismatch' })
    expect(error.message).toContain('"/app/callback"')
    expect(error.message).toContain('"/callback"')
    expect(error.remedy).toContain('`originalUrl`')
    expect(error.message).not.toContain(id)
  })

  it('without a query is said to have none', async () => {
    const { finish } = await begun()
    const error = await errorOf(finish('/callback'))
    expect(error).toMatchObject({ code: 'login_mismatch' })
    expect(error.message).toContain('has no query')
  })

  it('shows no token in its path', async () => {
    const { finish } = await begun()
    const error = await errorOf(finish('/s/NmE0YzE4ZjQ3ZGE5/callback\u202e?a=b'))
    expect(error.message).not.toMatch(/NmE0YzE4ZjQ3ZGE5|\u202e/)
  })
})

describe('a login that could not be finished', () => {
  const scope = Array.from({ length: 450 }, (_, place) => `scope-${place}-${'x'.repeat(30)}`)
  const long: readonly (readonly [string, object, Script])[] = [
    ['the scopes of the application are', { scope: scope.join(' ') }, {}],
    ['the client identifier is', { clientId: 'c'.repeat(14_000) }, {}],
    ['the scopes of the server are', {}, { resource: () => ({ scopes_supported: scope }) }],
  ]
  it.each(long)('does not begin because %s too long', async (_what, more, script) => {
    const { logins, world } = await application(script, more)
    const error = await errorOf(logins.beginLogin({ resource: world.url, ...alice }))
    expect(error).toMatchObject({ code: 'invalid_response', retryable: false })
    expect(error.message).toContain('too long')
    expect(error.message.length).toBeLessThan(500)
  })

  it.each([
    ['beginLogin.tenant', { tenant: '\ud800' }],
    ['beginLogin.scope', { scope: ['notes:read', 'notes:write'] }],
    ['beginLogin.scope', { scope: 'notes:read  "all"' }],
  ])('does not begin with a wrong `%s`', async (option, wrong) => {
    const { logins, world } = await application()
    const begin = { resource: world.url, ...alice, ...wrong } as never
    expect(await errorOf(logins.beginLogin(begin))).toMatchObject({ code: 'configuration', option })
  })
})

it('a login of an account within a tenant is found by both', async () => {
  const { logins, world, store } = await application()
  const both = { ...alice, tenant: 'acme' }
  const { url, state } = await logins.beginLogin({ resource: world.url, ...both })
  await logins.finishLogin(await visit(url), state, of(both))
  const tenants = perTenant(
    () => 'acme',
    () => savedLogin(),
  )
  const send = authorizedFetch(tenants, { resource: world.url, store, account: 'alice' })
  expect((await send(world.url, { method: 'POST', body: '{}' })).status).toBe(200)
})

it('a missing store is named with those that there are', () => {
  const options = { key: 'a'.repeat(64), redirectUri: 'https://app.example.com/callback' }
  expect(() => webLogins(options as never)).toThrow(/redisStore\(\), postgresStore\(\) or/)
})
