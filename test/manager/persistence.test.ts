import { describe, expect, test } from 'vitest'
import {
  all,
  authorizedFetch,
  bearer,
  CredentialError,
  type CredentialEvent,
  type CredentialProvider,
  type CredentialRecord,
  type CredentialStore,
  env,
  firstAvailable,
  headers,
  type OutgoingRequest,
  TokenManager,
} from '../../src/index.ts'
import { transportPortOf } from '../../src/manager/token-manager.ts'
import { authorizationCode, refreshToken, savedLogin } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { deferred, testClock } from '../support/clock.ts'
import { oauthWorld, type Script, tokenAnswer, type World } from '../support/oauth-world.ts'

const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }

/** Single-use refresh tokens; a second use revokes all of them. */
function rotation(grace = 0) {
  const state = { current: 0, revoked: false, uses: [] as string[], cutNext: false }
  const token: NonNullable<Script['token']> = (params, _count, request) => {
    const given = params.get('refresh_token')
    if (given !== null) {
      state.uses.push(given)
      const age = state.current - Number(given.slice('refresh-'.length))
      if (age > grace) state.revoked = true
      if (state.revoked) return { status: 400, body: { error: 'invalid_grant' } }
    }
    state.current += 1
    if (state.cutNext) {
      state.cutNext = false
      request.cut()
      return { status: 500 }
    }
    return {
      body: tokenAnswer(state.current, { refresh_token: `refresh-${state.current}` }),
    }
  }
  return { state, token }
}

interface Process {
  readonly events: CredentialEvent[]
  readonly manager: TokenManager
  call(): Promise<Response>
}

/** Managers with one store and one clock, like the same number of processes. */
async function fleet(script: Script = {}, store: CredentialStore = memoryStore()) {
  const world = await oauthWorld(script)
  const clock = testClock()
  const process = (providerOf = (_world: World) => authorizationCode(browser)): Process => {
    const events: CredentialEvent[] = []
    const send = authorizedFetch(providerOf(world), {
      resource: world.url,
      store,
      now: clock.now,
      random: () => 0,
      onEvent: (event) => events.push(event),
    })
    const call = () => send(world.url, { method: 'POST', body: '{}' })
    return { events, manager: send.manager, call }
  }
  const key = `${world.url} | default`
  return { world, clock, store, process, key }
}

const sources = ({ events }: Process) =>
  events.flatMap((event) => (event.type === 'acquire_success' ? [event.source] : []))

describe('processes that share a store', () => {
  test('share one login, and the second start asks no user', async () => {
    const { world, process } = await fleet({ token: rotation().token })
    const [one, two] = [process(), process()]
    await one.call()
    expect((await two.call()).status).toBe(200)
    expect(world.logins()).toHaveLength(1)
    expect(sources(two)).toEqual(['store'])
    expect(world.mcpServer.requests.filter(({ url }) => url === '/mcp')).toHaveLength(3)
  })

  test('make one renewal; the others adopt it, and no refresh token is used twice', async () => {
    const { state, token } = rotation()
    const { world, clock, process } = await fleet({ token })
    const all = Array.from({ length: 8 }, () => process())
    for (const each of all) await each.call()
    for (let round = 0; round < 5; round += 1) {
      clock.advance(3_700_000)
      const statuses = await Promise.all(all.map(async (each) => (await each.call()).status))
      expect(new Set(statuses)).toEqual(new Set([200]))
    }
    expect(state).toMatchObject({
      revoked: false,
      uses: [1, 2, 3, 4, 5].map((n) => `refresh-${n}`),
    })
    expect(world.logins()).toHaveLength(1)
  })

  test('adopt a newer record after a 401 without a network request', async () => {
    const { state, token } = rotation()
    const { process } = await fleet({
      token,
      mcp: (access) => (access === 'access-1' && state.current > 1 ? { status: 401 } : undefined),
    })
    const [one, two] = [process(), process()]
    await one.call()
    await two.call()
    // The first renews on request; the second learns of it from a 401.
    transportPortOf(one.manager).rejected(await one.manager.credential(), {})
    await one.call()
    expect((await two.call()).status).toBe(200)
    expect(state.uses).toEqual(['refresh-1'])
    expect(sources(two)).toEqual(['store', 'store'])
  })

  test('find a login of another process within a second', async () => {
    const { clock, process } = await fleet({ token: rotation().token })
    const waiting = process(() => savedLogin())
    await expect(waiting.call()).rejects.toMatchObject({
      code: 'login_required',
      reason: 'no_credential',
    })
    await expect(waiting.call()).rejects.toMatchObject({ code: 'login_required' })
    await process().call()
    clock.advance(1001)
    expect((await waiting.call()).status).toBe(200)
  })

  test("can renew another provider's login with savedLogin", async () => {
    const { state, token } = rotation()
    const { clock, process, world } = await fleet({ token })
    await process().call()
    clock.advance(3_700_000)
    expect((await process(() => savedLogin()).call()).status).toBe(200)
    expect(state.uses).toEqual(['refresh-1'])
    expect(world.logins()).toHaveLength(1)
  })

  test('delete the record at a logout, and log in again at the next start', async () => {
    const { store, process, key, world } = await fleet({ token: rotation().token })
    const one = process()
    await one.call()
    await one.manager.logout()
    expect(await store.get(key)).toBeUndefined()
    await process().call()
    expect(world.logins()).toHaveLength(2)
  })
})

