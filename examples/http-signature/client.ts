import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { httpSignature, withCredentials } from 'mcp-credentials'
import { startHttpSignatureServer } from '../servers/http-signature-server.ts'
import { sendAgain } from '../servers/replay.ts'
import { echo, show, whoami } from '../servers/tools.ts'

const { publicKey, privateKey } = generateKeyPairSync('ed25519')
const keys = { 'alice-2026': { subject: 'alice', publicKey } }
const server = await startHttpSignatureServer({ keys, announce: show })

const provider = httpSignature({
  algorithm: 'ed25519',
  key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  keyId: 'alice-2026',
  optionalComponents: ['content-type', 'mcp-session-id'],
})
const client = new Client({ name: 'http-signature-example', version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))
assert.match(await whoami(client), /alice/)
await echo(client, 'pay 10 €')

console.log('an attacker replays the request')
console.log('with another amount:')
assert.match(await sendAgain(server, { body: ['10', '99'] }), /401/)
console.log('to another path:')
assert.match(await sendAgain(server, { path: '/mcp/other' }), /401/)
console.log('unchanged:')
assert.match(await sendAgain(server), /401/)

await client.close()
await server.close()
