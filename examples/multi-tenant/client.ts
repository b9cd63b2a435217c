import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { all, apiKey, env, headers, withCredentials } from 'mcp-credentials'
import { startTenantServer } from '../servers/tenant-server.ts'

const server = await startTenantServer({
  tenants: { acme: 'demo-session-of-acme', globex: 'demo-session-of-globex' },
  announce: (line) => console.log(`  server: ${line}`),
})
process.env['ACME_SESSION'] = 'demo-session-of-acme'
process.env['GLOBEX_SESSION'] = 'demo-session-of-globex'

console.log('Two tenants work at the same time, each with a client of its own:')
const [acme, globex] = await Promise.all([
  connectAs('acme', 'ACME_SESSION'),
  connectAs('globex', 'GLOBEX_SESSION'),
])
const { tools } = await acme.listTools()
console.log(`The server offers: ${tools.map(({ name }) => name).join(', ')}`)
const [echo, ofAcme, ofGlobex] = await Promise.all([
  acme.callTool({ name: 'echo', arguments: { text: 'hello' } }),
  acme.callTool({ name: 'whoami' }),
  globex.callTool({ name: 'whoami' }),
])
console.log('echo answered acme:', JSON.stringify(echo.content))
console.log('whoami answered acme:', JSON.stringify(ofAcme.content))
console.log('whoami answered globex:', JSON.stringify(ofGlobex.content))
assert.match(JSON.stringify(echo.content), /hello/)
assert.match(JSON.stringify(ofAcme.content), /acme/)
assert.match(JSON.stringify(ofGlobex.content), /globex/)

console.log("Somebody uses acme's session token under globex's name:")
await assert.rejects(connectAs('globex', 'ACME_SESSION'), { code: 401, message: /unauthorized/ })
console.log('The server refused; connect() failed with an error that has the code 401.')

await Promise.all([acme.close(), globex.close()])
await server.close()

/** Connects a client for one tenant, whose session token is in an environment variable. */
async function connectAs(tenant: string, variable: string): Promise<Client> {
  const session = apiKey({ value: env(variable), header: 'X-Session-Token' })
  const provider = all(session, headers({ 'X-Tenant-ID': tenant }))
  const client = new Client({ name: `${tenant}-example`, version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))
  return client
}
