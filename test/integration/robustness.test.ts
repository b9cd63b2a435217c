import { createHash } from 'node:crypto'
import dns from 'node:dns'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import {
  authorizedFetch,
  bearer,
  type CredentialProvider,
  command,
  custom,
  fromGoogleAuth,
  httpSignature,
  perTenant,
  rotating,
  withCredentials,
} from '../../src/index.ts'
import { stdioEnvironment, toAuthProvider, toOAuthClientProvider } from '../../src/mcp/index.ts'
import { publicFetch } from '../../src/node/index.ts'
import { savedLogin } from '../../src/oauth/index.ts'
import { encryptedFileStore } from '../../src/stores/file.ts'
import { keychainStore } from '../../src/stores/keychain.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { findMcpRemoteLogins } from '../../src/stores/migrate.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { recordingOrigin } from '../support/recording-origin.ts'

afterEach(() => {
  vi.restoreAllMocks()
})
const resource = 'https://mcp.example.com/mcp'
type Sent = { url: string; init: RequestInit; headers: Headers }
function recorder(answer: (sent: Sent, n: number) => Response = () => new Response('ok')) {
  const sent: Sent[] = []
  const fetch = (async (input: string | URL | Request, init: RequestInit = {}) => {
    const one = { url: String(input), init, headers: new Headers(init.headers) }
    sent.push(one)
    return answer(one, sent.length)
  }) as typeof globalThis.fetch
  return { sent, fetch }
}
const key1 = Buffer.alloc(32, 1).toString('base64')
const key2 = Buffer.alloc(32, 2).toString('base64')
const key = key1
const record = { version: 1 as const, provider: 'x', data: { a: 1 } }
const ok = (async () => new Response('ok')) as typeof fetch
const tick = (ms = 20) => new Promise((r) => setTimeout(r, ms))
const outcome = (p: Promise<unknown>, ms = 1500) =>
  Promise.race([
    p.then(
      () => 'resolved',
      () => 'rejected',
    ),
    tick(ms).then(() => 'hangs'),
  ])

test('a Request that passes through keeps its headers', async () => {
  const { sent, fetch } = recorder()
  const send = authorizedFetch(bearer('t'), { resource, fetch })
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded', Authorization: 'Basic x' }
  await send(
    new Request('https://mcp.example.com/token', { method: 'POST', body: 'grant_type=x', headers }),
  )
  await send(new Request('https://other.example.com/', { headers: { 'X-A': '1' } }))
  expect([...(sent[0]?.headers ?? [])]).toEqual([
    ['authorization', 'Basic x'],
    ['content-type', headers['Content-Type']],
  ])
  expect(sent[1]?.headers.get('X-A')).toBe('1')
})

test('undefined members of init do not override those of a Request', async () => {
  const { sent, fetch } = recorder()
  const send = authorizedFetch(bearer('t'), { resource, fetch })
  const abort = new AbortController()
  const request = new Request(resource, { method: 'POST', body: '{"a":1}', signal: abort.signal })
  await send(request, { body: undefined, method: undefined, signal: undefined } as never)
  expect(sent[0]?.init.signal).toBeInstanceOf(AbortSignal)
  expect(sent[0]?.init.method).toBe('POST')
  expect(sent[0]?.init.body).toBeDefined()
})

test('what the caller changes after the call is not sent', async () => {
  const { sent, fetch } = recorder()
  const send = authorizedFetch(bearer('t'), { resource, fetch })
  const url = new URL(resource)
  const one = send(url)
  url.searchParams.set('page', '2')
  await one
  expect(sent[0]?.url).toBe(resource)
})

test('nor is what the caller changes in its options after the call', async () => {
  const { sent, fetch } = recorder()
  const send = authorizedFetch(bearer('t'), { resource, fetch })
  const init: RequestInit = { method: 'POST', body: 'first' }
  const one = send(resource, init)
  init.body = 'second'
  await one
  expect(sent[0]?.init.body).toBe('first')
})

