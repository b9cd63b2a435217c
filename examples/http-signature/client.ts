import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { httpSignature, withCredentials } from 'mcp-credentials'
import { startHttpSignatureServer } from '../servers/http-signature-server.ts'

const { publicKey, privateKey } = generateKeyPairSync('ed25519')
const server = await startHttpSignatureServer({
  keys: { 'alice-2026': { subject: 'alice', publicKey } },
  announce: (line) => console.log(`  server: ${line}`),
})
const provider = httpSignature({
  algorithm: 'ed25519',
  key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  keyId: 'alice-2026',
  optionalComponents: ['content-type', 'mcp-session-id'],
})

const connect = async (changed: Pick<RequestInit, 'body'> & { path?: string } = {}) => {
  const { path, ...init } = changed
  const client = new Client({ name: 'http-signature-example', version: '1.0.0' })
  const options = withCredentials(provider, {
    // What happens to a request on its way, after it was signed.
    fetch: (url, signed) => fetch(new URL(path ?? '', String(url)), { ...signed, ...init }),
  })
  await client.connect(new StreamableHTTPClientTransport(server.url, options))
  return client
}

const client = await connect()
const identity = await client.callTool({ name: 'whoami' })
console.log('whoami answered:', JSON.stringify(identity.content))
assert.match(JSON.stringify(identity.content), /alice/)

await assert.rejects(connect({ body: '{"jsonrpc":"2.0","id":0,"method":"ping"}' }), /401|Unauth/i)
console.log('A request with another body was refused.')
await assert.rejects(connect({ path: '/mcp/other' }), /401|Unauth/i)
console.log('A request to another path was refused.')

await client.close()
await server.close()
