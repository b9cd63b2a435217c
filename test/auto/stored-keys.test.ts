import { describe, expect, test } from 'vitest'
import { listSaved, type StoredKey, saveKey } from '../../src/auto/index.ts'
import { authorizedFetch, type CredentialError } from '../../src/index.ts'
import { authorizationCode, savedLogin } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { oauthWorld, tokenAnswer } from '../support/oauth-world.ts'
import {
  type RecordingOrigin,
  recordingOrigin,
  type SeenRequest,
} from '../support/recording-origin.ts'

const apiKey: StoredKey = { type: 'apiKey', header: 'X-Service-Key', value: 'canary-key' }

type Answer = (request: SeenRequest) => { status: number; headers?: Record<string, string> }

async function setUp(answer: Answer = () => ({ status: 200 })) {
  const origin = await recordingOrigin((request, response) => {
    const { status, headers } = answer(request)
    response.writeHead(status, headers).end('{}')
  })
  const store = memoryStore()
  const resource = `${origin.origin}/mcp`
  const client = () => authorizedFetch(savedLogin(), { resource, store })
  return { origin, store, resource, client }
}

/** The headers of the last request. */
function lastHeaders({ requests }: RecordingOrigin) {
  return requests.at(-1)?.headers ?? {}
}

describe('a stored key', () => {
  test.each<readonly [StoredKey, string, string | RegExp]>([
    [apiKey, 'x-service-key', 'canary-key'],
    [{ type: 'apiKey', value: 'canary-key' }, 'x-api-key', 'canary-key'],
    [{ type: 'bearer', token: 'canary-token' }, 'authorization', 'Bearer canary-token'],
    [{ type: 'basic', username: 'me', password: 'pw' }, 'authorization', `Basic ${btoa('me:pw')}`],
    [{ type: 'headers', headers: { 'X-One': '1', 'X-Two': '2' } }, 'x-two', '2'],
    [{ type: 'hmac', secret: 'canary-secret', keyId: 'key-1' }, 'x-signature', /^[0-9a-f]{64}$/],
    [
      { type: 'jwt', algorithm: 'HS256', secret: 's'.repeat(32), issuer: 'me' },
      'authorization',
      /^Bearer ey/,
    ],
  ])('of type %j is sent by savedLogin()', async (key, header, value) => {
    const { origin, store, resource, client } = await setUp()
    await saveKey(store, { resource, key })
    await client()(resource)
    expect(lastHeaders(origin)[header]).toMatch(value)
    expect(origin.requests).toHaveLength(1)
  })

  test('goes to no other path of the same origin', async () => {
    const { origin, store, resource } = await setUp()
    await saveKey(store, { resource, key: apiKey })
    const other = `${origin.origin}/other`
    const fetch = authorizedFetch(savedLogin(), { resource: other, store })
    await fetch(other).catch(() => {})
    expect(JSON.stringify(origin.requests)).not.toContain('canary-key')
  })

  test('goes to another account only where it is stored for it', async () => {
    const { store, resource } = await setUp()
    await saveKey(store, { resource, account: 'work', key: apiKey })
    const [saved] = await listSaved(store)
    expect(saved).toMatchObject({ account: 'work', key: `${resource} | work` })
    await expect(
      authorizedFetch(savedLogin(), { resource, store })(resource),
    ).rejects.toMatchObject({
      code: 'login_required',
    })
  })

  test('that the server refuses needs a person, and no authorization server is asked', async () => {
    const { origin, store, resource, client } = await setUp(() => ({ status: 401 }))
    await saveKey(store, { resource, key: apiKey })
    await expect(client()(resource)).rejects.toMatchObject({
      code: 'login_required',
      reason: 'key_rejected',
      remedy: `Store another one: \`npx mcp-credentials set ${resource} --header X-Service-Key\`.`,
    })
    expect(origin.requests.map(({ url }) => url)).toEqual(['/mcp'])
  })

  test('that was refused is replaced while the client runs', async () => {
    const { origin, store, resource, client } = await setUp(({ headers }) => ({
      status: headers['x-service-key'] === 'second' ? 200 : 401,
    }))
    await saveKey(store, { resource, key: apiKey })
    const fetch = client()
    await expect(fetch(resource)).rejects.toMatchObject({ reason: 'key_rejected' })
    await saveKey(store, { resource, key: { ...apiKey, value: 'second' } })
    await fetch.login()
    expect((await fetch(resource)).status).toBe(200)
    expect(lastHeaders(origin)['x-service-key']).toBe('second')
  })

  test('that another process has replaced is used after a refusal without a person', async () => {
    const { store, resource, client } = await setUp(({ headers }) => ({
      status: headers['x-service-key'] === 'second' ? 200 : 401,
    }))
    await saveKey(store, { resource, key: apiKey })
    const fetch = client()
    await fetch.login()
    await saveKey(store, { resource, key: { ...apiKey, value: 'second' } })
    expect((await fetch(resource)).status).toBe(200)
  })

  test('that signs the time is made anew once after a refusal', async () => {
    const { origin, store, resource, client } = await setUp(() => ({ status: 401 }))
    await saveKey(store, { resource, key: { type: 'hmac', secret: 'canary-secret' } })
    expect((await client()(resource)).status).toBe(401)
    expect(origin.requests).toHaveLength(2)
  })

  test('is deleted by a logout, and needs no request for it', async () => {
    const { origin, store, resource, client } = await setUp()
    await saveKey(store, { resource, key: apiKey })
    expect(await client().logout({ registration: true })).toMatchObject({ revoked: false })
    expect(await store.list()).toEqual([])
    expect(origin.requests).toEqual([])
  })

  test('that is deleted by another process is not sent any more once it was refused', async () => {
    const { store, resource, client } = await setUp(() => ({ status: 401 }))
    await saveKey(store, { resource, key: apiKey })
    const fetch = client()
    await fetch.login()
    await store.delete(`${resource} | default`)
    await expect(fetch(resource)).rejects.toMatchObject({
      code: 'login_required',
      reason: 'no_credential',
    })
  })

  test('that lacks scopes leads to a sentence, and to no login', async () => {
    const { origin, store, resource, client } = await setUp(() => ({
      status: 403,
      headers: { 'WWW-Authenticate': 'Bearer error="insufficient_scope", scope="admin"' },
    }))
    await saveKey(store, { resource, key: apiKey })
    await expect(client()(resource)).rejects.toMatchObject({ reason: 'step_up', scope: 'admin' })
    expect(origin.requests.map(({ url }) => url)).toEqual(['/mcp'])
  })

  test('whose record is damaged leads to the command that stores it anew', async () => {
    const { store, resource, client } = await setUp()
    const data = { type: 'apiKey', value: '' }
    await store.set(`${resource} | default`, { version: 1, provider: 'storedKey', data })
    await expect(client()(resource)).rejects.toMatchObject({
      code: 'store',
      reason: 'unusable_record',
      remedy: expect.stringContaining(`npx mcp-credentials set ${resource}`),
    })
  })

  test('does not show in the credential when that is printed', async () => {
    const { store, resource, client } = await setUp()
    await saveKey(store, { resource, key: apiKey })
    const fetch = client()
    expect(JSON.stringify(await fetch.login())).not.toContain('canary')
  })
})

