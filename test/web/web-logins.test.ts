import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { authorizedFetch, type CredentialStore, type LoginRequiredError } from '../../src/index.ts'
import { savedLogin } from '../../src/oauth/index.ts'
import { perTenant } from '../../src/providers/per-tenant.ts'
import { memoryStore } from '../../src/testing/index.ts'
import { webLogins } from '../../src/web/index.ts'
import { testClock } from '../support/clock.ts'
import { oauthWorld, type Script, tokenAnswer } from '../support/oauth-world.ts'
import {
  alice,
  application,
  bob,
  errorOf,
  of,
  redirectUri,
  visit,
} from '../support/web-application.ts'

describe('webLogins', () => {
  it('begins a login in one process and finishes it in another, for savedLogin() to use', async () => {
    const { world, store, logins, restarted } = await application()

    const begun = await logins.beginLogin({ resource: world.url, ...alice })
    const callback = await visit(begun.url)
    const finished = await restarted().finishLogin(callback, begun.state, of(alice))

    expect(callback.searchParams.get('state')).toBe(begun.id)
    expect(finished).toMatchObject({ account: 'alice', issuer: world.issuer })
    const send = authorizedFetch(savedLogin(), { resource: world.url, store, account: 'alice' })
    expect((await send(world.url, { method: 'POST', body: '{}' })).status).toBe(200)
    expect(world.mcpServer.requests.at(-1)?.headers.authorization).toBe('Bearer access-1')
    expect(world.tokenRequests()).toMatchObject([
      {
        grant_type: 'authorization_code',
        code: 'code-1',
        redirect_uri: redirectUri,
        resource: world.url,
      },
    ])
  })

  it('sends PKCE, a state, the resource and the redirect URI', async () => {
    const { world, logins } = await application()

    const { url, id } = await logins.beginLogin({ resource: world.url, ...alice })

    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      redirect_uri: redirectUri,
      resource: world.url,
      state: id,
    })
  })

  it('takes the path of the callback alone, and heeds neither host nor scheme of a proxy', async () => {
    const { world, logins } = await application()
    const first = await logins.beginLogin({ resource: world.url, ...alice })
    const second = await logins.beginLogin({ resource: world.url, ...alice })

    const { pathname, search } = await visit(first.url)
    await logins.finishLogin(`${pathname}${search}`, first.state, of(alice))
    const proxied = new URL((await visit(second.url)).search, 'http://10.0.0.7:8080/callback')
    await logins.finishLogin(proxied, second.state, of(alice))

    const sent = world.tokenRequests().map((request) => request['redirect_uri'])
    expect(sent).toEqual([redirectUri, redirectUri])
  })

  it('keeps the logins of users and tenants apart', async () => {
    const { world, store, logins } = await application()
    for (const owner of [alice, bob, { tenant: 'acme', session: 's' }]) {
      const { url, state } = await logins.beginLogin({ resource: world.url, ...owner })
      await logins.finishLogin(await visit(url), state, of(owner))
    }

    const tokenOf = async (account: string) => {
      const send = authorizedFetch(savedLogin(), { resource: world.url, store, account })
      await send(world.url, { method: 'POST', body: '{}' })
      return world.mcpServer.requests.at(-1)?.headers.authorization
    }
    expect(await tokenOf('alice')).toBe('Bearer access-1')
    expect(await tokenOf('bob')).toBe('Bearer access-2')
    const tenants = perTenant(
      () => 'acme',
      () => savedLogin(),
    )
    const send = authorizedFetch(tenants, { resource: world.url, store })
    await send(world.url, { method: 'POST', body: '{}' })
    expect(world.mcpServer.requests.at(-1)?.headers.authorization).toBe('Bearer access-3')
  })

  it('ends the failure of a fetch that has been waiting for a login', async () => {
    const { world, store, logins } = await application()
    const send = authorizedFetch(savedLogin(), { resource: world.url, store, account: 'alice' })
    const call = () => send(world.url, { method: 'POST', body: '{}' })
    expect((await errorOf(call())).code).toBe('login_required')

    const { url, state } = await logins.beginLogin({ resource: world.url, ...alice })
    await logins.finishLogin(await visit(url), state, of(alice))

    expect((await call()).status).toBe(200)
  })

  it('replaces a login that is stored already, also while that one is valid', async () => {
    const { world, store, logins } = await application()
    for (let round = 0; round < 2; round += 1) {
      const { url, state } = await logins.beginLogin({ resource: world.url, ...alice })
      await logins.finishLogin(await visit(url), state, of(alice))
    }

    const send = authorizedFetch(savedLogin(), { resource: world.url, store, account: 'alice' })
    await send(world.url, { method: 'POST', body: '{}' })
    expect(world.mcpServer.requests.at(-1)?.headers.authorization).toBe('Bearer access-2')
    expect(world.tokenRequests().map((request) => request['grant_type'])).toEqual([
      'authorization_code',
      'authorization_code',
    ])
  })

  it('asks for the scopes that the error after a 403 names, and the next call has them', async () => {
    const { world, store, logins } = await application({
      challenge: () => 'scope="notes:read"',
      mcp: (token) =>
        token === 'access-1'
          ? {
              status: 403,
              headers: {
                'www-authenticate': 'Bearer error="insufficient_scope", scope="notes:write"',
              },
            }
          : undefined,
    })
    const connect = async (scope?: string) => {
      const further = scope === undefined ? {} : { scope }
      const { url, state } = await logins.beginLogin({ resource: world.url, ...alice, ...further })
      const { scope: granted } = await logins.finishLogin(await visit(url), state, of(alice))
      return [url.searchParams.get('scope'), granted]
    }
    const send = authorizedFetch(savedLogin(), { resource: world.url, store, account: 'alice' })
    const call = () => send(world.url, { method: 'POST', body: '{}' })

    expect(await connect()).toEqual(['notes:read', 'notes:read'])
    const error = (await errorOf(call())) as LoginRequiredError
    expect(error).toMatchObject({ reason: 'step_up', scope: 'notes:read notes:write' })

    const both = 'notes:read notes:write'
    expect(await connect(error.scope)).toEqual([both, both])
    expect((await call()).status).toBe(200)
  })

  it('adds the scopes of one login to those of every login', async () => {
    const { world, logins } = await application({}, { scope: 'notes:read' })

    const { url } = await logins.beginLogin({
      resource: world.url,
      scope: 'notes:write',
      ...alice,
    })

    expect(url.searchParams.get('scope')).toBe('notes:read notes:write')
  })

  it('registers the client once, and finishes with the secret of the registration', async () => {
    const { world, logins, restarted } = await application({
      metadata: () => ({ token_endpoint_auth_methods_supported: ['client_secret_post'] }),
      register: (body) => ({
        status: 201,
        body: { ...body, client_id: 'registered-1', client_secret: 'registered-secret' },
      }),
    })
    const first = await logins.beginLogin({ resource: world.url, ...alice })
    await restarted().beginLogin({ resource: world.url, ...bob })

    await restarted().finishLogin(await visit(first.url), first.state, of(alice))

    expect(world.paths().filter((path) => path === '/register')).toHaveLength(1)
    const registration = world.authorizationServer.requests.find(({ url }) => url === '/register')
    expect(JSON.parse(registration?.body ?? '')).toMatchObject({
      application_type: 'web',
      redirect_uris: [redirectUri],
    })
    expect(world.tokenRequests()[0]).toMatchObject({ client_secret: 'registered-secret' })
  })

  it('carries the key that a pushed request is bound to, a different one for each login', async () => {
    const keys: string[] = []
    const { world, logins, restarted } = await application(
      {
        metadata: ({ issuer }) => ({
          require_pushed_authorization_requests: true,
          pushed_authorization_request_endpoint: `${issuer}/par/token`,
        }),
        token: (params, count, { headers }) => {
          const [head = ''] = String(headers['dpop']).split('.')
          keys.push(JSON.parse(Buffer.from(head, 'base64url').toString()).jwk.x)
          if (!params.has('code_challenge')) {
            return { body: tokenAnswer(count, { token_type: 'DPoP' }) }
          }
          return { status: 201, body: { request_uri: 'urn:example:1', expires_in: 60 } }
        },
      },
      { dpop: true },
    )
    for (const user of [alice, bob]) {
      const { id, state } = await logins.beginLogin({ resource: world.url, ...user })
      const callback = `/callback?code=code-1&state=${id}`
      await restarted({ dpop: false }).finishLogin(callback, state, of(user))
    }

    const [pushed, redeemed, other] = keys
    expect(redeemed).toBe(pushed)
    expect(other).not.toBe(pushed)
  })
})

