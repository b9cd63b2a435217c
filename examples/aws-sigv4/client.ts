import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { withCredentials } from 'mcp-credentials'
import { awsSigV4 } from 'mcp-credentials/aws'
import { startSigV4Server } from '../servers/sig-v4-server.ts'

let ahead = 0
const now = () => Date.now() + ahead
const server = await startSigV4Server({
  now,
  announce: (line) => console.log(`  server: ${line}`),
})

// In your application this is fromNodeProviderChain() of @aws-sdk/credential-providers.
let issued = 0
const credentials = async () => {
  issued += 1
  console.log(`Session credentials number ${issued} are issued for an hour.`)
  return server.issue('alice', 3600)
}
const provider = awsSigV4({ region: 'us-west-2', service: 'bedrock-agentcore', credentials })

const client = new Client({ name: 'aws-sigv4-example', version: '1.0.0' })
const { fetch } = withCredentials(provider, { now })
await client.connect(new StreamableHTTPClientTransport(server.url, { fetch }))
const echo = await client.callTool({ name: 'echo', arguments: { text: 'pay 10 €' } })
console.log('echo answered:', JSON.stringify(echo.content))
const identity = await client.callTool({ name: 'whoami' })
console.log('whoami answered:', JSON.stringify(identity.content))
assert.match(JSON.stringify(identity.content), /alice/)
assert.equal(issued, 1)

console.log('59 minutes and 55 seconds later:')
ahead = 3_595_000
await client.callTool({ name: 'whoami' })
assert.equal(issued, 2)
assert(server.requests.every(({ authenticated }) => authenticated))

console.log('Another client has a clock that is 20 minutes slow:')
const before = server.requests.length
const late = new Client({ name: 'aws-sigv4-example', version: '1.0.0' })
const slow = withCredentials(provider, { now: () => now() - 1_200_000 })
await late.connect(new StreamableHTTPClientTransport(server.url, { fetch: slow.fetch }))
await late.callTool({ name: 'whoami' })
const refused = server.requests.slice(before).filter(({ status }) => status === 403)
console.log(`Requests refused before the server's clock was known: ${refused.length}`)
assert.equal(refused.length, 1)

await late.close()
await client.close()
await server.close()
