import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  authorizedFetch,
  type CredentialEvent,
  type CredentialProvider,
  type CredentialStore,
} from '../../src/index.ts'
import { authorizationCode, deviceCode } from '../../src/oauth/index.ts'
import { makeEnvelope } from '../../src/stores/envelope.ts'
import { encryptedFileStore } from '../../src/stores/file.ts'
import { localLock } from '../../src/stores/local-lock.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { recordFiles } from '../../src/stores/record-files.ts'
import { type Answer, oauthWorld, tokenAnswer } from '../support/oauth-world.ts'

const newKey = () => randomBytes(32).toString('base64url')
const login = (options = {}) =>
  authorizationCode({ onAuthorizationUrl: (url: URL) => fetch(url), ...options })

/** A server that issues refresh tokens, and its clients with one store. */
async function scene(store: CredentialStore) {
  const state = { refusing: false }
  const world = await oauthWorld({
    metadata: ({ issuer }) => ({ revocation_endpoint: `${issuer}/revoke/token` }),
    token: (params, count): Answer => {
      if (params.has('token')) return { body: '' }
      if (state.refusing) return { status: 400, body: { error: 'invalid_grant' } }
      return { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) }
    },
  })
  const events: CredentialEvent[] = []
  const client = (provider: CredentialProvider = login(), own = store) => {
    const onEvent = (event: CredentialEvent) => events.push(event)
    const send = authorizedFetch(provider, { resource: world.url, store: own, onEvent })
    return { send: () => send(world.url, { method: 'POST', body: '{}' }), manager: send.manager }
  }
  return { world, state, client, events, key: `${world.url} | default` }
}

