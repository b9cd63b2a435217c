import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { generateSigningKey, jwt, withCredentials } from 'mcp-credentials'
import { startJwtServer } from '../servers/jwt-server.ts'
import { echo, show, textOf } from '../servers/tools.ts'

const issuer = 'https://agents.example.com'
const audience = 'notes'
const { privateKey, jwks, keyId } = await generateSigningKey('RS256')
// The server knows the public key alone.
const keys = { keys: [...jwks.keys] as never }
const server = await startJwtServer({
  ...{ keys, algorithms: ['RS256'], issuer, audience },
  announce: show,
})

for (const [subject, roles] of [
  ['reporter', ['reader']],
  ['janitor', ['reader', 'admin']],
] as const) {
  const claims = { roles }
  const signing = { algorithm: 'RS256', key: privateKey, keyId } as const
  const provider = jwt({ ...signing, issuer, subject, audience, claims })
  const client = new Client({ name: 'jwt-roles-example', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))
  console.log(`${subject}, with the roles ${roles.join(' and ')}`)
  await echo(client, 'hello')
  const purge = await client.callTool({ name: 'purge' })
  console.log(`purge: ${textOf(purge)}`)
  assert.equal(purge.isError, subject === 'reporter')
  await client.close()
}
await server.close()
