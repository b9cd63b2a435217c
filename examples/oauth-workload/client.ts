import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { type CredentialProvider, file, withCredentials } from 'mcp-credentials'
import { jwtBearer, tokenExchange } from 'mcp-credentials/oauth'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { startOAuthServer } from '../servers/oauth-server.ts'
import { startPlatform } from '../servers/platform.ts'

const platform = await startPlatform()
const grants = ['jwt-bearer', 'token-exchange'].map(
  (name) => `urn:ietf:params:oauth:grant-type:${name}`,
)
const authorizationServer = await startAuthorizationServer({
  platforms: [platform],
  clients: [
    {
      client_id: 'report-job',
      token_endpoint_auth_method: 'none',
      grant_types: grants,
      response_types: [],
      redirect_uris: [],
    },
  ],
})
const { issuer } = authorizationServer
const server = await startOAuthServer({ issuer })

const folder = await mkdtemp(join(tmpdir(), 'workload-'))
const path = join(folder, 'token')
await writeFile(path, await platform.issue({ subject: 'report-job', audience: issuer }))

async function whoami(provider: CredentialProvider): Promise<string> {
  const client = new Client({ name: 'workload-example', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))
  const { content } = await client.callTool({ name: 'whoami' })
  await client.close()
  return JSON.stringify(content)
}

// The file is read for each token request, so a replaced one is picked up.
const workload = jwtBearer({ clientId: 'report-job', issuer, assertion: file(path) })
console.log('whoami answered the workload:', await whoami(workload))

const onBehalf = tokenExchange({
  clientId: 'report-job',
  issuer,
  subjectToken: () => platform.issue({ subject: 'alice', audience: issuer }),
  subjectTokenType: 'jwt',
})
console.log('whoami answered the service:', await whoami(onBehalf))
assert.equal(authorizationServer.tokenRequests.length, 2)

await rm(folder, { recursive: true })
await server.close()
await authorizationServer.close()
