import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { env, hmac, withCredentials } from 'mcp-credentials'
import { startHmacServer } from '../servers/hmac-server.ts'
import type { RecordedRequest } from '../servers/mcp-server.ts'

const server = await startHmacServer({
  secrets: { alice: 'secret-of-alice', bob: 'secret-of-bob' },
  announce: (line) => console.log(`  server: ${line}`),
})
process.env['ALICE_SECRET'] = 'secret-of-alice'

const client = new Client({ name: 'hmac-example', version: '1.0.0' })
const provider = hmac({ secret: env('ALICE_SECRET'), keyId: 'alice' })
await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))

const { tools } = await client.listTools()
console.log(`The server offers: ${tools.map(({ name }) => name).join(', ')}`)
const echo = await client.callTool({ name: 'echo', arguments: { text: 'pay 10 €' } })
console.log('echo answered:', JSON.stringify(echo.content))
const identity = await client.callTool({ name: 'whoami' })
console.log('whoami answered:', JSON.stringify(identity.content))
assert.match(JSON.stringify(identity.content), /alice/)

// Somebody who recorded the request cannot send it again, neither altered nor as it was.
const recorded = server.requests.find(({ body }) => body.includes('pay 10 €'))
assert(recorded !== undefined)
const tampered = await send(recorded, recorded.body.replace('pay 10 €', 'pay 99 €'))
console.log('A tampered body:', tampered.status, tampered.headers.get('WWW-Authenticate'))
assert.match(tampered.headers.get('WWW-Authenticate') ?? '', /invalid_signature/)
const replayed = await send(recorded, recorded.body)
console.log('A replayed request:', replayed.status, replayed.headers.get('WWW-Authenticate'))
assert.match(replayed.headers.get('WWW-Authenticate') ?? '', /replayed/)

console.log("Bob's clock is ten minutes slow:")
const before = server.requests.length
const bob = new Client({ name: 'hmac-example', version: '1.0.0' })
const { fetch } = withCredentials(hmac({ secret: 'secret-of-bob', keyId: 'bob' }), {
  now: () => Date.now() - 600_000,
})
await bob.connect(new StreamableHTTPClientTransport(server.url, { fetch }))
const healed = await bob.callTool({ name: 'whoami' })
console.log('whoami answered:', JSON.stringify(healed.content))
assert.match(JSON.stringify(healed.content), /bob/)
const refused = server.requests.slice(before).filter(({ status }) => status === 401)
console.log(`Requests refused before the server's clock was known: ${refused.length}`)
assert.equal(refused.length, 1)

await bob.close()
await client.close()
await server.close()

/** Sends a recorded request by hand, with the headers that it had. */
function send(request: RecordedRequest, body: string): Promise<Response> {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    const isOwn = ['host', 'connection', 'content-length', 'transfer-encoding'].includes(name)
    if (!isOwn && typeof value === 'string') headers.set(name, value)
  }
  return globalThis.fetch(server.url, { method: request.method, headers, body })
}