describe('a login that must not be finished', () => {
  it('is refused in the session of another user, and nothing is sent', async () => {
    const { world, store, logins } = await application()
    const { url, state } = await logins.beginLogin({ resource: world.url, ...alice })
    const callback = await visit(url)

    const error = await errorOf(logins.finishLogin(callback, state, of(bob)))

    expect(error).toMatchObject({ code: 'login_mismatch' })
    expect(error.message).toContain('another session')
    expect(world.tokenRequests()).toEqual([])
    expect((await store.list()).filter((key) => !key.startsWith('registration'))).toEqual([])
    // The user whose login it is can still finish it.
    await logins.finishLogin(callback, state, of(alice))
  })

  it('is refused when the callback is that of another login, or no callback', async () => {
    const { world, logins } = await application()
    const own = await logins.beginLogin({ resource: world.url, ...alice })
    const other = await logins.beginLogin({ resource: world.url, ...bob })
    const stolen = await visit(other.url)
    const elsewhere = new URL((await visit(own.url)).search, 'https://app.example.com/other')

    for (const url of [
      stolen,
      elsewhere,
      '/callback',
      'https://app.example.com:x/',
      '/callback?code=1',
    ]) {
      const error = await errorOf(logins.finishLogin(url, own.state, of(alice)))
      expect(error).toMatchObject({ code: 'login_mismatch' })
      expect(error.message).not.toMatch(/code-1/)
    }
    expect(world.tokenRequests()).toEqual([])
  })

  it('is refused the second time, also by two processes at once', async () => {
    const { world, logins, restarted } = await application()
    const { url, state } = await logins.beginLogin({ resource: world.url, ...alice })
    const callback = await visit(url)

    const ends = await Promise.allSettled(
      [logins, restarted(), restarted()].map((each) =>
        each.finishLogin(callback, state, of(alice)),
      ),
    )
    const later = await errorOf(restarted().finishLogin(callback, state, of(alice)))

    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const refused = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason.code] : []))
    expect([...refused, later.code]).toEqual(['login_used', 'login_used', 'login_used'])
    expect(world.tokenRequests()).toHaveLength(1)
  })

  it('is refused when its time is over', async () => {
    const clock = testClock()
    const { world, logins } = await application({}, { now: clock.now, lifetime: 60 })
    const { url, state, expiresAt } = await logins.beginLogin({ resource: world.url, ...alice })
    const callback = await visit(url)
    expect(expiresAt).toBe(clock.now() + 60_000)

    clock.advance(60_000)

    const error = await errorOf(logins.finishLogin(callback, state, of(alice)))
    expect(error).toMatchObject({ code: 'login_expired' })
    expect(error.message).toContain('beginLogin()')
    expect(world.tokenRequests()).toEqual([])
  })

  it('is refused when another server answers than the one where it began', async () => {
    const { world, logins } = await application({
      redirect: (target) => target.searchParams.set('iss', 'https://evil.example.com'),
    })
    const { url, state } = await logins.beginLogin({ resource: world.url, ...alice })

    const error = await errorOf(logins.finishLogin(await visit(url), state, of(alice)))

    expect(error).toMatchObject({ code: 'invalid_response' })
    expect(error.message).toMatch(/does not come from 127.0.0.1/)
    expect(error.message).not.toContain('evil')
    expect(world.tokenRequests()).toEqual([])
  })

  it('is refused without the name of the server that promised it, although the promise was taken back', async () => {
    let promised = true
    const { world, logins } = await application({
      metadata: () => ({ authorization_response_iss_parameter_supported: promised }),
    })
    const { url, state } = await logins.beginLogin({ resource: world.url, ...alice })
    const callback = await visit(url)

    promised = false
    const error = await errorOf(logins.finishLogin(callback, state, of(alice)))

    expect(error).toMatchObject({ code: 'invalid_response' })
    expect(error.message).toMatch(/does not say that it comes/)
    expect(world.tokenRequests()).toEqual([])
  })

  it('never begins where the authorization endpoint belongs to somebody else', async () => {
    const honest = await oauthWorld()
    const { world, logins } = await application({
      metadata: () => ({ authorization_endpoint: `${honest.issuer}/authorize` }),
    })

    const error = await errorOf(logins.beginLogin({ resource: world.url, ...alice }))

    expect(error).toMatchObject({ code: 'discovery' })
    expect(error.message).toContain('authorization_endpoint')
  })

  it('never begins where the token endpoint belongs to somebody else', async () => {
    const honest = await oauthWorld()
    const { world, logins } = await application({
      metadata: () => ({ token_endpoint: `${honest.issuer}/token` }),
    })

    const error = await errorOf(logins.beginLogin({ resource: world.url, ...alice }))

    expect(error).toMatchObject({ code: 'discovery' })
    expect(error.message).toContain('token_endpoint')
  })

  it('is refused when the token endpoint belongs to somebody else by the time of its end', async () => {
    const other = await oauthWorld()
    let stolen = false
    const { world, logins } = await application({
      metadata: ({ issuer }) => ({ token_endpoint: `${stolen ? other.issuer : issuer}/token` }),
    })
    const { url, state } = await logins.beginLogin({ resource: world.url, ...alice })
    const callback = await visit(url)

    stolen = true
    const error = await errorOf(logins.finishLogin(callback, state, of(alice)))

    expect(error).toMatchObject({ code: 'discovery' })
    expect([...world.tokenRequests(), ...other.tokenRequests()]).toEqual([])
  })

  it('is refused when the MCP server has moved to another authorization server meanwhile', async () => {
    const other = await oauthWorld()
    let moved = false
    const { world, logins } = await application({
      resource: ({ issuer }) => ({ authorization_servers: [moved ? other.issuer : issuer] }),
    })
    const { url, state } = await logins.beginLogin({ resource: world.url, ...alice })
    const callback = await visit(url)

    moved = true
    const error = await errorOf(logins.finishLogin(callback, state, of(alice)))

    expect(error).toMatchObject({ code: 'discovery' })
    expect([...world.tokenRequests(), ...other.tokenRequests()]).toEqual([])
  })

  it('is refused with a state that was changed, or sealed with another key', async () => {
    const { world, logins, restarted } = await application()
    const { url, state } = await logins.beginLogin({ resource: world.url, ...alice })
    const callback = await visit(url)
    const otherKey = restarted({ key: randomBytes(32).toString('hex') })

    const errors = [
      await errorOf(logins.finishLogin(callback, `${state}a`, of(alice))),
      await errorOf(otherKey.finishLogin(callback, state, of(alice))),
      await errorOf(logins.finishLogin(callback, undefined as never, of(alice))),
    ]

    const codes = errors.map(({ code }) => code)
    expect(codes).toEqual(Array.from({ length: 3 }, () => 'login_state_invalid'))
  })

  it('is finished after the key was replaced', async () => {
    const [old, next] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')]
    const { world, restarted } = await application({}, { key: undefined, keys: [old] })
    const { url, state } = await restarted().beginLogin({ resource: world.url, ...alice })

    const after = restarted({ keys: [next, old] })

    expect(await after.finishLogin(await visit(url), state, of(alice))).toMatchObject({
      account: 'alice',
    })
  })
})

