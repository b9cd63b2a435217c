import { describe, expect, test } from 'vitest'
import {
  authorizedFetch,
  type CredentialProvider,
  type CredentialRecord,
  type CredentialStore,
} from '../../src/index.ts'
import { authorizationCode, savedLogin } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { testClock } from '../support/clock.ts'
import { oauthWorld, type Script, tokenAnswer } from '../support/oauth-world.ts'

const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }
const hour = 3_600_000

/** A server that accepts only the newest refresh token, until a logout. */
function rotating(revokes = true) {
  const state = { good: '', refused: [] as string[], revoked: [] as string[] }
  const token: NonNullable<Script['token']> = (params, count) => {
    const given = params.get('refresh_token')
    const revoked = params.get('token')
    if (revoked !== null) {
      state.revoked.push(revoked)
      if (revoked === state.good) state.good = ''
      return { body: '' }
    }
    if (given !== null && given !== state.good) {
      state.refused.push(given)
      return { status: 400, body: { error: 'invalid_grant' } }
    }
    state.good = `refresh-${count}`
    return { body: tokenAnswer(count, { refresh_token: state.good }) }
  }
  const metadata: Script['metadata'] = ({ issuer }) =>
    revokes ? { revocation_endpoint: `${issuer}/revoke/token` } : {}
  return { state, script: { token, metadata } satisfies Script }
}

/** Processes with one store, on machines with different clocks. */
async function machines(script: Script, store: CredentialStore = memoryStore()) {
  const world = await oauthWorld(script)
  const clock = testClock()
  const machine = (skew = 0, provider: CredentialProvider = authorizationCode(browser)) => {
    const send = authorizedFetch(provider, {
      resource: world.url,
      store,
      now: () => clock.now() + skew,
      random: () => 0,
    })
    const call = async () => (await send(world.url, { method: 'POST', body: '{}' })).status
    return { call, manager: send.manager, login: send.login, logout: send.logout }
  }
  const key = `${world.url} | default`
  return { world, clock, store, machine, key, record: () => store.get(key) }
}

describe('a login after a logout in another process', () => {
  test.each([-hour, -120_000, 120_000, hour])(
    'is renewed by a process that had renewed the previous one, with its clock %i ms off',
    async (skew) => {
      const { state, script } = rotating()
      const { machine, record } = await machines(script)
      const [one, two] = [machine(), machine(skew, savedLogin())]
      await one.call()
      await two.call()
      await two.manager.renew()
      await one.logout()
      await one.login()
      await two.manager.renew()
      expect(state.refused).toEqual([])
      expect((await record())?.data['refreshToken']).toBe(state.good)
      await one.manager.renew()
      expect([state.refused, await one.call(), await two.call()]).toEqual([[], 200, 200])
    },
  )

  test('is not replaced by the previous one, whose tokens the server still accepts', async () => {
    const { script } = rotating(false)
    const { machine, world } = await machines({
      ...script,
      token: (_params, count) => ({ body: tokenAnswer(count, { refresh_token: `r-${count}` }) }),
    })
    const [one, two] = [machine(), machine(120_000, savedLogin())]
    await one.call()
    await two.call()
    await two.manager.renew()
    await one.logout()
    await one.login()
    await two.manager.renew()
    expect(world.tokenRequests().at(-1)).toMatchObject({ refresh_token: 'r-3' })
  })

  test('is ended by a logout, even if the process had renewed the previous one', async () => {
    const { state, script } = rotating()
    const { machine, record } = await machines(script)
    const [one, two] = [machine(), machine(120_000, savedLogin())]
    await one.call()
    await two.call()
    await two.manager.renew()
    await one.logout()
    await one.login()
    const { good } = state
    await two.logout()
    expect(state.revoked).toContain(good)
    expect(await record()).toBeUndefined()
  })

  test('is used by a process whose token was rejected, at a server without refresh tokens', async () => {
    let refused = ''
    const { machine } = await machines({
      token: (_params, count) => ({ body: tokenAnswer(count) }),
      mcp: (access) => (access === refused ? { status: 401 } : undefined),
    })
    const [one, two] = [machine(), machine(0, savedLogin())]
    await one.call()
    await two.call()
    await one.logout()
    await one.login()
    refused = 'access-1'
    expect(await two.call()).toBe(200)
  })

  test('has its own identifier, which renewals keep', async () => {
    const { script } = rotating()
    const { machine, record } = await machines(script)
    const one = machine()
    await one.call()
    const first = await record()
    await one.manager.renew()
    const renewed = await record()
    await one.logout()
    await one.login()
    const second = await record()
    expect(first?.login).toMatch(/^[\w-]{22}$/)
    expect([renewed?.login, renewed?.generation]).toEqual([first?.login, 2])
    expect(second?.login).toMatch(/^[\w-]{22}$/)
    expect(second?.login).not.toBe(first?.login)
  })
})

