import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { generateSigningKey, jwt, withCredentials } from 'mcp-credentials'
import { startJwtServer } from '../servers/jwt-server.ts'

const issuer = 'https://agents.example.com'
const { privateKey, jwks, keyId } = await generateSigningKey('RS256')
const server = await startJwtServer({
  // The server knows the public key alone.
  keys: { keys: [...jwks.keys] as never },
  algorithms: ['RS256'],
  issuer,
  audience: 'notes',
})

for (const [subject, roles] of [
  ['reporter', ['reader']],
  ['janitor', ['reader', 'admin']],
] as const) {
  const provider = jwt({
    algorithm: 'RS256',
    key: privateKey,
    keyId,
    issuer,
    subject,
    audience: 'notes',
    claims: { roles },
  })
  const client = new Client({ name: 'jwt-roles-example', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))
  const echo = await client.callTool({ name: 'echo', arguments: { text: 'hello' } })
  const purge = await client.callTool({ name: 'purge' })
  console.log(`${subject} (${roles.join(', ')})`)
  console.log('  echo answered: ', JSON.stringify(echo.content))
  console.log('  purge answered:', JSON.stringify(purge.content))
  assert.equal(purge.isError, subject === 'reporter')
  await client.close()
}
await server.close()