test('a store restored to an older state does not bring back a used refresh token', async () => {
  const { state, token } = rotation()
  const { clock, store, process, key } = await fleet({ token })
  const one = process()
  await one.call()
  const old = await store.get(key)
  clock.advance(3_700_000)
  await one.call()
  if (old !== undefined) await store.set(key, old)
  clock.advance(3_700_000)
  expect((await one.call()).status).toBe(200)
  expect(state.uses).toEqual(['refresh-1', 'refresh-2'])
  expect((await store.get(key))?.generation).toBe(3)
})

describe('a logout', () => {
  const revocable = () => {
    const { token } = rotation()
    return {
      metadata: ({ issuer }) => ({ revocation_endpoint: `${issuer}/revoke/token` }),
      token: (params, count, request) =>
        params.has('token') ? { body: '' } : token(params, count, request),
    } satisfies Script
  }
  const revoked = (world: World) =>
    world.tokenRequests().flatMap(({ token }) => (token === undefined ? [] : [token]))

  test('row 82: in a new process revokes the stored tokens', async () => {
    const { store, process, key, world } = await fleet(revocable())
    await process().call()
    expect(await process().manager.logout()).toEqual({ revoked: true })
    expect(revoked(world)).toEqual(['refresh-1', 'access-1'])
    expect(await store.get(key)).toBeUndefined()
  })

  test('row 82: revokes tokens that another process has renewed meanwhile', async () => {
    const { clock, process, world } = await fleet(revocable())
    const [one, two] = [process(), process()]
    await one.call()
    await two.call()
    clock.advance(3_700_000)
    await two.call()
    expect(await one.manager.logout()).toEqual({ revoked: true })
    expect(revoked(world)).toEqual(['refresh-2', 'access-2'])
  })

  test('row 82: revokes at the issuer of the tokens if the server is gone', async () => {
    const { process, world } = await fleet(revocable())
    await process().call()
    await world.mcpServer.close()
    expect(await process().manager.logout()).toEqual({ revoked: true })
    expect(revoked(world)).toEqual(['refresh-1', 'access-1'])
  })

  test('discards nothing if the store cannot be used', async () => {
    const { store, process, world, key } = await fleet(revocable())
    const one = process()
    await one.call()
    const { lock } = store
    store.lock = () => Promise.reject(new Error('no disk'))
    await expect(one.manager.logout()).rejects.toMatchObject({ code: 'lock_timeout' })
    store.lock = lock
    expect(revoked(world)).toEqual([])
    expect(await store.get(key)).toBeDefined()
    expect((await one.call()).status).toBe(200)
  })
})

describe('a record', () => {
  test('contains what a renewal requires, and counts renewals', async () => {
    const { clock, store, process, key, world } = await fleet({
      token: rotation().token,
      resource: () => ({ scopes_supported: ['a'] }),
    })
    await process().call()
    const first = await store.get(key)
    expect(first).toMatchObject({
      version: 1,
      provider: 'authorizationCode',
      generation: 1,
      issuer: world.issuer,
      obtainedAt: clock.now(),
      expiresAt: clock.now() + 3_600_000,
      data: {
        accessToken: 'access-1',
        refreshToken: 'refresh-1',
        clientId: 'registered-1',
        scope: 'a',
        tokenType: 'bearer',
      },
    })
    clock.advance(3_700_000)
    await process().call()
    expect(await store.get(key)).toMatchObject({
      generation: 2,
      data: { refreshToken: 'refresh-2', scope: 'a' },
    })
  })

  test('of another provider is not used, and the event names that provider', async () => {
    const { store, process, key } = await fleet()
    const record: CredentialRecord = { version: 1, provider: 'clientCredentials', data: { a: 1 } }
    await store.set(key, record)
    await expect(process().call()).rejects.toMatchObject({
      name: 'StoreError',
      message: expect.stringMatching(/belongs to clientCredentials.*`account`/),
    })
    expect(await store.get(key)).toEqual(record)
  })

  test('is never written for a key or a signature', async () => {
    const store = memoryStore()
    const resource = 'https://mcp.example.com/mcp'
    await new TokenManager(bearer('secret'), { resource, store }).credential()
    expect(await store.list()).toEqual([])
  })
})

