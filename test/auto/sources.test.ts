import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { auto, saveKey } from '../../src/auto/index.ts'
import { loadConfig } from '../../src/config/index.ts'
import { authorizedFetch, type CredentialProvider } from '../../src/index.ts'
import { connect } from '../../src/mcp/connect.ts'
import { clientCredentials, savedLogin } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { oauthWorld } from '../support/oauth-world.ts'
import { recordingOrigin } from '../support/recording-origin.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sources-'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

const today = () => new Date().toISOString().slice(0, 10)

/** What a request says for which a server refuses every credential with a status. */
async function refusalOf(
  provider: CredentialProvider,
  resource: string,
  options: object = {},
): Promise<string> {
  await using fetch = authorizedFetch(provider, { resource, throwOnRefusal: true, ...options })
  const error: unknown = await fetch(resource).catch((thrown: unknown) => thrown)
  expect(JSON.stringify(error) + String(error)).not.toContain('canary')
  return (error as Error).message
}

async function refusing(status: number) {
  const { origin } = await recordingOrigin((_request, response) => response.writeHead(status).end())
  return `${origin}/mcp`
}

async function configured(url: string) {
  vi.stubEnv('CRM_KEY', 'canary-environment')
  const config = join(folder, 'mcp.json')
  const crm = { url, auth: { provider: 'apiKey', value: 'env:CRM_KEY' } }
  await writeFile(config, JSON.stringify({ mcpServers: { crm } }))
  const store = memoryStore()
  await (await loadConfig({ path: config, store })).trust(config)
  return { config, store }
}

test('a refusal says for which server and when the refused key was stored', async () => {
  const resource = await refusing(403)
  const store = memoryStore()
  await saveKey(store, { resource, key: { type: 'apiKey', value: 'canary-stored' } })
  const source = `the API key stored for ${resource} on ${today()}`
  expect(await refusalOf(savedLogin(), resource, { store })).toContain(`from ${source} with 403.`)
  const found = await refusalOf(auto({ config: false, store }), resource)
  expect(found).toContain(`from ${source} with 403.`)
})

test('a stored key that a server refuses with 401 is named by when it was stored', async () => {
  const resource = await refusing(401)
  const store = memoryStore()
  await saveKey(store, { resource, key: { type: 'bearer', token: 'canary-stored' } })
  const message = await refusalOf(savedLogin(), resource, { store })
  expect(message).toContain(`the bearer token stored for ${resource} on ${today()}`)
})

test('a refusal names the entry of the config file, and where that has the secret from', async () => {
  const resource = await refusing(401)
  const { config, store } = await configured(resource)
  const source = `the entry \`crm\` of ${config} (env('CRM_KEY'))`
  expect(await refusalOf(auto({ config, store }), resource)).toContain(`from ${source} with 401.`)
})

test('connect() says the same of the credential that auto() has found', async () => {
  const resource = await refusing(401)
  const { config, store } = await configured(resource)
  const client = new Client({ name: 'test', version: '1' })
  const error: unknown = await connect(client, resource, auto({ config, store })).catch((e) => e)
  expect(String(error)).toContain(`from the entry \`crm\` of ${config} (env('CRM_KEY')) with 401`)
  expect(String(error)).not.toContain('The authorization server had issued it')
})

test('a refusal says who issued a token, or for which server and when its login was stored', async () => {
  const world = await oauthWorld({ mcp: () => ({ status: 403 }) })
  const { issuer, url } = world
  const provider = clientCredentials({ clientId: 'agent', clientSecret: 'canary-s', issuer })
  const store = memoryStore()
  const fresh = await refusalOf(provider, url, { store })
  expect(fresh).toContain(`from a token that ${issuer} has issued with 403.`)
  const restored = await refusalOf(provider, url, { store })
  expect(restored).toContain(`from the token stored for ${url} on ${today()} with 403.`)
})
