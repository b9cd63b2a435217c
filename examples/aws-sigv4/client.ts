import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { withCredentials } from 'mcp-credentials'
import { awsSigV4 } from 'mcp-credentials/aws'
import { startSigV4Server } from '../servers/sig-v4-server.ts'
import { show, whoami } from '../servers/tools.ts'

let ahead = 0
const now = () => Date.now() + ahead
const server = await startSigV4Server({ now, announce: show })

// In your application this is fromNodeProviderChain() of @aws-sdk/credential-providers.
const credentials = async () => {
  console.log('new session credentials, for an hour')
  return server.issue('alice', 3600)
}
const provider = awsSigV4({ region: 'us-west-2', service: 'bedrock-agentcore', credentials })

async function connect(clock: () => number): Promise<Client> {
  const client = new Client({ name: 'aws-sigv4-example', version: '1.0.0' })
  const options = withCredentials(provider, { now: clock })
  await client.connect(new StreamableHTTPClientTransport(server.url, options))
  return client
}
const client = await connect(now)
assert.match(await whoami(client), /alice/)
console.log('59 minutes and 55 seconds later:')
ahead = 3_595_000
await whoami(client)
assert(server.requests.every(({ authenticated }) => authenticated))

console.log('a client whose clock is 20 minutes slow:')
const slow = await connect(() => now() - 1_200_000)
await whoami(slow)
assert.equal(server.requests.filter(({ status }) => status === 403).length, 1)

await slow.close()
await client.close()
await server.close()