describe('a process that crashes between the grant and its response', () => {
  const dead = (record: CredentialRecord | undefined): CredentialRecord => {
    if (record === undefined) throw new Error('nothing was stored')
    return { ...record, pending: { at: 0, by: '4711' } }
  }

  test('leaves a mark; if the server grants a grace period, the next process continues', async () => {
    const { token } = rotation(1)
    const { clock, store, process, key } = await fleet({ token })
    await process().call()
    await store.set(key, dead(await store.get(key)))
    clock.advance(3_700_000)
    expect((await process().call()).status).toBe(200)
    expect(await store.get(key)).not.toHaveProperty('pending')
  })

  test('without a grace period causes an error that says the response was lost, not that the login was refused', async () => {
    const { token, state } = rotation()
    const { clock, store, process, key } = await fleet({ token })
    await process().call()
    const before = dead(await store.get(key))
    // The server rotated, and the process crashed before it could write.
    state.current += 1
    await store.set(key, before)
    clock.advance(3_700_000)
    await expect(process(() => savedLogin()).call()).rejects.toMatchObject({
      code: 'login_required',
      reason: 'rotation_lost',
    })
  })

  test('has marked the record before the grant was sent; the response removes the mark', async () => {
    const seen: (CredentialRecord | undefined)[] = []
    const store = memoryStore()
    const { clock, process, key } = await fleet(
      {
        token: (params, count) => {
          if (params.has('refresh_token')) void store.get(key).then((record) => seen.push(record))
          return { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) }
        },
      },
      store,
    )
    await process().call()
    clock.advance(3_700_000)
    await process().call()
    expect(seen[0]).toMatchObject({ generation: 1, pending: { at: clock.now() } })
    expect(await store.get(key)).not.toHaveProperty('pending')
  })
})

describe('a refused refresh token', () => {
  const refusing: Script = {
    token: (params, count) =>
      params.has('refresh_token')
        ? { status: 400, body: { error: 'invalid_grant' } }
        : { body: tokenAnswer(count, { refresh_token: 'refresh-1' }) },
  }

  test('is not tried by the next process while its access token is valid', async () => {
    const { clock, store, process, key, world } = await fleet(refusing)
    await process().call()
    clock.advance(3_400_000)
    const one = process(() => savedLogin())
    await one.call()
    // The first call uses the stored token; the second detects that it is about to expire.
    expect((await one.call()).status).toBe(200)
    await expect.poll(async () => (await store.get(key))?.refused).toBe(true)
    const two = process(() => savedLogin())
    await two.call()
    expect((await two.call()).status).toBe(200)
    await expect.poll(() => two.events.some(({ type }) => type === 'login_required')).toBe(true)
    expect(world.tokenRequests().filter((request) => 'refresh_token' in request)).toHaveLength(1)
  })

  test('deletes its record if nothing in it is usable, but not the registration', async () => {
    const { clock, store, process, key } = await fleet(refusing)
    await process().call()
    clock.advance(3_700_000)
    await expect(process(() => savedLogin()).call()).rejects.toMatchObject({
      code: 'login_required',
    })
    expect(await store.get(key)).toBeUndefined()
    expect(await store.list()).toEqual([expect.stringMatching(/^registration /)])
  })
})

