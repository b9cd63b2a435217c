import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { all, apiKey, env, headers, withCredentials } from 'mcp-credentials'
import { startTenantServer } from '../servers/tenant-server.ts'
import { show, whoami } from '../servers/tools.ts'

const tenants = { acme: 'demo-session-of-acme', globex: 'demo-session-of-globex' }
const server = await startTenantServer({ tenants, announce: show })
process.env['ACME_SESSION'] = tenants.acme
process.env['GLOBEX_SESSION'] = tenants.globex

/** Connects a client for one tenant, whose session token is in an environment variable. */
async function connectAs(tenant: string, variable: string): Promise<Client> {
  const session = apiKey({ value: env(variable), header: 'X-Session-Token' })
  const provider = all(session, headers({ 'X-Tenant-ID': tenant }))
  const client = new Client({ name: `${tenant}-example`, version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))
  return client
}

const [acme, globex] = await Promise.all([
  connectAs('acme', 'ACME_SESSION'),
  connectAs('globex', 'GLOBEX_SESSION'),
])
const [ofAcme, ofGlobex] = await Promise.all([whoami(acme), whoami(globex)])
assert.match(ofAcme, /acme/)
assert.match(ofGlobex, /globex/)

console.log(
  'the session token of acme with the tenant globex; after the 401, the request is repeated once:',
)
await assert.rejects(connectAs('globex', 'ACME_SESSION'), { code: 401, message: /unauthorized/ })

await Promise.all([acme.close(), globex.close()])
await server.close()
