import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { CredentialProvider } from 'mcp-credentials'
import {
  apiKey,
  bearer,
  command,
  env,
  file,
  firstAvailable,
  withCredentials,
} from 'mcp-credentials'
import { startApiKeyServer } from '../servers/api-key-server.ts'
import { startBearerServer } from '../servers/bearer-server.ts'

const announce = (line: string) => console.log(`  server: ${line}`)
const development = await startApiKeyServer({ keys: { 'demo-dev': 'development' }, announce })
const staging = await startBearerServer({ tokens: { 'demo-stage': 'staging' }, announce })
const production = await startApiKeyServer({ keys: { 'demo-prod': 'production' }, announce })
const folder = await mkdtemp(join(tmpdir(), 'multi-environment-example-'))
process.once('exit', () => rmSync(folder, { recursive: true }))
await writeFile(join(folder, 'key'), 'demo-prod\n', { mode: 0o600 })

const developmentKey = env('EXAMPLE_DEV_KEY', { file: new URL('example.env', import.meta.url) })
const stagingToken = command([process.execPath, '-e', "console.log('demo-stage')"])
const productionKey = firstAvailable(
  apiKey({ value: env('EXAMPLE_PROD_KEY') }),
  apiKey({ value: file(join(folder, 'key')) }),
)
const environments = {
  development: { url: development.url, provider: apiKey({ value: developmentKey }) },
  staging: { url: staging.url, provider: bearer(stagingToken) },
  production: { url: production.url, provider: productionKey },
}

const wanted = process.env['MCP_ENVIRONMENT']
const all = Object.entries(environments)
const chosen = wanted === undefined ? all : all.filter(([name]) => name === wanted)
assert(chosen.length > 0, `MCP_ENVIRONMENT must be one of ${Object.keys(environments).join(', ')}`)

for (const [name, { url, provider }] of chosen) {
  console.log(`The environment is ${name}:`)
  const client = await connectTo(url, provider)
  const { tools } = await client.listTools()
  console.log(`The server offers: ${tools.map((tool) => tool.name).join(', ')}`)
  const echo = await client.callTool({ name: 'echo', arguments: { text: 'hello' } })
  console.log('echo answered:', JSON.stringify(echo.content))
  assert.match(JSON.stringify(echo.content), /hello/)
  const identity = await client.callTool({ name: 'whoami' })
  console.log('whoami answered:', JSON.stringify(identity.content))
  assert(JSON.stringify(identity.content).includes(name))
  await client.close()

  for (const [other, wrong] of all.filter(([other]) => other !== name)) {
    await assert.rejects(connectTo(url, wrong.provider), { code: 401 })
    console.log(`The credential of ${other} was refused by ${name}.`)
  }
}

await Promise.all([development.close(), staging.close(), production.close()])

async function connectTo(url: URL, provider: CredentialProvider): Promise<Client> {
  const client = new Client({ name: 'multi-environment-example', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(url, withCredentials(provider)))
  return client
}
