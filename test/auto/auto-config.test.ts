import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { auto, saveKey } from '../../src/auto/index.ts'
import { loadConfig } from '../../src/config/index.ts'
import { authorizedFetch } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { oauthWorld, tokenAnswer } from '../support/oauth-world.ts'
import { recordingOrigin, wantsHeader, withCanaries } from '../support/recording-origin.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'auto-config-'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

async function setUp(url: string, entry: object, options: object = {}) {
  const config = join(folder, 'mcp.json')
  await writeFile(config, JSON.stringify({ mcpServers: { crm: { url, ...entry } } }))
  const store = memoryStore()
  const read = await loadConfig({ path: config, store }).catch(() => undefined)
  await read?.trust(config)
  const provider = auto({ config, store, ...options })
  const fetch = authorizedFetch(provider, { resource: url })
  return { config, store, provider, fetch }
}

const storedKey = { type: 'apiKey', header: 'X-From', value: 'canary-stored' } as const

test('auto() sends what the config refers to, to the server of the entry', async () => {
  vi.stubEnv('CRM_KEY', 'canary-environment')
  const { origin, requests } = await recordingOrigin()
  const url = `${origin}/mcp`
  const auth = { provider: 'apiKey', header: 'X-From', value: 'env:CRM_KEY' }
  const { config, provider, fetch, store } = await setUp(url, { auth })
  await saveKey(store, { resource: url, key: storedKey })
  await fetch(url)
  expect(requests[0]?.headers['x-from']).toBe('canary-environment')
  const detail = `the entry \`crm\` of ${config}`
  expect(provider.chosen(url)).toEqual({ source: 'config', detail })
})

test('auto() sends nothing of a config that nobody has trusted', async () => {
  vi.stubEnv('CRM_KEY', 'canary-environment')
  const { origin, requests } = await recordingOrigin()
  const url = `${origin}/mcp`
  const auth = { provider: 'apiKey', value: 'env:CRM_KEY' }
  const { config, fetch } = await setUp(url, { auth })
  await writeFile(config, `${await readFile(config, 'utf8')}\n`)
  await expect(fetch(url)).rejects.toMatchObject({
    code: 'configuration',
    remedy: expect.stringContaining('npx mcp-credentials trust'),
  })
  expect(requests).toEqual([])
})

test('auto() sends nothing of the config to another path of the same origin', async () => {
  vi.stubEnv('CRM_KEY', 'canary-environment')
  const { origin, requests } = await recordingOrigin(wantsHeader('x-api-key'))
  const auth = { provider: 'apiKey', value: 'env:CRM_KEY' }
  const { provider } = await setUp(`${origin}/mcp`, { auth })
  const hostile = `${origin}/mcp/hostile`
  const fetch = authorizedFetch(provider, { resource: hostile })
  await expect(fetch(hostile)).rejects.toMatchObject({ code: 'login_required' })
  expect(requests).toHaveLength(1)
  expect(withCanaries(requests)).toEqual([])
})

test('auto() uses what is stored where the entry defines no credential', async () => {
  const { origin, requests } = await recordingOrigin()
  const url = `${origin}/mcp`
  const { provider, fetch, store } = await setUp(url, {})
  await saveKey(store, { resource: url, key: storedKey })
  await fetch(url)
  expect(requests[0]?.headers['x-from']).toBe('canary-stored')
  expect(provider.chosen(url)?.source).toBe('stored')
})

test('auto() says which entry lacks the environment that its options name', async () => {
  const { origin } = await recordingOrigin(wantsHeader('x-from'))
  const url = `${origin}/staging`
  const auth = { provider: 'apiKey', header: 'X-From', value: 'env:STAGING_KEY' }
  const entry = { environments: { staging: { url, auth } } }
  const { provider } = await setUp(`${origin}/mcp`, entry, { environment: 'prod' })
  await expect(authorizedFetch(provider, { resource: url })(url)).rejects.toThrow(
    'it has no environment `prod`; its environments are staging',
  )
})

