import { describe, expect, test } from 'vitest'
import {
  all,
  authorizedFetch,
  bearer,
  type CredentialError,
  type CredentialProvider,
  firstAvailable,
  headers,
  TokenManager,
  withCredentials,
} from '../../src/index.ts'
import { authorizationCode, savedLogin } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { oauthWorld, type Script, tokenAnswer } from '../support/oauth-world.ts'

/** A server that numbers its registrations, and deletes those before `state.oldest`. */
async function setUp(script: Script = {}) {
  const state = { oldest: 1, registered: 0, code: 'unauthorized_client', gone: [] as string[] }
  const world = await oauthWorld({
    token: (_params, count) => ({
      body: tokenAnswer(count, { refresh_token: `refresh-${count}` }),
    }),
    register: (body) => {
      state.registered += 1
      return { status: 201, body: { ...body, client_id: `r-${state.registered}` } }
    },
    redirect: (target) => {
      const id = Number(world.logins().at(-1)?.['client_id']?.slice(2))
      if (id >= state.oldest) return
      target.searchParams.delete('code')
      target.searchParams.set('error', state.code)
    },
    ...script,
  })
  const store = memoryStore()
  const options = { resource: world.url, store }
  const login = (provider: CredentialProvider) => authorizedFetch(provider, options).login()
  const visit = { onAuthorizationUrl: (url: URL) => fetch(url) }
  const clients = () => world.logins().map((request) => request['client_id'])
  const logout = async () => {
    const client = authorizedFetch(authorizationCode(visit), options)
    await client.logout()
  }
  return { world, state, store, options, login, visit, clients, logout }
}

async function failure(promise: Promise<unknown>): Promise<CredentialError> {
  return promise.then(
    () => expect.fail('did not fail'),
    (error: CredentialError) => error,
  )
}

/** Responds to a registration with its management URL and token, at a server that is known by then. */
const manageable =
  (issuer: () => string): NonNullable<Script['register']> =>
  (body) => ({
    status: 201,
    body: {
      ...body,
      client_id: 'r-1',
      registration_access_token: 'canary-registration-token',
      registration_client_uri: `${issuer()}/clients/r-1`,
    },
  })

describe('a registration that the authorization endpoint no longer accepts', () => {
  test.each(['unauthorized_client', 'invalid_client'])(
    'is replaced by the login after a redirect with %s, which says so',
    async (code) => {
      const { state, login, visit, clients, logout } = await setUp()
      await login(authorizationCode(visit))
      await logout()
      Object.assign(state, { oldest: 2, code })

      const error = await failure(login(authorizationCode(visit)))
      expect(error).toMatchObject({ code: 'login_required', reason: 'grant_rejected' })
      expect(error.message).toContain(code)
      expect(error.remedy).toContain('registered again')
      await login(authorizationCode(visit))

      expect(clients()).toEqual(['r-1', 'r-1', 'r-2'])
    },
  )

  test('is replaced once after a login that the user did not complete', async () => {
    const { login, visit, clients, logout, state } = await setUp()
    // Like an error page `unknown client`, which does not redirect the browser.
    const stuck = { onAuthorizationUrl: () => new Promise(() => {}), loginTimeout: 0.02 }
    await login(authorizationCode(visit))
    await logout()

    const first = await failure(login(authorizationCode(stuck)))
    expect(first).toMatchObject({ code: 'login_required', reason: 'login_failed' })
    expect(first.remedy).toContain('registered again')
    const second = await failure(login(authorizationCode(stuck)))
    expect(second.remedy).not.toContain('registered again')
    const third = await failure(login(authorizationCode(stuck)))
    expect(third.remedy).not.toContain('registered again')
    expect(state.registered).toBe(2)

    await login(authorizationCode(visit))
    expect(clients()).toEqual(['r-1', 'r-2'])
    await logout()
    expect((await failure(login(authorizationCode(stuck)))).remedy).toContain('registered again')
  })

  test('is kept if the user declines, and if the application configured the client', async () => {
    const { state, login, visit, clients, logout, world } = await setUp()
    await login(authorizationCode(visit))
    await logout()
    Object.assign(state, { oldest: 9, code: 'access_denied' })
    const refused = await failure(login(authorizationCode(visit)))
    expect(refused.remedy).not.toContain('registered again')
    Object.assign(state, { code: 'unauthorized_client' })
    const own = authorizationCode({ ...visit, clientId: 'r-0', issuer: world.issuer })
    expect((await failure(login(own))).remedy).not.toContain('registered again')
    state.oldest = 1
    await login(authorizationCode(visit))
    expect(clients()).toEqual(['r-1', 'r-1', 'r-0', 'r-1'])
  })

  test('is not replaced endlessly at a server that accepts none of its clients', async () => {
    const { state, login, visit } = await setUp()
    state.oldest = 99
    for (let count = 0; count < 5; count += 1) await failure(login(authorizationCode(visit)))
    expect(state.registered).toBeLessThanOrEqual(2)
  })
})

