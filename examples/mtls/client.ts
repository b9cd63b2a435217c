import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { mutualTls } from 'mcp-credentials/node'
import { createCertificateAuthority } from '../servers/certificates.ts'
import { startMtlsServer } from '../servers/mtls-server.ts'

const authority = createCertificateAuthority()
const server = await startMtlsServer({
  ca: authority.ca,
  certificate: authority.issue('server', { server: true }),
  announce: (line) => console.log(`  server: ${line}`),
})
const files = authority.issue('alice')

const fetch = mutualTls({
  ...files,
  ca: authority.ca,
  onReload: (error) => console.log(error?.message ?? 'The new certificate is in use.'),
})
const whoami = async () => {
  const client = new Client({ name: 'mtls-example', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(server.url, { fetch }))
  const { content } = await client.callTool({ name: 'whoami' })
  console.log('whoami answered:', JSON.stringify(content))
  await client.close()
  return JSON.stringify(content)
}
assert.match(await whoami(), /alice/)

const renewed = authority.issue('alice, renewed')
copyFileSync(renewed.cert, files.cert)
copyFileSync(renewed.key, files.key)
console.log('The certificate was replaced; the files are looked at once a second.')
await sleep(1000)
assert.match(await whoami(), /alice, renewed/)

await fetch.close()
await server.close()
authority.remove()
