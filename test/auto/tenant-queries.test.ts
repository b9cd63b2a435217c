import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { auto, listSaved, savedUrl, saveKey } from '../../src/auto/index.ts'
import { loadConfig } from '../../src/config/index.ts'
import { authorizedFetch, type CredentialProvider, withCredentials } from '../../src/index.ts'
import { authorizationCode, savedLogin } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { oauthWorld, tokenAnswer } from '../support/oauth-world.ts'
import { recordingOrigin, wantsHeader, withCanaries } from '../support/recording-origin.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tenants-'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

const keyOf = (value: string) => ({ type: 'apiKey', header: 'X-From', value }) as const

/** Entries of a trusted config file, by the query of their URL, each with a key of its own. */
async function configured(...queries: readonly string[]) {
  const { origin, requests } = await recordingOrigin(wantsHeader('x-from'))
  const url = `${origin}/mcp`
  const entries = queries.map((query, index) => {
    vi.stubEnv(`KEY_${index}`, `canary${query}`)
    const auth = { provider: 'apiKey', header: 'X-From', value: `env:KEY_${index}` }
    return [`entry-${index}`, { url: `${url}${query}`, auth }] as const
  })
  const config = join(folder, 'mcp.json')
  await writeFile(config, JSON.stringify({ mcpServers: Object.fromEntries(entries) }))
  const store = memoryStore()
  await (await loadConfig({ path: config, store })).trust(config)
  const provider = auto({ config, store })
  const send = async (query: string) => {
    await using fetch = authorizedFetch(provider, { resource: `${url}${query}` })
    await fetch(`${url}${query}`)
    return requests.at(-1)?.headers['x-from']
  }
  return { send, requests, provider, url, store }
}

test('auto() sends the credential of an entry with a query to the resource of that query alone', async () => {
  const { send, requests } = await configured('?tenant=ada')
  await expect(send('?tenant=bob')).rejects.toMatchObject({ code: 'login_required' })
  await expect(send('')).rejects.toMatchObject({ code: 'login_required' })
  expect(withCanaries(requests)).toEqual([])
  expect(await send('?tenant=ada')).toBe('canary?tenant=ada')
})

test('auto() chooses between entries that differ in their query', async () => {
  const { send } = await configured('?tenant=ada', '?tenant=bob')
  expect(await send('?tenant=bob')).toBe('canary?tenant=bob')
  expect(await send('?tenant=ada')).toBe('canary?tenant=ada')
})

test('the order of the parameters of a query does not matter', async () => {
  const { send } = await configured('?tenant=ada&region=eu')
  expect(await send('?region=eu&tenant=ada')).toBe('canary?tenant=ada&region=eu')
})

test('an entry without a query serves any query where no entry tells queries apart', async () => {
  const { send } = await configured('')
  expect(await send('?tenant=bob')).toBe('canary')
})

test('an entry without a query serves no query where another entry tells queries apart', async () => {
  const { send } = await configured('', '?tenant=ada')
  await expect(send('?tenant=bob')).rejects.toMatchObject({ code: 'login_required' })
  expect(await send('')).toBe('canary')
})

test('auto() knows the query from the first request where no resource was given', async () => {
  const { provider, url, requests } = await configured('?tenant=ada', '?tenant=bob')
  const { fetch } = withCredentials(provider)
  await fetch(`${url}?tenant=bob`)
  expect(requests[0]?.headers['x-from']).toBe('canary?tenant=bob')
})

test('keys that are stored for two queries neither replace nor stand for one another', async () => {
  const { origin, requests } = await recordingOrigin()
  const store = memoryStore()
  const [ada, bob] = [`${origin}/mcp?tenant=ada`, `${origin}/mcp?tenant=bob`]
  await saveKey(store, { resource: ada, key: keyOf('canary-ada') })
  await expect(authorizedFetch(savedLogin(), { resource: bob, store })(bob)).rejects.toMatchObject({
    code: 'login_required',
  })
  expect(await saveKey(store, { resource: bob, key: keyOf('canary-bob') })).toEqual({})
  for (const resource of [ada, bob]) {
    await authorizedFetch(auto({ config: false, store }), { resource })(resource)
    await authorizedFetch(savedLogin(), { resource, store })(resource)
  }
  const sent = requests.map(({ headers }) => headers['x-from'])
  expect(sent).toEqual(['canary-ada', 'canary-ada', 'canary-bob', 'canary-bob'])
})