describe('the marks of finished logins', () => {
  const marksIn = async (store: CredentialStore) =>
    (await store.list()).filter((key) => key.startsWith('finished logins'))

  it('are removed by the next login of anybody, once they no longer matter', async () => {
    const clock = testClock()
    const { world, store, logins, restarted } = await application({}, { now: clock.now })
    const logIn = async (who: typeof alice, by = logins) => {
      const { url, state } = await by.beginLogin({ resource: world.url, ...who })
      await by.finishLogin(await visit(url), state, of(who))
    }
    await logIn(alice)
    clock.advance(450_000)
    await logIn(bob)
    expect(await marksIn(store)).toHaveLength(2)

    clock.advance(450_000)
    await logins.beginLogin({ resource: world.url, account: 'carol', session: 'of carol' })
    expect(await marksIn(store)).toEqual([expect.stringContaining('bob')])

    clock.advance(450_000)
    await restarted().beginLogin({ resource: world.url, account: 'carol', session: 'of carol' })
    expect(await marksIn(store)).toEqual([])
    expect((await store.list()).filter((key) => /alice|bob/.test(key))).toHaveLength(2)
  })

  it('that cannot be listed do not keep anybody from logging in', async () => {
    const inner = memoryStore()
    const list = () => Promise.reject(new Error('not now'))
    const { world, logins } = await application({}, { store: { ...inner, list } })
    const { url, state } = await logins.beginLogin({ resource: world.url, ...alice })
    expect(await logins.finishLogin(await visit(url), state, of(alice))).toBeDefined()
  })
})

