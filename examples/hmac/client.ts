import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { env, hmac, withCredentials } from 'mcp-credentials'
import { startHmacServer } from '../servers/hmac-server.ts'
import { sendAgain } from '../servers/replay.ts'
import { echo, show, whoami } from '../servers/tools.ts'

process.env['ALICE_SECRET'] = 'secret-of-alice'
process.env['BOB_SECRET'] = 'secret-of-bob'
const secrets = { alice: 'secret-of-alice', bob: 'secret-of-bob' }
const server = await startHmacServer({ secrets, announce: show })

const client = new Client({ name: 'hmac-example', version: '1.0.0' })
const provider = hmac({ secret: env('ALICE_SECRET'), keyId: 'alice' })
await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))
assert.match(await whoami(client), /alice/)
await echo(client, 'pay 10 €')

console.log('an attacker replays the request, with another amount and unchanged:')
assert.match(await sendAgain(server, { body: ['10', '99'] }), /invalid_signature/)
assert.match(await sendAgain(server), /replayed/)

console.log("bob's clock is ten minutes slow:")
const bob = new Client({ name: 'hmac-example', version: '1.0.0' })
const options = withCredentials(hmac({ secret: env('BOB_SECRET'), keyId: 'bob' }), {
  now: () => Date.now() - 600_000,
})
await bob.connect(new StreamableHTTPClientTransport(server.url, options))
assert.match(await whoami(bob), /bob/)

await bob.close()
await client.close()
await server.close()