describe('a store that fails', () => {
  /** A store whose next writes fail. */
  function failing() {
    const store = memoryStore()
    const state = { failures: 0, reading: true }
    const broken = new Error('disk full')
    return {
      state,
      store: {
        ...store,
        get: async (key: string) => {
          if (!state.reading) throw broken
          return store.get(key)
        },
        set: async (key: string, record: CredentialRecord) => {
          if (state.failures > 0) {
            state.failures -= 1
            throw broken
          }
          await store.set(key, record)
        },
      } satisfies CredentialStore,
    }
  }

  test('before the grant is sent: the refresh token is not used', async () => {
    const { token, state } = rotation()
    const { store, state: disk } = failing()
    const { clock, process } = await fleet({ token }, store)
    const one = process()
    await one.call()
    clock.advance(3_700_000)
    disk.failures = 1
    await expect(one.call()).rejects.toThrow()
    expect(state.uses).toEqual([])
    clock.advance(120_000)
    expect((await one.call()).status).toBe(200)
  })

  test('after the response: the write is repeated until it succeeds', async () => {
    const { token } = rotation()
    const { store, state: disk } = failing()
    const { process, key } = await fleet({ token }, store)
    const one = process((world) =>
      refreshToken({ clientId: 'a', issuer: world.issuer, refreshToken: 'refresh-0' }),
    )
    const { set } = store
    store.set = async (name, record) => {
      await set(name, record)
      // The next writes, which contain the response, fail.
      if (record.pending !== undefined) disk.failures = 2
    }
    expect((await one.call()).status).toBe(200)
    expect(disk.failures).toBe(0)
    expect(await store.get(key)).toMatchObject({ generation: 1, data: { accessToken: 'access-1' } })
  })

  test('permanently: the credential is used from memory, an event reports it, and close() writes it', async () => {
    const { token } = rotation()
    const { store, state: disk } = failing()
    const { process, key } = await fleet({ token }, store)
    const one = process()
    // The registration is counted and written first.
    const write = store.set
    let writes = 0
    store.set = async (name, record) => {
      writes += 1
      if (name === key && record.pending === undefined && writes < 8) throw new Error('disk full')
      await write(name, record)
    }
    expect((await one.call()).status).toBe(200)
    expect(disk.failures).toBe(0)
    expect(one.events.map(({ type }) => type)).toContain('store_failed')
    expect((await store.get(key))?.data['accessToken']).toBeUndefined()
    await one.manager.close()
    expect((await store.get(key))?.data['accessToken']).toBe('access-1')
  })

  test('temporarily: a late write replaces nothing that another process wrote meanwhile', async () => {
    const { token } = rotation()
    const { store } = failing()
    const { process, key } = await fleet({ token }, store)
    const one = process()
    await one.call()
    const { set, get } = store
    store.set = async (name, record) => {
      if (name === key && record.pending === undefined) throw new Error('disk full')
      await set(name, record)
    }
    transportPortOf(one.manager).rejected(await one.manager.credential(), {})
    await one.manager.credential()
    store.set = set
    const stored = await get(key)
    const newest = { version: 1, provider: 'authorizationCode', generation: 99, data: {} } as const
    let peer: Promise<void> | undefined
    store.get = async (name) => {
      const found = await get(name)
      // Another process acquires the lock immediately if it is free.
      peer ??= store.lock(key, () => set(key, { ...stored, ...newest }))
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      return found
    }
    await one.manager.close()
    await peer
    expect((await get(key))?.generation).toBe(99)
  })

  test('while a token is valid: no request fails', async () => {
    const { store, state: disk } = failing()
    const { clock, process } = await fleet({ token: rotation().token }, store)
    const one = process()
    await one.call()
    disk.reading = false
    clock.advance(3_400_000)
    expect((await one.call()).status).toBe(200)
    disk.reading = true
  })
})