describe('a login that fails', () => {
  const declined: Script = {
    redirect(target) {
      target.searchParams.delete('code')
      target.searchParams.set('error', 'access_denied')
    },
  }

  it('says that the user declined, and leaves the login that is stored', async () => {
    const { world, store, logins } = await application()
    const first = await logins.beginLogin({ resource: world.url, ...alice })
    await logins.finishLogin(await visit(first.url), first.state, of(alice))
    const second = await logins.beginLogin({ resource: world.url, ...alice })
    const callback = await visit(second.url)
    declined.redirect?.(callback, world)

    const error = await errorOf(logins.finishLogin(callback, second.state, of(alice)))

    expect(error).toMatchObject({ code: 'login_required', reason: 'grant_rejected' })
    const send = authorizedFetch(savedLogin(), { resource: world.url, store, account: 'alice' })
    expect((await send(world.url, { method: 'POST', body: '{}' })).status).toBe(200)
  })

  it.each(['unauthorized_client', 'invalid_client'])(
    'keeps the registration that all users share when a callback says %s',
    async (code) => {
      const { world, logins } = await application()
      await logins.beginLogin({ resource: world.url, ...alice })
      for (let count = 0; count < 3; count += 1) {
        const { url, state } = await logins.beginLogin({ resource: world.url, ...bob })
        const forged = await visit(url)
        forged.searchParams.delete('code')
        forged.searchParams.set('error', code)
        const error = await errorOf(logins.finishLogin(forged, state, of(bob)))
        expect(error).toMatchObject({ code: 'login_required', reason: 'grant_rejected' })
        expect(error.remedy).toContain('logout({ registration: true })')
      }
      expect(world.paths().filter((path) => path === '/register')).toHaveLength(1)
    },
  )

  it('leaves the login that is stored when the code is refused', async () => {
    const { world, store, logins } = await application({
      token: (_params, count) =>
        count === 1
          ? { body: tokenAnswer(count, { refresh_token: 'refresh-1' }) }
          : { status: 400, body: { error: 'invalid_grant' } },
    })
    const first = await logins.beginLogin({ resource: world.url, ...alice })
    await logins.finishLogin(await visit(first.url), first.state, of(alice))
    const before = await store.get(`${world.url} | alice`)
    const second = await logins.beginLogin({ resource: world.url, ...alice })

    const error = await errorOf(
      logins.finishLogin(await visit(second.url), second.state, of(alice)),
    )

    expect(error).toMatchObject({ code: 'login_required', reason: 'grant_rejected' })
    expect(await store.get(`${world.url} | alice`)).toEqual(before)
  })

  it('can be repeated when the token endpoint cannot be reached', async () => {
    let isUp = false
    const { world, logins } = await application(
      {},
      {
        fetch: (input: URL | string, init?: RequestInit) => {
          if (isUp || !String(input).endsWith('/token')) return fetch(input, init)
          const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
          return Promise.reject(new TypeError('fetch failed', { cause }))
        },
      },
    )
    const { url, state } = await logins.beginLogin({ resource: world.url, ...alice })
    const callback = await visit(url)
    const error = await errorOf(logins.finishLogin(callback, state, of(alice)))
    expect(error).toMatchObject({ code: 'network', retryable: true })

    isUp = true

    expect(await logins.finishLogin(callback, state, of(alice))).toMatchObject({ account: 'alice' })
  })

  it('says that its outcome is unknown when the response is lost, and is not repeated', async () => {
    const { world, logins } = await application(
      {},
      {
        async fetch(input: URL | string, init?: RequestInit) {
          const response = await fetch(input, init)
          if (!String(input).endsWith('/token')) return response
          const cause = Object.assign(new Error('reset'), { code: 'ECONNRESET' })
          throw new TypeError('fetch failed', { cause })
        },
      },
    )
    const { url, state } = await logins.beginLogin({ resource: world.url, ...alice })
    const callback = await visit(url)

    const lost = await errorOf(logins.finishLogin(callback, state, of(alice)))
    const again = await errorOf(logins.finishLogin(callback, state, of(alice)))

    expect(lost).toMatchObject({ code: 'outcome_unknown', retryable: false })
    expect(again.code).toBe('login_used')
    expect(world.tokenRequests()).toHaveLength(1)
  })

  it('sends no code when the store cannot be written', async () => {
    const { world, store, restarted } = await application()
    const { url, state } = await restarted().beginLogin({ resource: world.url, ...alice })
    const callback = await visit(url)
    const broken = { ...store, set: () => Promise.reject(new Error('disk full, canary')) }

    const error = await errorOf(
      restarted({ store: broken }).finishLogin(callback, state, of(alice)),
    )

    expect(error).toMatchObject({ code: 'store' })
    expect(inspect(error)).not.toContain('canary')
    expect(world.tokenRequests()).toEqual([])
    expect(await restarted().finishLogin(callback, state, of(alice))).toMatchObject(
      alice.account ? {} : {},
    )
  })

  it('says so when the tokens could not be stored', async () => {
    const { world, store, restarted } = await application()
    const { url, state } = await restarted().beginLogin({ resource: world.url, ...alice })
    const callback = await visit(url)
    const set: CredentialStore['set'] = (key, record) =>
      'accessToken' in record.data ? Promise.reject(new Error('disk full')) : store.set(key, record)

    const error = await errorOf(
      restarted({ store: { ...store, set } }).finishLogin(callback, state, of(alice)),
    )

    expect(error).toMatchObject({ code: 'store' })
    expect(error.message).toContain('beginLogin()')
  })

  it('rejects with the reason of the signal, and stores what was sent by then', async () => {
    const controller = new AbortController()
    const { world, store, logins } = await application({
      token: (_params, count) => {
        controller.abort(new Error('the user has left'))
        return { body: tokenAnswer(count, { refresh_token: 'refresh-1' }) }
      },
    })
    const { signal } = controller
    const { url, state } = await logins.beginLogin({ resource: world.url, ...alice })
    const callback = await visit(url)

    const finishing = logins.finishLogin(callback, state, { ...of(alice), signal })

    await expect(finishing).rejects.toThrow('the user has left')
    await expect(logins.beginLogin({ resource: world.url, ...alice, signal })).rejects.toThrow(
      'the user has left',
    )
    const send = authorizedFetch(savedLogin(), { resource: world.url, store, account: 'alice' })
    expect((await send(world.url, { method: 'POST', body: '{}' })).status).toBe(200)
  })

  it.each([
    ['unsupported_server', { metadata: () => ({ registration_endpoint: undefined }) }],
    ['unsupported_server', { metadata: () => ({ code_challenge_methods_supported: [] }) }],
    [
      'invalid_redirect_uri',
      { register: () => ({ status: 400, body: { error: 'invalid_redirect_uri' } }) },
    ],
  ])('never begins where the server cannot do it: %s', async (code, script) => {
    const { world, store, logins } = await application(script)

    const error = await errorOf(logins.beginLogin({ resource: world.url, ...alice }))

    expect(error).toMatchObject({ code, provider: 'webLogins' })
    expect(await store.list()).toEqual([])
  })

  it('shows no secret in an error', async () => {
    const { world, logins } = await application({
      token: () => ({ status: 400, body: { error: 'invalid_grant', error_description: 'code-1' } }),
    })
    const { url, state } = await logins.beginLogin({ resource: world.url, ...alice })

    const error = await errorOf(logins.finishLogin(await visit(url), state, of(alice)))

    expect(inspect(error)).not.toMatch(/code-1|session of alice/)
    expect(inspect(error)).not.toContain(state.slice(0, 40))
  })
})

