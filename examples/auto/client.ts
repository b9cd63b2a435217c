import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { withCredentials } from 'mcp-credentials'
import { auto, defaultStore, saveKey } from 'mcp-credentials/auto'
import { loadConfig } from 'mcp-credentials/config'
import { startApiKeyServer } from '../servers/api-key-server.ts'
import { startBearerServer } from '../servers/bearer-server.ts'
import { temporaryHome } from '../servers/temporary.ts'
import { show, whoami } from '../servers/tools.ts'

temporaryHome()
const keys = { 'demo-crm-key': 'alice at the CRM' }
const crm = await startApiKeyServer({ keys, header: 'X-CRM-Key', announce: show })
const tokens = { 'demo-notes-token': 'alice at the notes' }
const notes = await startBearerServer({ tokens, announce: show })
Object.assign(process.env, { CRM_URL: crm.url.href, CRM_KEY: 'demo-crm-key' })

// At the command line: npx mcp-credentials set URL --bearer, and npx mcp-credentials trust mcp.json
const store = defaultStore()
await saveKey(store, { resource: notes.url, key: { type: 'bearer', token: 'demo-notes-token' } })
const path = fileURLToPath(new URL('mcp.json', import.meta.url))
await (await loadConfig({ path, store })).trust({ path })

for (const url of [crm.url, notes.url]) {
  const options = withCredentials(auto({ config: path }), {
    onEvent: (event) => {
      if (event.type === 'source_chosen') console.log(`the credential comes from: ${event.source}`)
    },
  })
  const client = new Client({ name: 'auto-example', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(url, options))
  assert.match(await whoami(client), /alice/)
  await client.close()
}
await crm.close()
await notes.close()