test('a response is not left open when the renewal fails', async () => {
  let cancelled = false
  let pulled = false
  const { fetch } = recorder(
    () =>
      new Response(
        new ReadableStream(
          {
            pull(c) {
              pulled = true
              c.enqueue(new Uint8Array(10))
              c.close()
            },
            cancel() {
              cancelled = true
            },
          },
          { highWaterMark: 0 },
        ),
        { status: 401 },
      ),
  )
  let n = 0
  const provider = custom({
    acquire: () => {
      n += 1
      if (n > 1) throw new Error('down')
      return { apply: ({ headers }) => headers.set('Authorization', 'Bearer x') }
    },
  })
  const send = authorizedFetch(provider, { resource, fetch })
  await expect(send(resource)).rejects.toMatchObject({ code: 'acquire_failed' })
  await tick()
  expect(cancelled || pulled).toBe(true)
})

test('a refused first request does not bind', async () => {
  const { sent, fetch } = recorder()
  const send = withCredentials(bearer('t'), { fetch }).fetch
  await expect(send('http://mcp.example.com/mcp')).rejects.toMatchObject({ code: 'configuration' })
  await send(resource).catch((e) => console.log('second:', e.message))
  await send(resource)
  expect(sent.at(-1)?.headers.get('Authorization')).toBe('Bearer t')
})

test('tenants with one provider object share nothing', async () => {
  const { sent, fetch } = recorder()
  let tenant = 'a'
  const shared = custom({
    acquire: () => {
      const t = tenant
      return { apply: ({ headers }) => headers.set('Authorization', `Bearer ${t}`) }
    },
  })
  const send = authorizedFetch(
    perTenant(
      () => tenant,
      () => shared,
    ),
    { resource, fetch },
  )
  await send(resource)
  tenant = 'b'
  await send(resource)
  expect(sent.map((s) => s.headers.get('Authorization'))).toEqual(['Bearer a', 'Bearer b'])
})

test('tenants with one restoring provider in one store', async () => {
  const { sent, fetch } = recorder()
  let tenant = 'a'
  const store = memoryStore()
  const of = (t: string) => ({
    record: {
      version: 1 as const,
      provider: 'saved',
      generation: 1,
      obtainedAt: Date.now(),
      data: { t },
    },
    apply: ({ headers }: { headers: Headers }) => headers.set('Authorization', `Bearer ${t}`),
  })
  for (const t of ['a', 'b']) await store.set(`${resource} | default | ${t}`, of(t).record)
  const make = (): CredentialProvider => ({
    name: 'saved',
    acquire: async () => {
      throw new Error('no')
    },
    restore: (r) => of(r.data['t'] as string),
  })
  const shared = make()
  const send = authorizedFetch(
    perTenant(
      () => tenant,
      () => shared,
    ),
    { resource, fetch, store },
  )
  await send(resource)
  tenant = 'b'
  await send(resource)
  expect(sent.map((s) => s.headers.get('Authorization'))).toEqual(['Bearer a', 'Bearer b'])
})

test('the tenant is the one at the time of the call', async () => {
  const { sent, fetch } = recorder()
  let tenant = 'a'
  const send = authorizedFetch(
    perTenant(
      () => tenant,
      (t) => bearer(`t-${t}`),
    ),
    { resource, fetch },
  )
  const one = send(resource)
  tenant = 'b'
  await one
  expect(sent[0]?.headers.get('Authorization')).toBe('Bearer t-a')
})

test('a source that fails does not show its secret', async () => {
  const text = 'sk-live-1234567890'
  const send = authorizedFetch(
    bearer(() => (JSON.parse(text) as { token: string }).token),
    { resource },
  )
  const error = await send(resource).catch((e: Error) => e)
  expect((error as Error).message).not.toMatch(/sk-live/)
})

test('a provider that fails to parse does not show its secret', async () => {
  const text = 'sk-live-1234567890'
  const send = authorizedFetch(custom({ acquire: () => JSON.parse(text) }), { resource })
  const error = await send(resource).catch((e: Error) => e)
  expect((error as Error).message).not.toMatch(/sk-live/)
})

test('the shapes of SDK 2.x refuse plain http', () => {
  expect(() => toAuthProvider(bearer('t'), { resource: 'http://mcp.example.com/mcp' })).toThrow()
})