describe('the options of webLogins', () => {
  const key = randomBytes(32).toString('base64')
  const good = { key, redirectUri, store: memoryStore() }

  it.each([
    ['webLogins.key', { key: undefined }],
    ['webLogins.key', { key: 'short' }],
    ['webLogins.key', { keys: [key] }],
    ['webLogins.keys', { key: undefined, keys: [] }],
    ['webLogins.store', { store: undefined }],
    ['webLogins.redirectUri', { redirectUri: 'http://app.example.com/callback' }],
    ['webLogins.redirectUri', { redirectUri: `${redirectUri}?a=b` }],
    ['webLogins.lifetime', { lifetime: 5 }],
    ['webLogins.clientMetadataUrl', { clientMetadataUrl: 'http://app.example.com/client' }],
    ['webLogins.clientIdd', { clientIdd: 'typing error' }],
  ])('names %s when that is wrong', (option, wrong) => {
    expect(() => webLogins({ ...good, ...wrong } as never)).toThrow(
      expect.objectContaining({ code: 'configuration', option }),
    )
  })

  it.each([
    ['beginLogin.session', { session: '' }],
    ['beginLogin.account', { account: undefined }],
    ['beginLogin.tenant', { tenant: '' }],
    ['account', { account: 'a | b' }],
    ['resource', { resource: 'mcp.example.com' }],
    ['beginLogin.user', { user: 'alice' }],
  ])('names %s when that is wrong', async (option, wrong) => {
    const begin = { resource: 'https://mcp.example.com/mcp', ...alice, ...wrong }
    const error = await errorOf(webLogins(good).beginLogin(begin as never))
    expect(error).toMatchObject({ code: 'configuration', option })
  })
})