describe('a login inside other providers', () => {
  const withTenant = () => all(authorizationCode(browser), headers({ 'X-Tenant-ID': 'acme' }))

  test('is stored within all(), and used at the next start without a user', async () => {
    const { state, token } = rotation()
    const { clock, store, process, key, world } = await fleet({ token })
    await process(withTenant).call()
    expect(await store.get(key)).toMatchObject({
      provider: 'authorizationCode',
      data: { refreshToken: 'refresh-1' },
    })
    const next = process(withTenant)
    expect((await next.call()).status).toBe(200)
    expect(sources(next)).toEqual(['store'])
    const { headers: sent } = world.mcpServer.requests.at(-1) ?? { headers: {} }
    expect(sent).toMatchObject({ authorization: 'Bearer access-1', 'x-tenant-id': 'acme' })
    clock.advance(3_700_000)
    expect((await process(withTenant).call()).status).toBe(200)
    expect(state.uses).toEqual(['refresh-1'])
    expect(world.logins()).toHaveLength(1)
  })

  test('is renewed once by processes whose tokens are refused at the same time', async () => {
    const { state, token } = rotation()
    let refused = ''
    const { process } = await fleet({
      token,
      mcp: (given) => (given === refused ? { status: 401 } : undefined),
    })
    const processes = Array.from({ length: 8 }, () => process(withTenant))
    for (const each of processes) await each.call()
    refused = 'access-1'
    const answers = await Promise.all(processes.map((each) => each.call()))
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200))
    expect(state.uses).toEqual(['refresh-1'])
  })

  test('is renewed once beside a part with a single-use credential', async () => {
    const { state, token } = rotation()
    let refused = ''
    const { process } = await fleet({
      token,
      mcp: (given) => (given === refused ? { status: 401 } : undefined),
    })
    const committing: CredentialProvider = {
      name: 'committing',
      async acquire(context) {
        await context.commit()
        return { apply: ({ headers: own }) => own.set('X-Code', 'granted') }
      },
    }
    const processes = Array.from({ length: 4 }, () =>
      process(() => all(authorizationCode(browser), committing)),
    )
    for (const each of processes) await each.call()
    refused = 'access-1'
    const answers = await Promise.all(processes.map((each) => each.call()))
    expect(answers.map(({ status }) => status)).toEqual(Array(4).fill(200))
    expect(state.uses).toEqual(['refresh-1'])
  })

  test('is the same record as outside of it', async () => {
    const { process, world } = await fleet({ token: rotation().token })
    await process().call()
    expect((await process(withTenant).call()).status).toBe(200)
    expect((await process(() => all(savedLogin(), headers({ 'X-A': '1' }))).call()).status).toBe(
      200,
    )
    expect(world.logins()).toHaveLength(1)
  })

  test('is stored within firstAvailable(), even if other providers precede it', async () => {
    const { process, world } = await fleet({ token: rotation().token })
    let token = ''
    const own = () =>
      firstAvailable(
        bearer(() => token),
        authorizationCode(browser),
      )
    await process(own).call()
    await process(own).call()
    expect(world.logins()).toHaveLength(1)
    token = 'explicit'
    await process(own).call()
    expect(world.mcpServer.requests.at(-1)?.headers.authorization).toBe('Bearer explicit')
  })
})

describe('beside a stored login', () => {
  /** Redeems a single-use code. */
  const oneCode = () => {
    const redeemed: string[] = []
    const answered = deferred<void>()
    const provider: CredentialProvider = {
      name: 'code',
      async acquire(context) {
        await context.commit()
        redeemed.push('code')
        await answered.promise
        if (redeemed.length > 1) throw new Error('The code was used twice.')
        return { apply: ({ headers: own }) => own.set('X-Code', 'granted') }
      },
    }
    return { redeemed, provider, answer: () => answered.resolve() }
  }

  test('a part of all() redeems its code once, although the first caller aborts', async () => {
    const { process, world } = await fleet({ token: rotation().token })
    await process().call()
    const { redeemed, provider, answer } = oneCode()
    const { manager, call } = process(() => all(authorizationCode(browser), provider))
    const controller = new AbortController()
    const leaving = manager.credential({ signal: controller.signal })
    await expect.poll(() => redeemed.length).toBe(1)
    controller.abort()
    await expect(leaving).rejects.toThrow()
    answer()
    expect((await call()).status).toBe(200)
    expect(redeemed).toEqual(['code'])
    expect(world.mcpServer.requests.at(-1)?.headers['x-code']).toBe('granted')
    expect(world.logins()).toHaveLength(1)
  })

  test.each([0, 3_700_000])(
    'a part of all() is acquired once, %i ms after the login',
    async (ms) => {
      const { process, clock, world } = await fleet({ token: rotation().token })
      await process().call()
      clock.advance(ms)
      let count = 0
      const tenant: CredentialProvider = {
        name: 'tenant',
        async acquire() {
          count += 1
          return { apply: ({ headers: own }) => own.set('X-Tenant-ID', 'acme') }
        },
      }
      expect((await process(() => all(tenant, authorizationCode(browser))).call()).status).toBe(200)
      expect(count).toBe(1)
      expect(world.logins()).toHaveLength(1)
      const before = process(() => firstAvailable(tenant, authorizationCode(browser)))
      count = 0
      clock.advance(ms)
      await before.manager.credential()
      expect(count).toBe(1)
    },
  )

  test('a part of all() whose code is refused keeps the login in the store', async () => {
    const { store, process, key, world } = await fleet({ token: rotation().token })
    await process().call()
    const refusing: CredentialProvider = {
      name: 'refusing',
      async acquire(context) {
        await context.commit()
        throw new CredentialError('invalid_grant', 'The code was refused.')
      },
    }
    await expect(process(() => all(authorizationCode(browser), refusing)).call()).rejects.toThrow()
    const record = await store.get(key)
    expect(record).toMatchObject({ data: { refreshToken: 'refresh-1' } })
    expect(record?.pending).toBeUndefined()
    expect(record?.refused).toBeUndefined()
    expect((await process().call()).status).toBe(200)
    expect(world.logins()).toHaveLength(1)
  })

  test('a part of all() without a credential does not prevent a logout', async () => {
    const { store, process, key } = await fleet({ token: rotation().token })
    await process().call()
    const unset = () => all(bearer(env('MCP_CREDENTIALS_UNSET')), authorizationCode(browser))
    await process(unset).manager.logout()
    expect(await store.get(key)).toBeUndefined()
  })

  test('all() adopts the login for which it was waiting', async () => {
    const { clock, process } = await fleet({ token: rotation().token })
    const waiting = process(() => all(savedLogin(), headers({ 'X-A': '1' })))
    await expect(waiting.call()).rejects.toMatchObject({ code: 'login_required' })
    await process().call()
    clock.advance(1001)
    expect((await waiting.call()).status).toBe(200)
  })

  test.each<[string, () => unknown]>([
    [
      'throws synchronously',
      () => {
        throw new Error('none')
      },
    ],
    [
      'returns a thenable',
      // biome-ignore lint/suspicious/noThenProperty: it is what foreign code returns.
      () => ({ then: (_: unknown, no: (error: Error) => void) => no(new Error('none')) }),
    ],
  ])(
    'firstAvailable() finds the login although a provider before it %s',
    async (_name, acquire) => {
      const { process, world } = await fleet({ token: rotation().token })
      await process().call()
      const foreign = { name: 'foreign', acquire } as unknown as CredentialProvider
      expect(
        (await process(() => firstAvailable(foreign, authorizationCode(browser))).call()).status,
      ).toBe(200)
      expect(world.logins()).toHaveLength(1)
    },
  )

  test('firstAvailable() redeems no code of an earlier provider while it reads the store', async () => {
    const { process, store, key } = await fleet({ token: rotation().token })
    await process().call()
    const { redeemed, provider } = oneCode()
    const { call, manager } = process(() => firstAvailable(provider, authorizationCode(browser)))
    expect((await call()).status).toBe(200)
    await manager.logout()
    expect(redeemed).toEqual([])
    expect(await store.get(key)).toBeUndefined()
  })
})