test('a record without a login identifier is renewed like any other', async () => {
  const { state, script } = rotating()
  const { machine, store, key, record } = await machines(script)
  await machine().call()
  const { login: _login, ...unnamed } = (await record()) as CredentialRecord
  await store.set(key, unnamed)
  const [one, two] = [machine(0, savedLogin()), machine(0, savedLogin())]
  await one.call()
  await two.call()
  await one.manager.renew()
  await two.manager.renew()
  expect([state.refused, await one.call(), await two.call()]).toEqual([[], 200, 200])
  expect(await record()).toMatchObject({ generation: 3, login: expect.any(String) })
})

describe('a write that succeeded although it was reported as failed', () => {
  /** Writes logins completely, and then reports a failure. */
  function deceptive() {
    const inner = memoryStore()
    const state = { isDeceptive: false, turnsDeaf: false, isDeaf: false }
    const lost = () => Promise.reject(new Error('the answer was lost'))
    const store: CredentialStore = {
      ...inner,
      get: (key) => (state.isDeaf ? lost() : inner.get(key)),
      async set(key, record) {
        await inner.set(key, record)
        if (!state.isDeceptive || record.provider === 'registration') return
        if (record.pending !== undefined) return
        state.isDeaf = state.turnsDeaf
        await lost()
      },
    }
    return { inner, state, store }
  }

  test.each([
    ['close()', false],
    ['close(), where reading failed too,', true],
  ])('%s does not undo the logout of another process', async (_name, turnsDeaf) => {
    const { inner, state, store } = deceptive()
    const { machine, key } = await machines(rotating().script, store)
    const one = machine()
    Object.assign(state, { isDeceptive: true, turnsDeaf })
    await one.login()
    Object.assign(state, { isDeceptive: false, isDeaf: false })
    await inner.delete(key)
    await one.manager.close()
    expect(await inner.get(key)).toBeUndefined()
  })

  test('a login without a single-use grant is not written again after a logout in another process', async () => {
    const { inner, state, store } = deceptive()
    const provider: CredentialProvider = {
      name: 'plain',
      acquire: async () => ({
        record: { version: 1, provider: 'plain', data: { token: 'a' } },
        apply: ({ headers }) => headers.set('Authorization', 'a'),
      }),
      restore: () => undefined,
    }
    const { machine, key } = await machines({}, store)
    const one = machine(0, provider)
    state.isDeceptive = true
    await one.manager.credential()
    state.isDeceptive = false
    await inner.delete(key)
    await one.manager.close()
    expect(await inner.get(key)).toBeUndefined()
  })

  test('the process then requires a login, instead of renewing the tokens in memory', async () => {
    const { inner, state, store } = deceptive()
    const { state: server, script } = rotating()
    const { machine, key, clock } = await machines(script, store)
    const one = machine()
    state.isDeceptive = true
    await one.login()
    state.isDeceptive = false
    await inner.delete(key)
    clock.advance(hour + 100_000)
    await expect(one.call()).rejects.toMatchObject({ code: 'login_required' })
    expect([server.refused, await inner.get(key)]).toEqual([[], undefined])
  })
})