test('the shapes of SDK 1.x refuse plain http, too', () => {
  expect(() =>
    toOAuthClientProvider(bearer('t'), { resource: 'http://mcp.example.com/mcp' }),
  ).toThrow()
})

test('publicFetch checks literal addresses of redirects', async () => {
  const publicAddress = '93.184.216.34'
  const answer = [{ address: publicAddress, family: 4 }]
  const lookupReal = dns.lookup.bind(dns)
  vi.spyOn(dns, 'lookup').mockImplementation(((
    name: string,
    options: object,
    done: (...result: unknown[]) => void,
  ) =>
    name === 'mcp.example.com'
      ? done(null, answer)
      : lookupReal(name, options as never, done as never)) as never)
  const inside = await recordingOrigin((_q, r) => r.end('inside'))
  const outside = await recordingOrigin((_q, r) =>
    r.writeHead(302, { Location: `${inside.origin}/secret` }).end(),
  )
  const connect = net.connect.bind(net)
  vi.spyOn(net, 'connect').mockImplementation(((options: net.TcpNetConnectOpts) => {
    if (options.host !== 'mcp.example.com') return connect(options)
    const lookup: net.LookupFunction = (name, wanted, done) => {
      options.lookup?.(name, wanted, (error, found) =>
        error !== null ? done(error, found) : done(null, [{ address: '127.0.0.1', family: 4 }]),
      )
    }
    return connect({ ...options, port: Number(new URL(outside.origin).port), lookup })
  }) as never)
  const result = await publicFetch()('http://mcp.example.com/a').then(
    (r) => r.text(),
    (e) => e.code,
  )
  expect(result).toBe('private_address')
  expect(inside.requests).toEqual([])
})

test('an interrupted rekey can be run again', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'r-'))
  const store = encryptedFileStore({ key: key1, directory, lockTimeout: 0.2 })
  for (const k of ['a', 'b', 'c']) await store.set(k, record)
  let release = () => {}
  const other = encryptedFileStore({ key: key1, directory })
  const busy = other.lock(
    'b',
    () =>
      new Promise<void>((r) => {
        release = r
      }),
  )
  await tick(100)
  const next = encryptedFileStore({ keys: [key2, key1], directory, lockTimeout: 0.2 })
  await expect(next.rekey()).rejects.toMatchObject({ code: 'store', retryable: true })
  release()
  await busy
  expect(await store.get('b')).toEqual(record)
  expect(await next.get('c')).toEqual(record)
  expect(await next.rekey()).toBe(1)
  expect(await next.get('b')).toEqual(record)
})

test('a folder that is gone is a StoreError', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'r-'))
  const store = encryptedFileStore({ key: key1, directory })
  await store.set('a', record)
  await rm(directory, { recursive: true })
  const result = await store.list().catch((e) => e.code)
  expect(['store', []]).toContainEqual(result)
})

test('the login of the newest mcp-remote is taken', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'r-'))
  const hash = createHash('md5').update(resource).digest('hex')
  for (const v of ['0.1.9', '0.1.29']) {
    await mkdir(join(directory, `mcp-remote-${v}`))
    await writeFile(
      join(directory, `mcp-remote-${v}`, `${hash}_tokens.json`),
      JSON.stringify({ access_token: v }),
    )
  }
  const [login] = await findMcpRemoteLogins({ servers: [{ url: resource }], directory })
  expect(login?.source).toContain('mcp-remote-0.1.29')
})

test('redis: a lock whose answer is lost is not lost', async () => {
  const data = new Map<string, string>()
  let first = true
  const client = {
    isOpen: true,
    connect: async () => {},
    async sendCommand([command, script = '', , lock = '', token = '']: readonly string[]) {
      if (command !== 'EVAL') throw new Error('ERR unknown')
      const isOwn = data.get(lock) === token
      if (!script.includes("'NX'")) {
        if (isOwn && script.includes("'DEL'")) data.delete(lock)
        return isOwn ? 1 : 0
      }
      if (data.has(lock)) return isOwn ? 1 : 0
      data.set(lock, token)
      if (!first) return 1
      first = false
      throw new Error('Socket closed unexpectedly')
    },
  }
  const store = redisStore({ client, key: key1, lockTimeout: 1 })
  const result = await store.lock('k', async () => 'ran').catch((e) => e.code)
  expect(result).toBe('ran')
  expect([...data.keys()]).toEqual([])
})