test('tenants share a store, but no record', async () => {
  const { perTenant } = await import('../../src/index.ts')
  const store = memoryStore()
  const world = await oauthWorld()
  let tenant = 'acme | x'
  const send = authorizedFetch(
    perTenant(
      () => tenant,
      () => authorizationCode(browser),
    ),
    { store, resource: world.url },
  )
  await send(world.url, { method: 'POST', body: '{}' })
  tenant = 'globex'
  await send(world.url, { method: 'POST', body: '{}' })
  const keys = (await store.list()).filter((key) => !key.startsWith('registration '))
  expect(keys.sort()).toEqual([
    `${world.url} | default | acme%20%7C%20x`,
    `${world.url} | default | globex`,
  ])
})

test('a renewal response with an impossible expiry time does not lose the new refresh token', async () => {
  const { process, clock, store } = await fleet()
  const redeemed: unknown[] = []
  const credential = (refreshToken: string, expiresAt: number) => ({
    expiresAt,
    record: { version: 1, provider: 'own', data: { token: refreshToken } } as const,
    apply: ({ headers: own }: OutgoingRequest) =>
      own.set('Authorization', `Bearer ${refreshToken}`),
  })
  const provider = (): CredentialProvider => ({
    name: 'own',
    async acquire({ previous, commit, now }) {
      await commit()
      const refreshToken = previous?.record?.data['token']
      redeemed.push(refreshToken)
      // The second response has its time in seconds.
      const unit = redeemed.length === 2 ? 1 / 1000 : 1
      return credential(`refresh-${redeemed.length}`, (now() + 3_600_000) * unit)
    },
    restore: ({ data }) => credential(String(data['token']), 0),
  })
  const { call } = process(provider)
  await call()
  clock.advance(3_700_000)
  await expect(call()).rejects.toMatchObject({ code: 'invalid_response' })
  clock.advance(61_000)
  expect((await call()).status).toBe(200)
  expect((await process(provider).call()).status).toBe(200)
  expect(redeemed).toEqual([undefined, 'refresh-1', 'refresh-2', 'refresh-3'])
  expect(await store.list()).toHaveLength(1)
})
