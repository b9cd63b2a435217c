import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { authorizedFetch, env } from 'mcp-credentials'
import { encryptedFileStore } from 'mcp-credentials/file'
import { authorizationCode } from 'mcp-credentials/oauth'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { startOAuthServer } from '../servers/oauth-server.ts'

const authorizationServer = await startAuthorizationServer({ tokenLifetime: 2 })
const server = await startOAuthServer({ issuer: authorizationServer.issuer })

// In real life the key is made once, with `openssl rand -base64 32`, and kept where only you can read it.
process.env['MCP_STORE_KEY'] = randomBytes(32).toString('base64')
const directory = await mkdtemp(join(tmpdir(), 'shared-login-'))
const store = encryptedFileStore({ key: env('MCP_STORE_KEY'), directory })
const login = authorizationCode({ onAuthorizationUrl: authorizationServer.approve })
const fetch = authorizedFetch(login, { resource: server.url, store })
await fetch.login()
await fetch.close()
console.log('somebody logged in; the store holds:', await store.list())

const workers = [1, 2, 3].map((number) => {
  const child = fork(new URL('worker.ts', import.meta.url), [String(number)], {
    env: { ...process.env, MCP_URL: server.url.href, MCP_STORE_DIRECTORY: directory },
  })
  return new Promise<number | null>((resolve) => child.once('exit', resolve))
})
assert.deepEqual(await Promise.all(workers), [0, 0, 0])
const grants = authorizationServer.tokenRequests.map(({ grantType }) => grantType)
const renewals = grants.filter((grant) => grant === 'refresh_token').length
console.log(`three processes made ${renewals} renewals together, and nobody had to log in again`)
assert.equal(grants.filter((grant) => grant === 'authorization_code').length, 1)
assert.ok(authorizationServer.tokenRequests.every(({ status }) => status === 200))

await rm(directory, { recursive: true })
await server.close()
await authorizationServer.close()