describe('saveKey', () => {
  test('replaces a login at the same server and account, and says so', async () => {
    const world = await oauthWorld({ token: (_params, count) => ({ body: tokenAnswer(count) }) })
    const store = memoryStore()
    const options = { resource: world.url, store }
    const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }
    await authorizedFetch(authorizationCode(browser), options).login()
    expect(await saveKey(store, { resource: world.url, key: apiKey })).toEqual({
      replaced: 'login',
    })
    expect(await listSaved(store)).toMatchObject([{ kind: 'API key', renewable: false }])
  })

  test('gives way to a later login', async () => {
    const world = await oauthWorld({ token: (_params, count) => ({ body: tokenAnswer(count) }) })
    const store = memoryStore()
    await saveKey(store, { resource: world.url, key: apiKey })
    const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }
    await authorizedFetch(authorizationCode(browser), { resource: world.url, store }).login()
    expect(await listSaved(store)).toMatchObject([{ kind: 'login' }])
  })

  test('writes under the lock of the record', async () => {
    const { store, resource } = await setUp()
    let order = ''
    const holding = store.lock(`${resource} | default`, async () => {
      await new Promise((resolve) => setImmediate(resolve))
      order += 'held '
    })
    const saving = saveKey(store, { resource, key: apiKey }).then(() => {
      order += 'saved'
    })
    await Promise.all([holding, saving])
    expect(order).toBe('held saved')
  })

  test.each([
    ['an unknown type', { type: 'cookie', value: 'x' }, 'key.type'],
    ['no type', {}, 'key.type'],
    ['an empty key', { type: 'apiKey', value: '' }, 'apiKey.value'],
    ['an unknown member', { type: 'bearer', token: 'x', header: 'Y' }, 'key.header'],
    ['a function', { type: 'apiKey', value: () => 'x' }, 'key'],
    ['a header of the transport', { type: 'headers', headers: { Accept: 'x' } }, 'headers'],
  ])('refuses %s, and writes nothing', async (_name, key, option) => {
    const { store, resource } = await setUp()
    const error = (await saveKey(store, { resource, key: key as StoredKey }).catch(
      (thrown: unknown) => thrown,
    )) as CredentialError
    expect(error).toMatchObject({ code: 'configuration', option })
    expect(await store.list()).toEqual([])
  })
})
