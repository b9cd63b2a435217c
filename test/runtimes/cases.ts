/**
 * What the core must do on every platform. It needs no runner, so that runtimes other than Node can play it.
 *
 * @module
 */
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as v2 from '@modelcontextprotocol/client'
import * as v1 from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
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
import { startApiKeyServer } from '../../examples/servers/api-key-server.ts'
import { startHmacServer } from '../../examples/servers/hmac-server.ts'
import { startHttpSignatureServer } from '../../examples/servers/http-signature-server.ts'
import { startPlainServer } from './plain-server.ts'

/** One thing that must hold. */
export interface RuntimeCase {
  readonly name: string
  run(): Promise<void>
}

const key = 'k-5f2d90e1c7'
const post = { method: 'POST', body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' }

/** Numbers its tokens and counts the acquisitions. */
function numbered(lifeMs = 3_600_000): CredentialProvider & { readonly issued: string[] } {
  const issued: string[] = []
  return {
    name: 'numbered',
    issued,
    async acquire({ now }) {
      const token = `token-${issued.length + 1}`
      issued.push(token)
      await new Promise((resolve) => setTimeout(resolve, 30))
      return {
        expiresAt: now() + lifeMs,
        apply: ({ headers: given }) => given.set('Authorization', `Bearer ${token}`),
      }
    },
  }
}

/** Everything that an error shows to whoever prints it. */
function everythingIn(error: unknown, depth = 0): string {
  if (typeof error !== 'object' || error === null || depth > 5) return String(error)
  const values = Object.getOwnPropertyNames(error).map((name) =>
    everythingIn((error as Record<string, unknown>)[name], depth + 1),
  )
  return [String(error), ...values].join('\n')
}

async function errorOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new assert.AssertionError({ message: 'There was no error.' })
}

/** Calls a tool of an MCP server through the transport of one of the official SDKs. */
async function whoAmI(sdk: 'v1' | 'v2', url: URL, provider: CredentialProvider): Promise<string> {
  const options = withCredentials(provider, { resource: url })
  const info = { name: 'test', version: '1.0.0' }
  const client = sdk === 'v1' ? new v1.Client(info) : new v2.Client(info)
  const transport =
    sdk === 'v1'
      ? new StreamableHTTPClientTransport(url, options)
      : new v2.StreamableHTTPClientTransport(url, options)
  await client.connect(transport as never)
  try {
    return JSON.stringify(await client.callTool({ name: 'whoami' }))
  } finally {
    await client.close()
  }
}

const credentials: RuntimeCase[] = [
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
        assert.match(await whoAmI('v1', server.url, hmac({ secret: key })), /alice/)
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
        assert.match(await whoAmI('v1', server.url, provider), /alice/)
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

const transports: RuntimeCase[] = (['v1', 'v2'] as const).map((sdk) => ({
  name: `the transport of the official SDK ${sdk} is authenticated`,
  async run() {
    const server = await startApiKeyServer({ keys: { [key]: 'alice' } })
    try {
      assert.match(await whoAmI(sdk, server.url, apiKey({ value: key })), /alice/)
    } finally {
      await server.close()
    }
  },
}))

const life: RuntimeCase[] = [
  {
    name: 'twenty requests at the same time share one acquisition, and one renewal after a 401',
    async run() {
      await using server = await startPlainServer(({ headers: given }) => ({
        status: given.authorization === 'Bearer token-1' && server.refuses ? 401 : 200,
      }))
      const provider = numbered()
      const send = authorizedFetch(provider, { resource: server.url })
      const crowd = () =>
        Promise.all(
          Array.from({ length: 20 }, async () => {
            const response = await send(server.url, post)
            await response.text()
            return response.status
          }),
        )
      assert.deepEqual(new Set(await crowd()), new Set([200]))
      assert.deepEqual(provider.issued, ['token-1'])
      server.refuses = true
      assert.deepEqual(new Set(await crowd()), new Set([200]))
      assert.deepEqual(provider.issued, ['token-1', 'token-2'])
      assert.equal(server.requests.at(-1)?.body, post.body)
    },
  },
  {
    name: 'a credential is renewed in the background before it expires',
    async run() {
      await using server = await startPlainServer()
      let skew = 0
      const provider = numbered()
      const now = () => Date.now() + skew
      const send = authorizedFetch(provider, { resource: server.url, now })
      await send(server.url)
      skew = 3_560_000
      await send(server.url)
      await new Promise((resolve) => setTimeout(resolve, 100))
      await send(server.url)
      const sent = server.requests.map(({ headers: given }) => given.authorization)
      assert.deepEqual(sent, ['Bearer token-1', 'Bearer token-1', 'Bearer token-2'])
    },
  },
  {
    name: 'a request is sent again for the statuses that the options name',
    async run() {
      await using server = await startPlainServer((_request, count) => ({
        status: count === 1 ? 503 : 200,
      }))
      const retry = { maxRetries: 2, statusCodes: [401, 503], backoffFactor: 0.01 }
      const send = authorizedFetch(bearer(key), { resource: server.url, retry })
      assert.equal((await send(server.url, post)).status, 200)
      assert.deepEqual(
        server.requests.map(({ body }) => body),
        [post.body, post.body],
      )
    },
  },
  {
    name: 'a redirect is followed within the origin, and to no other one',
    async run() {
      await using other = await startPlainServer()
      await using server = await startPlainServer(({ url }) => {
        if (url === '/mcp') return { status: 307, headers: { Location: '/final' } }
        if (url === '/out') return { status: 307, headers: { Location: other.url.href } }
        return { status: 200 }
      })
      const send = authorizedFetch(bearer(key), { resource: server.url })
      assert.equal((await send(server.url, post)).status, 200)
      const last = server.requests.at(-1)
      assert.equal(last?.url, '/final')
      assert.equal(last?.body, post.body)
      assert.equal(last?.headers.authorization, `Bearer ${key}`)
      assert.equal((await send(new URL('/out', server.url), post)).status, 307)
      assert.equal(other.requests.length, 0)
    },
  },
  {
    name: 'bodies of every kind arrive as they were given',
    async run() {
      await using server = await startPlainServer()
      const send = authorizedFetch(bearer(key), { resource: server.url })
      const bytes = new TextEncoder().encode('Zoë')
      const stream = new ReadableStream({
        start(controller) {
          controller.enqueue(bytes)
          controller.close()
        },
      })
      const bodies = ['Zoë', bytes, bytes.buffer, stream, new Blob(['Zoë'])]
      for (const body of bodies) {
        await send(server.url, { method: 'POST', body, duplex: 'half' } as RequestInit)
      }
      await send(new Request(server.url, { method: 'POST', body: 'Zoë' }))
      assert.deepEqual(
        server.requests.map(({ body }) => body),
        Array.from({ length: 6 }, () => 'Zoë'),
      )
    },
  },
  {
    name: 'a long answer is passed on while it arrives',
    async run() {
      await using server = await startPlainServer(() => ({ status: 200, open: 'data: 1\n\n' }))
      const send = authorizedFetch(bearer(key), { resource: server.url })
      const controller = new AbortController()
      const response = await send(server.url, { signal: controller.signal })
      const reader = response.body?.getReader()
      const chunk = await reader?.read()
      assert.equal(new TextDecoder().decode(chunk?.value), 'data: 1\n\n')
      controller.abort(new Error('enough'))
      const rest = async () => {
        for (let done = false; !done; ) done = (await reader?.read())?.done ?? true
        return 'the body ended'
      }
      await assert.rejects(rest())
    },
  },
  {
    name: 'an abort ends a request that waits for its credential, with its reason',
    async run() {
      const provider: CredentialProvider = {
        name: 'slow',
        acquire: ({ signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason))
          }),
      }
      const resource = 'http://127.0.0.1:9/mcp'
      const send = authorizedFetch(provider, { resource })
      const controller = new AbortController()
      const sent = send(resource, { signal: controller.signal })
      controller.abort(new Error('The caller has gone.'))
      assert.equal((await errorOf(sent)).message, 'The caller has gone.')
    },
  },
]

