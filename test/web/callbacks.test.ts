import { describe, expect, it } from 'vitest'
import { authorizedFetch } from '../../src/index.ts'
import { authorizationCode } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/testing/index.ts'
import { oauthWorld } from '../support/oauth-world.ts'
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