test('a Request whose body stalls heeds the abort', async () => {
  const { fetch } = recorder()
  const send = authorizedFetch(bearer('t'), { resource, fetch })
  const body = new ReadableStream({ pull: () => new Promise(() => {}) })
  const request = new Request(resource, {
    method: 'POST',
    body,
    duplex: 'half',
    signal: AbortSignal.timeout(50),
  } as never)
  expect(
    await Promise.race([
      send(request).then(
        () => 'sent',
        () => 'rejected',
      ),
      tick(1000).then(() => 'hangs'),
    ]),
  ).toBe('rejected')
})

test('init.body replaces the used body of a Request', async () => {
  const { sent, fetch } = recorder()
  const send = authorizedFetch(bearer('t'), { resource, fetch })
  const request = new Request(resource, { method: 'POST', body: 'old' })
  await send(request, { body: 'new' })
  expect(request.bodyUsed).toBe(false)
  expect(sent[0]?.init.body).toBe('new')
})

test('a redirect to what is no server request goes without the credential', async () => {
  const { sent, fetch } = recorder((_s, n) =>
    n === 1
      ? new Response(null, {
          status: 307,
          headers: { Location: '/.well-known/oauth-authorization-server' },
        })
      : new Response('ok'),
  )
  const send = authorizedFetch(bearer('t'), { resource, fetch })
  await send(resource)
  expect(sent[1]?.headers.get('Authorization') ?? null).toBe(null)
})

test('abort while a signer signs', async () => {
  const provider = httpSignature({
    algorithm: 'ed25519',
    sign: () => new Promise(() => {}),
    keyId: 'k',
  })
  const send = authorizedFetch(provider, { resource, fetch: ok })
  expect(await outcome(send(resource, { signal: AbortSignal.timeout(50) }))).toBe('rejected')
})

test('abort while the store is looked at', async () => {
  const store = { ...memoryStore(), get: () => new Promise<undefined>(() => {}) }
  const provider: CredentialProvider = {
    name: 'd',
    discovers: true,
    acquire: async () => ({ apply() {} }),
    restore: () => undefined,
  }
  const send = authorizedFetch(provider, { resource, store, fetch: ok })
  expect(await outcome(send(resource, { signal: AbortSignal.timeout(50) }))).toBe('rejected')
})

test('abort at the moment of a retry', async () => {
  const abort = new AbortController()
  const busy = (async () =>
    new Response('busy', { status: 503, headers: { 'Retry-After': '3' } })) as typeof fetch
  const send = authorizedFetch(bearer('t'), {
    resource,
    fetch: busy,
    retry: { maxRetries: 2, statusCodes: [503] },
    onEvent: (e) => {
      if (e.type === 'request_retry') abort.abort()
    },
  })
  expect(await outcome(send(resource, { signal: abort.signal }))).toBe('rejected')
})

test('abort while the response arrives', async () => {
  const abort = new AbortController()
  const busy = (async () => {
    abort.abort()
    return new Response('busy', { status: 503, headers: { 'Retry-After': '3' } })
  }) as typeof fetch
  const send = authorizedFetch(bearer('t'), {
    resource,
    fetch: busy,
    retry: { maxRetries: 2, statusCodes: [503] },
  })
  expect(await outcome(send(resource, { signal: abort.signal }))).toBe('rejected')
})

test('redis: aborted while the lock is asked for', async () => {
  const data = new Map<string, string>()
  const client = {
    isOpen: true,
    connect: async () => {},
    async sendCommand([, script = '', , lock = '', token = '']: readonly string[]) {
      await tick(100)
      if (!script.includes("'NX'")) return data.delete(lock) ? 1 : 0
      if (data.has(lock)) return 0
      data.set(lock, token)
      return 1
    },
  }
  let ran = false
  const result = await outcome(
    redisStore({ client, key }).lock(
      'k',
      async () => {
        ran = true
      },
      AbortSignal.timeout(30),
    ),
  )
  expect([result, ran]).toEqual(['rejected', false])
})