const secrecy: RuntimeCase[] = [
  {
    name: 'no network error shows a key that is in the query',
    async run() {
      const server = await startPlainServer(() => 'cut')
      const resource = server.url
      const send = authorizedFetch(apiKey({ value: key, query: 'api_key' }), { resource })
      const cut = await errorOf(send(resource, post))
      await server[Symbol.asyncDispose]()
      const refused = await errorOf(send(resource, post))
      for (const error of [cut, refused])
        assert.ok(!everythingIn(error).includes(key), String(error))
    },
  },
  {
    name: 'no refused redirect shows a key that is in the query',
    async run() {
      await using server = await startPlainServer(() => ({
        status: 307,
        headers: { Location: '/final' },
      }))
      const resource = server.url
      const send = authorizedFetch(apiKey({ value: key, query: 'api_key' }), { resource })
      const error = await errorOf(send(resource, { ...post, redirect: 'error' }))
      assert.ok(!everythingIn(error).includes(key), String(error))
    },
  },
  {
    name: 'no failed acquisition shows the URL that the provider asked',
    async run() {
      const server = await startPlainServer(() => 'cut')
      const provider: CredentialProvider = {
        name: 'exchange',
        async acquire({ fetch, signal }) {
          await fetch(new URL(`/token?code=${key}`, server.url), { signal })
          throw new Error('unreachable')
        },
      }
      const resource = server.url
      const cut = await errorOf(authorizedFetch(provider, { resource })(resource, post))
      await server[Symbol.asyncDispose]()
      const refused = await errorOf(authorizedFetch(provider, { resource })(resource, post))
      for (const error of [cut, refused])
        assert.ok(!everythingIn(error).includes(key), String(error))
    },
  },
  {
    name: 'no header that the platform refuses shows its value',
    async run() {
      const bad: CredentialProvider = {
        name: 'bad',
        acquire: async () => ({
          apply: ({ headers: given }) => given.set('Authorization', `Bearer ${key}\n`.repeat(2)),
        }),
      }
      const worse: CredentialProvider = {
        name: 'worse',
        async acquire() {
          new Headers().set('Authorization', `Bearer ${key}\u4e00\n${key}`)
          throw new Error('unreachable')
        },
      }
      const resource = 'http://127.0.0.1:9/mcp'
      for (const provider of [bad, worse]) {
        const error = await errorOf(authorizedFetch(provider, { resource })(resource, post))
        assert.ok(!everythingIn(error).includes(key), String(error))
      }
    },
  },
]

/** All of them, in the order in which they are played. */
export const cases: readonly RuntimeCase[] = [...credentials, ...transports, ...life, ...secrecy]
