import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { file, withCredentials } from 'mcp-credentials'
import { jwtBearer, tokenExchange } from 'mcp-credentials/oauth'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { machineClient } from '../servers/oauth-clients.ts'
import { startOAuthServer } from '../servers/oauth-server.ts'
import { startPlatform } from '../servers/platform.ts'
import { temporaryFolder } from '../servers/temporary.ts'
import { show, whoami } from '../servers/tools.ts'

const platform = await startPlatform()
const clients = [machineClient('report-job', ['jwt-bearer', 'token-exchange'])]
const platforms = [platform]
const authorizationServer = await startAuthorizationServer({ platforms, clients, announce: show })
const { issuer } = authorizationServer
const server = await startOAuthServer({ issuer, announce: show })
const path = join(temporaryFolder(), 'token')
await writeFile(path, await platform.issue({ subject: 'report-job', audience: issuer }))

const common = { clientId: 'report-job', issuer }
// The file is read for each token request, so that a new token in it is used.
const asItself = jwtBearer({ ...common, assertion: file(path) })
const subjectToken = () => platform.issue({ subject: 'alice', audience: issuer })
const forAlice = tokenExchange({ ...common, subjectToken, subjectTokenType: 'jwt' })

for (const provider of [asItself, forAlice]) {
  const client = new Client({ name: 'workload-example', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))
  assert.match(await whoami(client), provider === asItself ? /report-job/ : /alice/)
  await client.close()
}
for (const each of [server, authorizationServer, platform]) await each.close()