test('body bytes are those at the time of the call', async () => {
  const sent: string[] = []
  const f = (async (_u: unknown, i: RequestInit) => {
    sent.push(new TextDecoder().decode(i.body as Uint8Array))
    return new Response('ok')
  }) as typeof fetch
  const send = authorizedFetch(bearer('t'), { resource, fetch: f })
  const bytes = new TextEncoder().encode('first')
  const one = send(resource, { method: 'POST', body: bytes })
  bytes.set(new TextEncoder().encode('other'))
  await one
  expect(sent).toEqual(['first'])
})

test('a provider cannot set the headers of the transport', async () => {
  const { sent, fetch } = recorder()
  const provider = fromGoogleAuth({
    getRequestHeaders: async () => ({
      Authorization: 'Bearer g',
      'Content-Type': 'text/plain',
      'Mcp-Session-Id': 'theirs',
    }),
  })
  const send = authorizedFetch(provider, { resource, fetch })
  await send(resource, {
    method: 'POST',
    body: '{}',
    headers: { 'Content-Type': 'application/json', 'Mcp-Session-Id': 'mine' },
  }).catch(() => {})
  expect(sent[0]?.headers.get('Content-Type') ?? 'application/json').toBe('application/json')
  expect(sent[0]?.headers.get('Mcp-Session-Id') ?? 'mine').toBe('mine')
})

test('nor can a custom provider', async () => {
  const { sent, fetch } = recorder()
  const provider = custom({
    acquire: () => ({ apply: ({ headers }) => headers.set('Mcp-Session-Id', 'theirs') }),
  })
  const send = authorizedFetch(provider, { resource, fetch })
  await send(resource, { method: 'POST', body: '{}', headers: { 'Mcp-Session-Id': 'mine' } }).catch(
    () => {},
  )
  expect(sent[0]?.headers.get('Mcp-Session-Id') ?? 'mine').toBe('mine')
})

test('a long time limit', async () => {
  expect(await command(['echo', 'x'], { timeout: 3_000_000 })()).toBe('x')
})

test('a failing challenge does not leave the stepped-up response open', async () => {
  let open = 0
  const { fetch } = recorder(
    () =>
      new Response(
        new ReadableStream(
          {
            start() {
              open += 1
            },
            pull(c) {
              open -= 1
              c.close()
            },
          },
          { highWaterMark: 0 },
        ),
        {
          status: 403,
          headers: { 'WWW-Authenticate': 'Bearer error="insufficient_scope", scope="x"' },
        },
      ),
  )
  let n = 0
  const provider = {
    name: 's',
    scoped: true,
    acquire: async () => {
      if (++n > 1) throw new Error('no')
      return { scope: 'a', apply() {} }
    },
  }
  const send = authorizedFetch(provider, { resource, fetch })
  const r = await send(resource).catch((e) => e.code)
  await tick()
  if (typeof r === 'string') expect(open).toBe(0)
  else console.log('not thrown', r.status)
})

test('the method that a credential sees is the one that is sent', async () => {
  const seen: string[] = []
  const wire: string[] = []
  const f = (async (u: URL, i: RequestInit) => {
    wire.push(new Request(u, i).method)
    return new Response('ok')
  }) as typeof fetch
  const send = authorizedFetch(
    custom({ acquire: () => ({ apply: (r) => void seen.push(r.method) }) }),
    { resource: 'https://a.example/', fetch: f },
  )
  await send('https://a.example/', { method: 'patch', body: 'x' })
  expect(seen).toEqual(wire)
})

