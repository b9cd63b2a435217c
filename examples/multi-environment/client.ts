import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import * as credentials from 'mcp-credentials'
import { startEnvironments } from '../servers/three-environments.ts'
import { tryTools } from '../servers/tools.ts'

const { apiKey, bearer, command, env, file, firstAvailable, withCredentials } = credentials
const { urls, mountedKey, close } = await startEnvironments()

const developmentKey = env('EXAMPLE_DEV_KEY', { file: new URL('example.env', import.meta.url) })
const stagingToken = command([process.execPath, '-e', "console.log('demo-stage')"])
const environments = {
  development: { url: urls.development, provider: apiKey({ value: developmentKey }) },
  staging: { url: urls.staging, provider: bearer(stagingToken) },
  production: {
    url: urls.production,
    provider: firstAvailable(
      apiKey({ value: env('EXAMPLE_PROD_KEY') }),
      apiKey({ value: file(mountedKey) }),
    ),
  },
}

async function connect(url: URL, provider: credentials.CredentialProvider): Promise<Client> {
  const client = new Client({ name: 'multi-environment-example', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(url, withCredentials(provider)))
  return client
}
const wanted = process.env['MCP_ENVIRONMENT']
for (const [name, { url, provider }] of Object.entries(environments)) {
  if (wanted !== undefined && wanted !== name) continue
  console.log(`${name}:`)
  const client = await connect(url, provider)
  assert((await tryTools(client)).includes(name))
  await client.close()
}
console.log('the token of staging, sent to production by mistake:')
await assert.rejects(connect(urls.production, environments.staging.provider), { code: 401 })
await close()