test('auto() takes the environment of the config that its options name', async () => {
  vi.stubEnv('STAGING_KEY', 'canary-staging')
  const { origin, requests } = await recordingOrigin()
  const url = `${origin}/staging`
  const auth = { provider: 'apiKey', header: 'X-From', value: 'env:STAGING_KEY' }
  const entry = { environments: { staging: { url, auth } } }
  const { provider } = await setUp(`${origin}/mcp`, entry, { environment: 'staging' })
  await authorizedFetch(provider, { resource: url })(url)
  expect(requests[0]?.headers['x-from']).toBe('canary-staging')
})

test('auto() uses the identity of the workload for the issuer that the config allows', async () => {
  const world = await oauthWorld({ token: (_params, count) => ({ body: tokenAnswer(count) }) })
  const { issuer, url } = world
  const payload = btoa(JSON.stringify({ aud: issuer })).replace(/=+$/, '')
  const tokenFile = join(folder, 'token')
  const auth = { provider: 'workload', issuer, clientId: 'job', tokenFile }
  const { provider, fetch } = await setUp(url, { auth })
  await expect(fetch(url)).rejects.toThrow('the environment has none')
  expect(world.tokenRequests()).toEqual([])
  await writeFile(tokenFile, `e30.${payload}.AAAA`)
  await fetch.login()
  expect((await fetch(url)).status).toBe(200)
  expect(world.tokenRequests()).toMatchObject([{ assertion: `e30.${payload}.AAAA` }])
  expect(provider.chosen(url)).toMatchObject({
    source: 'workload',
    detail: expect.stringContaining('a projected token, as the entry `crm`'),
  })
})

test('auto() says where the config is broken', async () => {
  const url = 'https://mcp.example.com/mcp'
  const { fetch } = await setUp(url, { auth: { provider: 'apikey' } })
  await expect(fetch.login()).rejects.toMatchObject({
    code: 'configuration',
    message: expect.stringContaining('mcp.json:1:'),
  })
})

test.each(['its own', 'a given'])(
  'auto() deletes what is stored at a logout from %s store although the config cannot be used',
  async (which) => {
    const { origin } = await recordingOrigin()
    const url = `${origin}/mcp`
    const { config, store, provider, fetch } = await setUp(url, {})
    await saveKey(store, { resource: url, key: storedKey })
    const keyOf = async () => (await store.list()).filter((key) => key.startsWith(origin))
    const entry = { url, headers: { 'X-API-Key': `\${CRM_KEY}` } }
    await writeFile(config, JSON.stringify({ mcpServers: { crm: entry } }))
    const client = which === 'its own' ? fetch : authorizedFetch(provider, { resource: url, store })
    await expect(client(url)).rejects.toMatchObject({ code: 'configuration' })
    expect(await keyOf()).toHaveLength(1)
    await client.logout()
    expect(await keyOf()).toEqual([])
  },
)

test('auto() does not choose between two entries of one URL with different credentials', async () => {
  vi.stubEnv('CRM_KEY', 'canary-environment')
  const { origin, requests } = await recordingOrigin()
  const { provider, config } = await setUp(`${origin}/other`, {})
  const entry = (name: string) => ({
    url: `${origin}/mcp`,
    auth: { provider: 'apiKey', header: name, value: 'env:CRM_KEY' },
  })
  await writeFile(config, JSON.stringify({ mcpServers: { ada: entry('ada'), bob: entry('bob') } }))
  await (await loadConfig({ path: config, store: provider.store })).trust(config)
  const url = `${origin}/mcp`
  const fetch = authorizedFetch(provider, { resource: url })
  await expect(fetch(url)).rejects.toThrow('`ada` and `bob`')
  expect(requests).toEqual([])
})

test('auto() reads the config again after a logout that had nothing to give up', async () => {
  vi.stubEnv('CRM_KEY', 'canary-environment')
  const { origin, requests } = await recordingOrigin()
  const url = `${origin}/mcp`
  const { config, fetch, store } = await setUp(url, {})
  await fetch.logout()
  const auth = { provider: 'apiKey', header: 'X-From', value: 'env:CRM_KEY' }
  await writeFile(config, JSON.stringify({ mcpServers: { crm: { url, auth } } }))
  await (await loadConfig({ path: config, store })).trust(config)
  await fetch(url)
  expect(requests[0]?.headers['x-from']).toBe('canary-environment')
})
