import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { expect, onTestFinished, test } from 'vitest'
import {
  type HttpSignatureServer,
  startHttpSignatureServer,
} from '../../examples/servers/http-signature-server.ts'
import { all, type CredentialProvider, file, headers, withCredentials } from '../../src/index.ts'
import { httpSignature } from '../../src/providers/http-signature.ts'
import { until } from '../support/tokens.ts'

const alice = generateKeyPairSync('ed25519')
const mallory = generateKeyPairSync('ed25519')

const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString()

const signing = (key: KeyObject = alice.privateKey) =>
  httpSignature({
    algorithm: 'ed25519',
    key: pem(key),
    keyId: 'alice',
    optionalComponents: ['content-type', 'mcp-session-id'],
  })

async function started(): Promise<HttpSignatureServer> {
  const server = await startHttpSignatureServer({
    keys: { alice: { subject: 'alice', publicKey: alice.publicKey } },
  })
  onTestFinished(() => server.close())
  return server
}

async function connected(
  server: HttpSignatureServer,
  provider: CredentialProvider,
  options?: Parameters<typeof withCredentials>[1],
): Promise<Client> {
  const client = new Client({ name: 'test', version: '1.0.0' })
  onTestFinished(() => client.close())
  const transport = new StreamableHTTPClientTransport(
    server.url,
    withCredentials(provider, options),
  )
  await client.connect(transport)
  return client
}

const whoAmI = async (client: Client) => JSON.stringify(await client.callTool({ name: 'whoami' }))

const streamIsOpen = (server: HttpSignatureServer) =>
  until(() => server.requests.some(({ method }) => method === 'GET'), 'the GET stream')

const statuses = ({ requests }: HttpSignatureServer) => requests.map(({ status }) => status)

test('every request of the official client is accepted', async () => {
  const server = await started()
  const client = await connected(server, signing())

  expect(await whoAmI(client)).toContain('alice')
  const echo = await client.callTool({ name: 'echo', arguments: { text: 'Grüße, 世界' } })
  expect(JSON.stringify(echo)).toContain('Grüße, 世界')
  await streamIsOpen(server)
  await (client.transport as StreamableHTTPClientTransport).terminateSession()

  const methods = server.requests.map(({ method }) => method)
  expect(methods.sort()).toEqual(['DELETE', 'GET', 'POST', 'POST', 'POST', 'POST'])
  expect(server.requests.every(({ authenticated }) => authenticated)).toBe(true)
})

test('a request whose body was changed on its way is refused', async () => {
  const server = await started()
  const change: typeof fetch = (url, init) =>
    fetch(url, { ...init, body: String(init?.body).replace('"test"', '"evil"') })

  await expect(connected(server, signing(), { fetch: change })).rejects.toThrow()

  expect(server.requests[0]?.body).toContain('evil')
  expect(new Set(statuses(server))).toEqual(new Set([401]))
})

test('a request whose digest was changed with its body is refused', async () => {
  const server = await started()
  const provider = all(signing(), headers({ 'Content-Digest': `sha-256=:${'A'.repeat(43)}=:` }))

  await expect(connected(server, provider)).rejects.toThrow()

  expect(new Set(statuses(server))).toEqual(new Set([401]))
})

test.each([
  ['path', '/mcp/other'],
  ['query', '/mcp?admin=1'],
])('a request whose %s was changed on its way is refused', async (_part, target) => {
  const server = await started()
  const change: typeof fetch = (url, init) => fetch(new URL(target, String(url)), init)

  await expect(connected(server, signing(), { fetch: change })).rejects.toThrow()

  expect(new Set(statuses(server))).toEqual(new Set([401]))
})

test('a request that is sent a second time is refused', async () => {
  const server = await started()
  const replays: number[] = []
  const twice: typeof fetch = async (url, init) => {
    const response = await fetch(url, init)
    if (init?.method === 'POST') replays.push((await fetch(url, init)).status)
    return response
  }

  const client = await connected(server, signing(), { fetch: twice })

  expect(await whoAmI(client)).toContain('alice')
  expect(new Set(replays)).toEqual(new Set([401]))
})

test('a request signed with a foreign key is refused', async () => {
  const server = await started()

  await expect(connected(server, signing(mallory.privateKey))).rejects.toThrow()

  expect(statuses(server)).toEqual([401, 401])
})

test.each(['@method', '@authority', '@path', '@query'])(
  'a signature that does not cover %s is refused',
  async (left) => {
    const server = await started()
    const components = ['@method', '@authority', '@path', '@query'].filter((name) => name !== left)
    const key = pem(alice.privateKey)
    const provider = httpSignature({ algorithm: 'ed25519', key, keyId: 'alice', components })

    await expect(connected(server, provider)).rejects.toThrow()

    expect(new Set(statuses(server))).toEqual(new Set([401]))
  },
)

test('a key that was replaced in its file is picked up after a 401', async () => {
  const server = await started()
  const folder = mkdtempSync(join(tmpdir(), 'mcp-credentials-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'key.pem')
  writeFileSync(path, pem(alice.privateKey))
  const provider = httpSignature({ algorithm: 'ed25519', key: file(path), keyId: 'alice' })
  const client = await connected(server, provider)
  await streamIsOpen(server)
  const before = server.requests.length

  const next = generateKeyPairSync('ed25519')
  server.replaceKeys({ alice: { subject: 'alice, with a new key', publicKey: next.publicKey } })
  writeFileSync(path, pem(next.privateKey))

  expect(await whoAmI(client)).toContain('alice, with a new key')
  expect(await whoAmI(client)).toContain('alice, with a new key')
  expect(statuses(server).slice(before)).toEqual([401, 200, 200])
})

test('a machine whose clock is an hour slow signs with the time of the server after a 401', async () => {
  const server = await started()

  const client = await connected(server, signing(), { now: () => Date.now() - 3_600_000 })

  expect(await whoAmI(client)).toContain('alice')
  expect(statuses(server).filter((status) => status === 401)).toHaveLength(1)
})
