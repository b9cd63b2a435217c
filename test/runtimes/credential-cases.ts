import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import {
  all,
  apiKey,
  authorizedFetch,
  basic,
  bearer,
  type CredentialProvider,
  command,
  file,
  generateSigningKey,
  headers,
  hmac,
  httpSignature,
  jwt,
  perTenant,
  withCredentials,
} from 'mcp-credentials'
import { startHmacServer } from '../../examples/servers/hmac-server.ts'
import { startHttpSignatureServer } from '../../examples/servers/http-signature-server.ts'
import { key, post, type RuntimeCase } from './case.ts'
import { startPlainServer } from './plain-server.ts'

/** Calls a tool of an MCP server through the transport of an official SDK. */
async function whoAmI(url: URL, provider: CredentialProvider): Promise<string> {
  const options = withCredentials(provider, { resource: url })
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(url, options))
  try {
    return JSON.stringify(await client.callTool({ name: 'whoami' }))
  } finally {
    await client.close()
    await options.close()
  }
}

/** Every kind of credential, as servers see it. */
export const credentialCases: RuntimeCase[] = [
  {
    name: 'apiKey() puts the key into a header, or into the query',
    async run() {
      await using server = await startPlainServer()
      const resource = server.url
      await authorizedFetch(apiKey({ value: key }), { resource })(resource, post)
      await authorizedFetch(apiKey({ value: key, query: 'api_key' }), { resource })(resource, post)
      const [inHeader, inQuery] = server.requests
      assert.equal(inHeader?.headers['x-api-key'], key)
      assert.equal(inHeader?.body, post.body)
      assert.equal(inQuery?.url, `/mcp?api_key=${key}`)
    },
  },
  {
    name: 'bearer(), basic(), headers() and all() set their headers',
    async run() {
      await using server = await startPlainServer()
      const resource = server.url
      const provider = all(bearer(key), headers({ 'X-Tenant': 'acme' }))
      await authorizedFetch(provider, { resource })(resource, post)
      const person = basic({ username: 'zoë', password: key })
      await authorizedFetch(person, { resource })(resource, post)
      const [both, named] = server.requests
      assert.equal(both?.headers.authorization, `Bearer ${key}`)
      assert.equal(both?.headers['x-tenant'], 'acme')
      const encoded = Buffer.from(`zoë:${key}`).toString('base64')
      assert.equal(named?.headers.authorization, `Basic ${encoded}`)
    },
  },
  {
    name: 'hmac() makes signatures that a server accepts',
    async run() {
      const server = await startHmacServer({ secrets: { alice: key } })
      try {
        assert.match(await whoAmI(server.url, hmac({ secret: key })), /alice/)
      } finally {
        await server.close()
      }
    },
  },
  {
    name: 'httpSignature() makes signatures that a server accepts',
    async run() {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519')
      const keys = { alice: { subject: 'alice', publicKey } }
      const server = await startHttpSignatureServer({ keys })
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      const optionalComponents = ['content-type', 'mcp-session-id']
      const settings = { algorithm: 'ed25519', keyId: 'alice', optionalComponents } as const
      try {
        const provider = httpSignature({ ...settings, key: pem })
        assert.match(await whoAmI(server.url, provider), /alice/)
      } finally {
        await server.close()
      }
    },
  },
  {
    name: 'jwt() mints tokens that can be verified, with a secret and with private keys',
    async run() {
      const { importSPKI, jwtVerify } = await import('jose')
      await using server = await startPlainServer()
      const resource = server.url
      const secret = 's'.repeat(32)
      await authorizedFetch(jwt({ algorithm: 'HS256', secret, issuer: 'test' }), { resource })(
        resource,
      )
      const tokenOf = (index: number) =>
        server.requests[index]?.headers.authorization?.replace('Bearer ', '') ?? ''
      const shared = await jwtVerify(tokenOf(0), new TextEncoder().encode(secret))
      assert.equal(shared.payload.iss, 'test')
      for (const [index, algorithm] of (['ES256', 'EdDSA', 'RS256'] as const).entries()) {
        const { privateKey, publicKey } = await generateSigningKey(algorithm)
        await authorizedFetch(jwt({ algorithm, key: privateKey }), { resource })(resource)
        await jwtVerify(tokenOf(index + 1), await importSPKI(publicKey, algorithm))
      }
    },
  },
  {
    name: 'perTenant() chooses by what the request was made for',
    async run() {
      await using server = await startPlainServer()
      const tenant = new AsyncLocalStorage<string>()
      const provider = perTenant(
        () => tenant.getStore() ?? '',
        (name) => bearer(`of-${name}`),
      )
      const send = authorizedFetch(provider, { resource: server.url })
      const names = ['acme', 'zenith', 'acme']
      await Promise.all(names.map((name) => tenant.run(name, () => send(server.url, post))))
      const sent = server.requests.map(({ headers: given }) => given.authorization)
      assert.deepEqual(sent.sort(), ['Bearer of-acme', 'Bearer of-acme', 'Bearer of-zenith'])
    },
  },
  {
    name: 'file() and command() read secrets',
    async run() {
      await using server = await startPlainServer()
      const resource = server.url
      const folder = await mkdtemp(join(tmpdir(), 'runtimes-'))
      const path = join(folder, 'key')
      await writeFile(path, `${key}\n`)
      await authorizedFetch(bearer(file(path)), { resource })(resource)
      await authorizedFetch(bearer(command(['cat', path])), { resource })(resource)
      await rm(folder, { recursive: true })
      const sent = server.requests.map(({ headers: given }) => given.authorization)
      assert.deepEqual(sent, [`Bearer ${key}`, `Bearer ${key}`])
    },
  },
]
