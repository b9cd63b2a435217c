import assert from 'node:assert/strict'
import { apiKey, authorizedFetch, bearer, type CredentialProvider } from 'mcp-credentials'
import { errorOf, everythingIn, key, numbered, post, type RuntimeCase } from './case.ts'
import { startPlainServer } from './plain-server.ts'

/** How requests fare. */
export const requestCases: RuntimeCase[] = [
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
      let renewed = () => {}
      const isRenewed = new Promise<void>((resolve) => {
        renewed = resolve
      })
      const provider = numbered()
      const send = authorizedFetch(provider, {
        resource: server.url,
        now: () => Date.now() + skew,
        onEvent: ({ type }) => type === 'acquire_success' && skew > 0 && renewed(),
      })
      await send(server.url)
      skew = 3_560_000
      await send(server.url)
      await isRenewed
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

/** What no error may show. */
export const secrecyCases: RuntimeCase[] = [
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
