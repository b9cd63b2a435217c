import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { mutualTls } from 'mcp-credentials/node'
import { createCertificateAuthority } from '../servers/certificates.ts'
import { startMtlsServer } from '../servers/mtls-server.ts'
import { needOpenssl } from '../servers/skip.ts'
import { show, whoami } from '../servers/tools.ts'

needOpenssl()
const authority = createCertificateAuthority()
const { ca } = authority
const certificate = authority.issue('server', { server: true })
const server = await startMtlsServer({ ca, certificate, announce: show })
const files = authority.issue('alice')

const onReload = (error?: Error) => console.log(error?.message ?? 'the new certificate is in use')
const fetch = mutualTls({ ...files, ca, onReload })
async function session(): Promise<string> {
  const client = new Client({ name: 'mtls-example', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(server.url, { fetch }))
  const answer = await whoami(client)
  await client.close()
  return answer
}
assert.match(await session(), /alice/)

console.log('the certificate is replaced:')
const renewed = authority.issue('alice, renewed')
copyFileSync(renewed.cert, files.cert)
copyFileSync(renewed.key, files.key)
// The files are checked once a second.
await pause(1000)
assert.match(await session(), /alice, renewed/)

await fetch.close()
await server.close()
authority.remove()
