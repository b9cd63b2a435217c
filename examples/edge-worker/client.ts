import assert from 'node:assert/strict'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { machineClient } from '../servers/oauth-clients.ts'
import { startOAuthServer } from '../servers/oauth-server.ts'
import { show } from '../servers/tools.ts'
import { startWorker } from '../servers/workerd.ts'

const secret = 'a-secret-that-is-made-up-for-this-example'
const clients = [machineClient('edge-agent', ['client_credentials'], { client_secret: secret })]
const authorizationServer = await startAuthorizationServer({ clients, announce: show })
const { issuer } = authorizationServer
const server = await startOAuthServer({ issuer, announce: show })
const worker = await startWorker(new URL('worker.ts', import.meta.url), {
  MCP_URL: server.url.href,
  ISSUER: issuer,
  CLIENT_SECRET: secret,
})

for (const number of [1, 2, 3]) {
  const response = await fetch(worker.url)
  const answer = await response.text()
  console.log(`request ${number} to the worker: ${response.status} ${answer}`)
  assert.match(answer, /edge-agent/)
}
console.log(`tokens for all requests: ${authorizationServer.tokenRequests.length}`)
assert.equal(authorizationServer.tokenRequests.length, 1)

worker.close()
await server.close()
await authorizationServer.close()