test('a logout for one query leaves what is stored for another', async () => {
  const store = memoryStore()
  const [ada, bob] = ['https://h.example/mcp?tenant=ada', 'https://h.example/mcp?tenant=bob']
  for (const resource of [ada, bob]) await saveKey(store, { resource, key: keyOf('canary') })
  await authorizedFetch(savedLogin(), { resource: ada, store }).logout()
  expect((await listSaved(store)).map(({ url }) => url)).toEqual([bob])
})

test('listSaved() shows which query a key is for, but no value that may be a secret', async () => {
  const store = memoryStore()
  const resource = 'https://h.example/mcp?tenant=ada&api_key=canary1&id=a8Xk29sLmQ'
  await saveKey(store, { resource, key: keyOf('canary') })
  const [saved] = await listSaved(store)
  expect(saved?.resource).toBe('https://h.example/mcp?api_key=…&id=…&tenant=ada')
  expect(new URL(saved?.url ?? '').searchParams.get('tenant')).toBe('ada')
})

test('the key of a record, which stores leave readable, holds a fingerprint for values that are named as secrets', async () => {
  const store = memoryStore()
  const resource = 'https://h.example/mcp?tenant=ada&api_key=canary1&Access-Token=canary2'
  await saveKey(store, { resource, key: keyOf('canary') })
  expect(await store.list()).toEqual([
    expect.stringMatching(
      /^https:\/\/h\.example\/mcp\?Access-Token=%7E[\da-f]{16}&api_key=%7E[\da-f]{16}&tenant=ada \| default$/,
    ),
  ])
  const [{ url } = { url: '' }] = await listSaved(store)
  expect(savedUrl(resource)).toBe(url)
  expect(savedUrl(url)).toBe(url)
})

test.each([
  'keyspace=acme keyspace=globex',
  'api_key=a api_key=b',
  'author=ada author=bob',
  'accessToken=a accessToken=',
  'sid=1 sid=1&sid=2',
])('what is stored for one query is not sent for another: %s', async (queries) => {
  const [first = '', second = ''] = queries.split(' ')
  const store = memoryStore()
  await saveKey(store, { resource: `https://h.example/mcp?${first}`, key: keyOf('canary') })
  const resource = `https://h.example/mcp?${second}`
  await expect(authorizedFetch(savedLogin(), { resource, store })(resource)).rejects.toMatchObject({
    code: 'login_required',
  })
})

test('the command to type names the query, so that the login is for the same tenant', async () => {
  const provider = auto({ config: false, store: memoryStore() })
  const resource = 'https://h.example/mcp?tenant=ada&token=canary-secret'
  const send = async () => new Response('', { status: 401 })
  const error: unknown = await authorizedFetch(provider, { resource, fetch: send })
    .login()
    .catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({
    remedy: expect.stringContaining(
      "`npx mcp-credentials login 'https://h.example/mcp?tenant=ada&token=…'`",
    ),
  })
  expect(JSON.stringify(error) + String(error)).not.toContain('canary')
})

test('two logins at one server that differ in the query are kept and renewed apart', async () => {
  const world = await oauthWorld({ token: (_params, count) => ({ body: tokenAnswer(count) }) })
  const store = memoryStore()
  const [ada, bob] = [`${world.url}?tenant=ada`, `${world.url}?tenant=bob`]
  const onAuthorizationUrl = async (url: URL) => void (await fetch(url))
  const sentTo = async (provider: CredentialProvider, resource: string) => {
    await using client = authorizedFetch(provider, { resource, store })
    await client.login()
    await client(resource)
    return world.mcpServer.requests.at(-1)?.headers.authorization
  }
  const first = await sentTo(authorizationCode({ onAuthorizationUrl }), ada)
  const second = await sentTo(authorizationCode({ onAuthorizationUrl }), bob)
  expect(second).not.toBe(first)
  expect(world.logins().map(({ resource }) => resource)).toEqual([world.url, world.url])
  expect(await sentTo(savedLogin(), ada)).toBe(first)
  expect(await sentTo(savedLogin(), bob)).toBe(second)
})
