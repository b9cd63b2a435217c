import { describe, expect, test } from 'vitest'
import {
  authorizedFetch,
  type CredentialEvent,
  type CredentialProvider,
  type CredentialStore,
} from '../../src/index.ts'
import { authorizationCode, clientCredentials, savedLogin } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { testClock } from '../support/clock.ts'
import { oauthWorld, type Script, tokenAnswer } from '../support/oauth-world.ts'

const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }

/** Several processes over one store. The server accepts refresh tokens that were revoked, so only the client can refuse them. */
async function processes(script: Script = {}, store: CredentialStore = memoryStore()) {
  const world = await oauthWorld({
    token: (_params, count) => ({
      body: tokenAnswer(count, { refresh_token: `refresh-${count}` }),
    }),
    ...script,
  })
  const clock = testClock()
  const process = (provider: CredentialProvider = authorizationCode(browser)) => {
    const events: CredentialEvent[] = []
    const send = authorizedFetch(provider, {
      resource: world.url,
      store,
      now: clock.now,
      random: () => 0,
      onEvent: (event) => events.push(event),
    })
    const call = () => send(world.url, { method: 'POST', body: '{}' })
    return { send, call, events, manager: send.manager }
  }
  const redeemed = () => world.tokenRequests().flatMap((request) => request['refresh_token'] ?? [])
  return { world, clock, store, process, redeemed, key: `${world.url} | default` }
}

const loggedOut = { code: 'login_required', reason: 'no_credential' }

describe('when another process has logged out', () => {
  test.each([
    ['authorizationCode', () => authorizationCode(browser)],
    ['savedLogin', () => savedLogin()],
  ])('%s() requires a login instead of renewing the tokens in memory', async (_name, provider) => {
    const { world, clock, store, process, redeemed, key } = await processes()
    const [one, two] = [process(), process(provider())]
    await one.call()
    await two.call()
    await one.send.logout()
    clock.advance(3_700_000)
    await expect(two.call()).rejects.toMatchObject(loggedOut)
    await expect(two.call()).rejects.toMatchObject(loggedOut)
    expect(redeemed()).toEqual([])
    expect(world.logins()).toHaveLength(1)
    expect(await store.get(key)).toBeUndefined()
  })

  test('a valid token is discarded when a background renewal detects the logout', async () => {
    const { clock, process, redeemed, world } = await processes()
    const [one, two] = [process(), process()]
    await one.call()
    await two.call()
    await one.send.logout()
    clock.advance(3_400_000)
    // It is renewed in the background, and the current one is used.
    await two.call()
    await expect.poll(() => two.events.some(({ type }) => type === 'login_required')).toBe(true)
    expect(two.manager.current()).toBeUndefined()
    await expect(two.call()).rejects.toMatchObject(loggedOut)
    expect(redeemed()).toEqual([])
    expect(world.logins()).toHaveLength(1)
  })

  test.each([3_700_000, 3_595_000])('login() asks the user, %s ms later', async (later) => {
    const { clock, process, redeemed, world, store, key } = await processes()
    const [one, two] = [process(), process()]
    await one.call()
    await two.call()
    await one.send.logout()
    clock.advance(later)
    await two.send.login()
    expect(world.logins()).toHaveLength(2)
    expect(redeemed()).toEqual([])
    expect(await store.get(key)).toMatchObject({ generation: 1 })
    expect((await two.call()).status).toBe(200)
  })

  test('login() asks the user while a request is detecting the logout', async () => {
    const { clock, process, world } = await processes()
    const [one, two] = [process(), process()]
    await one.call()
    await two.call()
    await one.send.logout()
    clock.advance(3_700_000)
    const call = two.call().catch(() => {})
    await two.send.login()
    await call
    expect(world.logins()).toHaveLength(2)
  })

  test('a new login of the other process is adopted', async () => {
    const { clock, process, world } = await processes()
    const [one, two] = [process(), process()]
    await one.call()
    await two.call()
    await one.send.logout()
    clock.advance(3_700_000)
    await expect(two.call()).rejects.toMatchObject(loggedOut)
    await one.send.login()
    clock.advance(1001)
    expect((await two.call()).status).toBe(200)
    expect(world.logins()).toHaveLength(2)
  })

  test('a renewal whose write failed is not written after the logout', async () => {
    const inner = memoryStore()
    const disk = { isFull: false }
    const { clock, process, store, key, redeemed } = await processes(
      {
        token: (params, count) => {
          if (params.has('refresh_token')) disk.isFull = true
          return { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) }
        },
      },
      {
        ...inner,
        set: (name, record) =>
          disk.isFull ? Promise.reject(new Error('disk full')) : inner.set(name, record),
      },
    )
    const [one, two] = [process(), process()]
    await one.call()
    await two.call()
    clock.advance(3_700_000)
    await two.call()
    disk.isFull = false
    await one.send.logout()
    clock.advance(3_700_000)
    await expect(two.call()).rejects.toMatchObject(loggedOut)
    expect(redeemed()).toEqual(['refresh-1'])
    expect(await store.get(key)).toBeUndefined()
  })

  test('a client without a user obtains a new token without sending the old one', async () => {
    const { world, clock, process, key, store } = await processes()
    const machine = () =>
      clientCredentials({ clientId: 'a', clientSecret: 'secret', issuer: world.issuer })
    const [one, two] = [process(machine()), process(machine())]
    await one.call()
    await two.call()
    await one.send.logout()
    clock.advance(3_700_000)
    expect((await two.call()).status).toBe(200)
    expect(await store.get(key)).toMatchObject({ generation: 1 })
    expect(world.tokenRequests().map((request) => request['grant_type'])).toEqual([
      'client_credentials',
      'client_credentials',
    ])
  })
})

describe('a record that is absent for another reason', () => {
  test('was never written: the tokens in memory are renewed and then written', async () => {
    const inner = memoryStore()
    const disk = { isFull: true }
    const { clock, process, store, key, redeemed } = await processes(
      {},
      {
        ...inner,
        set: (name, record) =>
          disk.isFull && record.data['refreshToken'] !== undefined
            ? Promise.reject(new Error('disk full'))
            : inner.set(name, record),
      },
    )
    const one = process()
    await one.call()
    expect(await store.get(key).then((record) => record?.data)).toEqual({})
    disk.isFull = false
    clock.advance(3_700_000)
    expect((await one.call()).status).toBe(200)
    expect(redeemed()).toEqual(['refresh-1'])
    expect(await store.get(key)).toMatchObject({ data: { refreshToken: 'refresh-2' } })
  })

  test('was deleted after a refusal: the next request may open the browser', async () => {
    const { clock, process, world } = await processes({
      token: (params, count) =>
        params.has('refresh_token')
          ? { status: 400, body: { error: 'invalid_grant' } }
          : { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) },
    })
    const one = process()
    await one.call()
    clock.advance(3_700_000)
    expect((await one.call()).status).toBe(200)
    expect(world.logins()).toHaveLength(2)
  })
})