test('connections of refused requests are let go', async () => {
  let open = 0
  let n = 0
  const server = createServer((_q, r) => {
    n += 1
    if (n % 2 === 1) {
      open += 1
      r.on('close', () => {
        open -= 1
      })
      r.writeHead(401)
      r.write('x')
    } else r.end('ok')
  }).listen(0)
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://localhost:${(server.address() as { port: number }).port}/mcp`
  let v = 0
  const send = authorizedFetch(
    custom({
      acquire: () => {
        const t = ++v
        return { apply: ({ headers }) => headers.set('Authorization', `Bearer ${t}`) }
      },
    }),
    { resource: url },
  )
  expect(await (await send(url)).text()).toBe('ok')
  await new Promise((r) => setTimeout(r, 6000))
  expect(open).toBe(0)
}, 15000)

test('rotating logins can be revoked', async () => {
  let revoked = 0
  const login = (): CredentialProvider => ({
    name: 'l',
    acquire: async () => ({ apply() {} }),
    revoke: async () => {
      revoked += 1
      return true
    },
  })
  const send = authorizedFetch(rotating([login(), login()]), { resource: 'https://a.example/' })
  await send.manager.credential()
  await send.manager.logout()
  expect(revoked).toBe(1)
})

test('rotating passes step-up on', async () => {
  const login = (): CredentialProvider => ({
    name: 'l',
    scoped: true,
    discovers: true,
    acquire: async () => ({ apply() {} }),
  })
  expect(rotating([login(), login()]).scoped).toBe(true)
})

test('savedLogin shared by tenants, one store', async () => {
  const store = memoryStore()
  const sent: (string | null)[] = []
  const fetch = (async (_u: unknown, i: RequestInit) => {
    sent.push(new Headers(i.headers).get('Authorization'))
    return new Response('ok')
  }) as typeof globalThis.fetch
  for (const t of ['a', 'b']) {
    await store.set(`${resource} | default | ${t}`, {
      version: 1,
      provider: 'authorizationCode',
      generation: 1,
      issuer: 'https://login.example.com',
      obtainedAt: Date.now(),
      expiresAt: Date.now() + 3_600_000,
      data: { accessToken: `token-of-${t}`, clientId: 'c', tokenType: 'bearer' },
    })
  }
  const login = savedLogin()
  let tenant = 'a'
  const send = authorizedFetch(
    perTenant(
      () => tenant,
      () => login,
    ),
    { resource, store, fetch },
  )
  await send(resource)
  tenant = 'b'
  await send(resource)
  expect(sent).toEqual(['Bearer token-of-a', 'Bearer token-of-b'])
})

test('stdioEnvironment heeds its signal for secrets', async () => {
  const done = stdioEnvironment(
    { KEY: () => new Promise<string>(() => {}) },
    { signal: AbortSignal.timeout(30) },
  ).then(
    () => 'ok',
    () => 'rejected',
  )
  expect(await Promise.race([done, tick(1500).then(() => 'hangs')])).toBe('rejected')
})

test('keychain: a record that appears between two reads', async () => {
  let n = 0
  const text = JSON.stringify(record)
  const backend = {
    getPassword: async () => (n++ === 0 ? null : text),
    setPassword: async () => {},
    deletePassword: async () => true,
    findCredentials: async () => [{ account: 'k', password: text }],
  }
  expect(await keychainStore({ service: 'test', backend }).get('k')).toEqual(record)
})

test('keychain: clean-up of old parts does not undo a write', async () => {
  const data = new Map<string, string>()
  let fail = false
  const backend = {
    getPassword: async (_s: string, a: string) => data.get(a) ?? null,
    setPassword: async (_s: string, a: string, p: string) => void data.set(a, p),
    deletePassword: async (_s: string, a: string) => {
      if (fail) throw new Error('busy')
      return data.delete(a)
    },
    findCredentials: async () => [...data].map(([account, password]) => ({ account, password })),
  }
  const store = keychainStore({ service: 'test', backend, maxLength: 100 })
  const big = (n: number) => ({
    version: 1 as const,
    provider: 'x',
    generation: n,
    data: { t: 'a'.repeat(200) },
  })
  await store.set('k', big(1))
  fail = true
  const result = await outcome(store.set('k', big(2)))
  expect(await store.get('k')).toEqual(big(2))
  expect(result).toBe('resolved')
})