describe('logout({ registration: true })', () => {
  const forms: readonly (readonly [
    string,
    (provider: CredentialProvider) => CredentialProvider,
  ])[] = [
    ['a provider', (provider) => provider],
    ['all()', (provider) => all(provider, headers({ 'X-Tenant': 'a' }))],
    ['firstAvailable()', (provider) => firstAvailable(provider, bearer('x'))],
  ]
  test.each(forms)('drops the registration of %s, which registers again', async (_name, wrap) => {
    const { options, visit, clients, world } = await setUp()
    const client = authorizedFetch(wrap(authorizationCode(visit)), options)
    await client.login()
    const result = await client.logout({ registration: true })
    expect(result).toEqual({
      revoked: false,
      reason: expect.stringContaining('does not support revocation'),
      registrationDropped: true,
    })
    await client.login()
    expect(clients()).toEqual(['r-1', 'r-2'])
    expect(world.paths()).not.toContain('/revoke')
  })

  test('works in a new process without a login, and through every interface', async () => {
    const { options, visit, state, login, logout } = await setUp()
    const provider = () => authorizationCode(visit)
    for (const owner of [
      () => authorizedFetch(provider(), options),
      () => withCredentials(provider(), options),
      () => new TokenManager(provider(), options),
      () => authorizedFetch(savedLogin(), options),
    ]) {
      await login(provider())
      await logout()
      const { registered } = state
      expect(await owner().logout({ registration: true })).toMatchObject({
        registrationDropped: true,
      })
      await login(provider())
      expect(state.registered).toBe(registered + 1)
      await logout()
    }
  })

  test('keeps the registration by default, and says if there was none', async () => {
    const { options, visit, state } = await setUp()
    const client = authorizedFetch(authorizationCode(visit), options)
    await client.login()
    const reason = expect.any(String)
    expect(await client.logout()).toEqual({ revoked: false, reason })
    expect(await client.logout({ registration: false })).toEqual({ revoked: false, reason })
    await client.login()
    expect(state.registered).toBe(1)
    const plain = authorizedFetch(bearer('x'), options)
    expect(await plain.logout({ registration: true })).toMatchObject({ registrationDropped: false })
  })

  test('is not lost if another logout is already running', async () => {
    const { options, visit, state } = await setUp()
    const client = authorizedFetch(authorizationCode(visit), options)
    await client.login()
    const results = await Promise.all([client.logout(), client.logout({ registration: true })])
    expect(results[1]).toMatchObject({ registrationDropped: true })
    await client.login()
    expect(state.registered).toBe(2)
  })

  test('rejects an unknown option', async () => {
    const { options } = await setUp()
    const logout = authorizedFetch(bearer('x'), options).logout
    await expect(logout({ registrations: true } as never)).rejects.toMatchObject({
      option: 'logout.registrations',
    })
  })

  test('deletes nothing at the server if the policy refuses it', async () => {
    const { options, visit, world } = await setUp({
      register: manageable(() => world.issuer),
    })
    let isAllowed = true
    const client = authorizedFetch(authorizationCode({ ...visit, allow: () => isAllowed }), options)
    await client.login()
    isAllowed = false
    await client.logout({ registration: true })
    expect(world.authorizationServer.requests.filter((r) => r.method === 'DELETE')).toEqual([])
  })

  test('deletes the registration only at the server that issued the management token', async () => {
    for (const isForeign of [false, true]) {
      const other = await oauthWorld()
      const { options, visit, world } = await setUp({
        register: manageable(() => (isForeign ? other.issuer : world.issuer)),
      })
      const client = authorizedFetch(authorizationCode(visit), options)
      await client.login()
      await client.logout({ registration: true })
      const deletions = world.authorizationServer.requests.filter((r) => r.method === 'DELETE')
      expect(deletions.map(({ url }) => url)).toEqual(isForeign ? [] : ['/clients/r-1'])
      expect(deletions.map((r) => r.headers.authorization)).toEqual(
        isForeign ? [] : ['Bearer canary-registration-token'],
      )
      expect(other.authorizationServer.requests).toEqual([])
    }
  })
})
