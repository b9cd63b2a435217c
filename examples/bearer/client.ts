import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { mkdtemp, rename, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { bearer, file, withCredentials } from 'mcp-credentials'
import { startBearerServer } from '../servers/bearer-server.ts'
import { sameSecret } from '../servers/constant-time.ts'

let valid = 'demo-token-of-monday'
const server = await startBearerServer({
  tokens: (token) => (sameSecret(valid, token) ? { subject: 'alice' } : undefined),
  announce: (line) => console.log(`  server: ${line}`),
})
const folder = await mkdtemp(join(tmpdir(), 'bearer-example-'))
process.once('exit', () => rmSync(folder, { recursive: true }))
const path = join(folder, 'token')
await writeFile(path, valid, { mode: 0o600 })

const client = new Client({ name: 'bearer-example', version: '2.0.0' })
const provider = bearer(file(path))
await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))

const { tools } = await client.listTools()
console.log(`The server offers: ${tools.map(({ name }) => name).join(', ')}`)
const echo = await client.callTool({ name: 'echo', arguments: { text: 'hello' } })
console.log('echo answered:', JSON.stringify(echo.content))
assert.match(JSON.stringify(echo.content), /hello/)

console.log('The token is replaced: on the server, and in the file, while the client runs.')
valid = 'demo-token-of-tuesday'
await writeFile(`${path}.new`, valid, { mode: 0o600 })
await rename(`${path}.new`, path)

const before = server.requests.length
const identity = await client.callTool({ name: 'whoami' })
console.log('whoami answered:', JSON.stringify(identity.content))
assert.match(JSON.stringify(identity.content), /alice/)
const statuses = server.requests.slice(before).map(({ status }) => status)
console.log(`It took two requests (${statuses.join(', ')}); the caller noticed nothing.`)
assert.deepEqual(statuses, [401, 200])

await client.close()
await server.close()