/** A login in a folder, which is then made unreadable. */
async function spoiled(how: 'damaged' | 'newer' | 'other key' | 'unencrypted') {
  const directory = await mkdtemp(join(tmpdir(), 'unreadable-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const key = newKey()
  const store = encryptedFileStore({ key, directory })
  const { client, ...rest } = await scene(store)
  await client().send()
  /** The file of the login; the other one is that of the client's registration. */
  const file = async () => {
    const names = (await readdir(directory)).filter((name) => name.endsWith('.json'))
    const own = names.filter((name) => !name.startsWith('registration'))
    expect(own).toHaveLength(1)
    return readFile(join(directory, own[0] ?? ''), 'utf8')
  }
  if (how === 'newer') {
    // A record that only a later version of this package could write.
    const envelope = makeEnvelope('test', 'file', { key })
    const texts = recordFiles(directory, localLock({ directory }))
    await texts.set(rest.key, () => envelope.seal(rest.key, '{"version":2,"credentials":[]}'))
  } else if (how !== 'other key') {
    for (const name of await readdir(directory)) {
      if (!name.endsWith('.json')) continue
      const text = how === 'damaged' ? '{"key":' : '{"version":1,"data":{}}'
      await writeFile(join(directory, name), text)
    }
  }
  const own = how === 'other key' ? encryptedFileStore({ key: newKey(), directory }) : store
  return { ...rest, file, store: own, client: (provider = login()) => client(provider, own) }
}

describe.each(['damaged', 'newer', 'other key', 'unencrypted'] as const)(
  'a record that cannot be read (%s)',
  (how) => {
    test('makes a request fail with an error that says so, and is not changed', async () => {
      const { client, file, store, key, world } = await spoiled(how)
      const before = await file()

      const error = await client()
        .send()
        .catch((thrown: unknown) => thrown)

      expect(error).toMatchObject({ name: 'StoreError', reason: 'unusable_record' })
      await expect(store.get(key)).rejects.toMatchObject({ reason: 'unusable_record' })
      expect(await file()).toEqual(before)
      expect(world.logins()).toHaveLength(1)
    })

    test('is replaced by login()', async () => {
      const { client, store, key, world } = await spoiled(how)

      await client().manager.login()

      expect(world.logins()).toHaveLength(2)
      expect((await store.get(key))?.data['accessToken']).toBe('access-2')
      expect((await client().send()).status).toBe(200)
      expect(world.logins()).toHaveLength(2)
    })

    test('is replaced by login() after a request has failed', async () => {
      const { client, world } = await spoiled(how)
      const { send, manager } = client()
      await expect(send()).rejects.toMatchObject({ name: 'StoreError' })

      await manager.login()

      expect((await send()).status).toBe(200)
      expect(world.logins()).toHaveLength(2)
    })

    test('is not changed by a login() that fails', async () => {
      const { client, file, state } = await spoiled(how)
      const before = await file()
      state.refusing = true

      await expect(client().manager.login()).rejects.toMatchObject({ name: expect.any(String) })

      expect(await file()).toEqual(before)
    })

    test('is deleted by logout()', async () => {
      const { client, store, key, world, events } = await spoiled(how)

      const reason =
        'authorizationCode: the stored login could not be read, so nothing was revoked; its tokens work until they expire.'
      expect(await client().manager.logout()).toEqual({ revoked: false, reason })
      const audited = { type: 'revocation', revoked: false, code: 'store', reason }
      expect(events).toContainEqual(expect.objectContaining(audited))

      expect(await store.get(key)).toBeUndefined()
      expect(world.tokenRequests().filter((request) => 'token' in request)).toEqual([])
    })
  },
)

test('a logout without a login says so, and reports no revocation', async () => {
  const { client, events } = await scene(memoryStore())
  const reason = 'authorizationCode: there was no login to revoke.'
  expect(await client().manager.logout()).toEqual({ revoked: false, reason })
  expect(events.map(({ type }) => type)).not.toContain('revocation')
})

describe('a record of an older client identifier', () => {
  const older = async () => {
    const store = memoryStore()
    const { client, ...rest } = await scene(store)
    await client(login({ clientId: 'old' })).send()
    return { ...rest, store, client }
  }

  test('makes a request fail with an error that names it, and is not changed', async () => {
    const { client, store, key } = await older()
    const before = await store.get(key)
    await expect(client(login({ clientId: 'new' })).send()).rejects.toMatchObject({
      name: 'StoreError',
      message: expect.stringContaining('another client'),
    })
    expect(await store.get(key)).toEqual(before)
  })

  test.each([
    ['the same provider', login({ clientId: 'new' })],
    ['another provider for users', deviceCode({ clientId: 'new', onUserCode: () => {} })],
  ])('is deleted by logout() of %s', async (_what, provider) => {
    const { client, store, key } = await older()
    await client(provider).manager.logout()
    expect(await store.get(key)).toBeUndefined()
  })

  test('is replaced by login() after the user has logged in', async () => {
    const { client, store, key, world, state } = await older()
    const before = await store.get(key)
    state.refusing = true
    await expect(client(login({ clientId: 'new' })).manager.login()).rejects.toThrow()
    expect(await store.get(key)).toEqual(before)
    state.refusing = false

    await client(login({ clientId: 'new' })).manager.login()

    expect(world.tokenRequests().some((request) => 'refresh_token' in request)).toBe(false)
    expect((await store.get(key))?.data).toMatchObject({
      clientId: 'new',
      refreshToken: expect.stringMatching(/^refresh-[2-9]$/),
    })
  })
})

test('a login whose expiry time JSON cannot represent is stored and read back', async () => {
  const store = memoryStore()
  const claims = Buffer.from('{"exp":1e999}').toString('base64url')
  const world = await oauthWorld({
    token: () => ({
      body: { access_token: `e30.${claims}.c2ln`, token_type: 'Bearer', refresh_token: 'r' },
    }),
  })
  const events: string[] = []
  const client = () =>
    authorizedFetch(login(), {
      resource: world.url,
      store,
      onEvent: ({ type }) => events.push(type),
    })

  await client()(world.url, { method: 'POST', body: '{}' })

  expect((await client()(world.url, { method: 'POST', body: '{}' })).status).toBe(200)
  expect(events).not.toContain('store_failed')
  expect(world.logins()).toHaveLength(1)
})

test("a damaged record of an application's own store is replaced by login()", async () => {
  const inner = memoryStore()
  let damaged = false
  const store: CredentialStore = {
    ...inner,
    get: async (key) => {
      const record = await inner.get(key)
      return damaged && record !== undefined ? ({ ...record, expiresAt: null } as never) : record
    },
    set: async (key, record) => {
      damaged = false
      await inner.set(key, record)
    },
  }
  const { client, world } = await scene(store)
  await client().send()
  damaged = true
  await expect(client().send()).rejects.toMatchObject({ reason: 'unusable_record' })
  await client().manager.login()
  expect((await client().send()).status).toBe(200)
  expect(world.logins()).toHaveLength(2)
})
