import assert from 'node:assert/strict'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { bearer, file, withCredentials } from 'mcp-credentials'
import { startBearerServer } from '../servers/bearer-server.ts'
import { sameSecret } from '../servers/constant-time.ts'
import { temporaryFolder } from '../servers/temporary.ts'
import { show, tryTools, whoami } from '../servers/tools.ts'

let valid = 'demo-token-of-monday'
const server = await startBearerServer({
  tokens: (token) => (sameSecret(valid, token) ? { subject: 'alice' } : undefined),
  announce: show,
})
const path = join(temporaryFolder(), 'token')
await writeFile(path, valid, { mode: 0o600 })

const client = new Client({ name: 'bearer-example', version: '1.0.0' })
const provider = bearer(file(path))
await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))
await tryTools(client)

console.log('the token is replaced, on the server and in the file:')
valid = 'demo-token-of-tuesday'
await writeFile(`${path}.new`, valid, { mode: 0o600 })
await rename(`${path}.new`, path)
const before = server.requests.length
assert.match(await whoami(client), /alice/)
const statuses = server.requests.slice(before).map(({ status }) => status)
assert.deepEqual(statuses, [401, 200])

await client.close()
await server.close()
