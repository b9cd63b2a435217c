import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { bearer } from '../../src/index.ts'
import { lineClient } from '../support/bridge-client.ts'
import { canWriteDeepJson, deepJson } from '../support/deep-json.ts'
import { recordingOrigin } from '../support/recording-origin.ts'
import { reply, scriptedMcp } from '../support/scripted-mcp.ts'

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const refusedFetch = () =>
  Promise.reject(
    new TypeError('fetch failed', {
      cause: Object.assign(new Error(), { code: 'ECONNREFUSED', syscall: 'connect' }),
    }),
  )

describe('a server that cannot be reached', () => {
  it('gets a request that was not sent once it is there', async () => {
    const port = await freePort()
    const client = lineClient(`http://127.0.0.1:${port}/mcp`)
    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })
    const bodies: string[] = []
    const server = createServer(async (request, response) => {
      for await (const chunk of request) bodies.push(String(chunk))
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end('{"jsonrpc":"2.0","id":1,"result":{}}')
    })
    await new Promise((resolve) => setTimeout(resolve, 50))
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })

    expect(await client.next()).toEqual({ jsonrpc: '2.0', id: 1, result: {} })
    expect(bodies).toHaveLength(1)
  })

  it('is named with where it redirects to', async () => {
    const server = await recordingOrigin((_request, response) =>
      response.writeHead(302, { location: 'https://login.example.com/start?x=1' }).end(),
    )
    const client = lineClient(`${server.origin}/mcp`)

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })

    expect(await client.next()).toMatchObject({
      error: {
        message: expect.stringContaining(
          'redirects (HTTP 302) to https://login.example.com/start;',
        ),
        data: { code: 'redirect_refused' },
      },
    })
  })

  it('is said at once, and is an error of initialize after a few seconds', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const client = lineClient('https://mcp.example.com/mcp', { fetch: refusedFetch })

    const begun = client.initialize()
    await vi.advanceTimersByTimeAsync(100)
    const said = [...client.log]
    await vi.advanceTimersByTimeAsync(4000)

    expect(said).toEqual([
      'https://mcp.example.com/mcp cannot be reached (ECONNREFUSED). Retrying for 4 s.',
    ])
    expect(await begun).toMatchObject({
      id: 0,
      error: { message: expect.stringContaining('cannot be reached (ECONNREFUSED)') },
    })
  })

  it('is one error for each request, and none for a notification', async () => {
    let attempts = 0
    const fetch = () => {
      attempts += 1
      // The delays grow; the test need not wait for all of them.
      if (attempts < 3) return refusedFetch()
      return Promise.reject(new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } }))
    }
    const client = lineClient('https://mcp.example.com/mcp', { fetch })

    client.send({ jsonrpc: '2.0', id: 'a', method: 'tools/call' })
    const error = await client.next()
    client.send({ jsonrpc: '2.0', method: 'notifications/x' })
    client.send('[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","id":2,"method":"b"}]')
    const ids = [(await client.next())['id'], (await client.next())['id']]
    await client.close()

    expect(attempts).toBe(5)
    expect(error).toMatchObject({
      id: 'a',
      error: {
        code: -32000,
        message: expect.stringContaining('https://mcp.example.com/mcp'),
        data: { code: 'outcome_unknown', remedy: expect.any(String) },
      },
    })
    expect(ids).toEqual([1, 2])
    expect(client.lines).toHaveLength(3)
  })

  it('does not get a request again when it may have been processed', async () => {
    const server = await recordingOrigin((request) => request.cut())
    const client = lineClient(`${server.origin}/mcp`)

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })

    expect(await client.next()).toMatchObject({ error: { data: { code: 'outcome_unknown' } } })
    expect(server.requests).toHaveLength(1)
  })

  it.each(['EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'EHOSTDOWN', 'ECONNREFUSED', 'ETIMEDOUT'])(
    'does not get a request again when its connection was lost with %s',
    async (code) => {
      let calls = 0
      const fetch = () => {
        calls += 1
        const cause = Object.assign(new Error(`read ${code}`), { code, syscall: 'read' })
        return Promise.reject(new TypeError('fetch failed', { cause }))
      }
      const client = lineClient('https://mcp.example.com/mcp', { fetch })

      client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })

      expect(await client.next()).toMatchObject({ error: { data: { code: 'outcome_unknown' } } })
      expect(calls).toBe(1)
    },
  )

  it.each(['EHOSTUNREACH', 'ENETUNREACH'])(
    'gets a request again when no address of it could be connected to (%s)',
    async (code) => {
      let calls = 0
      const fetch = () => {
        calls += 1
        if (calls > 1) {
          const headers = { 'content-type': 'application/json' }
          return Promise.resolve(new Response('{"jsonrpc":"2.0","id":1,"result":{}}', { headers }))
        }
        const failed = [4, 6].map(() =>
          Object.assign(new Error(`connect ${code}`), { code, syscall: 'connect' }),
        )
        const cause = Object.assign(new AggregateError(failed), { code })
        return Promise.reject(new TypeError('fetch failed', { cause }))
      }
      const client = lineClient('https://mcp.example.com/mcp', { fetch })

      client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })

      expect(await client.next()).toMatchObject({ id: 1, result: {} })
      expect(calls).toBe(2)
    },
  )

  it('is said to have the wrong port when fetch refuses the port', async () => {
    const client = lineClient('https://mcp.example.com:6000/mcp')

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })

    expect(await client.next()).toMatchObject({
      error: {
        message: expect.stringContaining('Correct the port in the URL'),
        data: { code: 'network', retryable: false },
      },
    })
  })

  /** The first answer is the given one, and the later ones are empty results. */
  async function answeringOnce(method: string, status: number, headers: Record<string, string>) {
    const server = await scriptedMcp()
    let answers = 0
    server.on(method, (post) => {
      answers += 1
      if (answers > 1) return reply(post, { done: true })
      post.response.writeHead(status, headers).end()
    })
    return server
  }

  it.each([
    ['limits requests', 429, {}],
    ['says when it is back', 503, { 'Retry-After': '0' }],
  ])('gets a request again that changes nothing when it %s', async (_what, status, headers) => {
    const server = await answeringOnce('tools/list', status, headers)
    const client = lineClient(server.url)

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' })

    expect(await client.next()).toMatchObject({ result: { done: true } })
  })

  it.each([
    ['a call of a tool', 'tools/call', 503, { 'Retry-After': '0' }],
    ['a call of a tool that was one too many', 'tools/call', 429, { 'Retry-After': '0' }],
    ['a request of an extension', 'x/do', 503, { 'Retry-After': '0' }],
    ['a request that failed without a word', 'tools/list', 503, {}],
  ])('does not get %s again', async (_what, method, status, headers) => {
    const server = await answeringOnce(method, status, headers)
    const client = lineClient(server.url)

    client.send({ jsonrpc: '2.0', id: 1, method })

    expect(await client.next()).toMatchObject({ error: { data: { code: 'server_error', status } } })
    expect(server.postsOf(method)).toHaveLength(1)
  })

  it('does not get a batch again with a call of a tool in it', async () => {
    const bodies: string[] = []
    const server = await recordingOrigin((request, response) => {
      bodies.push(request.body)
      response.writeHead(503, { 'Retry-After': '0' }).end()
    })
    const client = lineClient(`${server.origin}/mcp`)

    client.send(
      '[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"tools/call"}]',
    )

    expect(await client.next()).toMatchObject({ id: 1, error: { data: { status: 503 } } })
    expect(bodies).toHaveLength(1)
  })
})

describe('an answer that is an error', () => {
  it('is the own JSON-RPC error of the server with the identifier of the request', async () => {
    const server = await scriptedMcp()
    server.on('server/discover', ({ response }) => {
      const error = { code: -32600, message: 'not initialized', data: { n: 1 } }
      response.writeHead(400, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error }))
    })
    const client = lineClient(server.url)

    client.send({ jsonrpc: '2.0', id: 'probe', method: 'server/discover' })

    const error = { code: -32600, message: 'not initialized', data: { n: 1 } }
    expect(await client.next()).toEqual({ jsonrpc: '2.0', id: 'probe', error })
  })

  /** Has a server answer with an error that is nested deeply. */
  async function deepError() {
    const server = await recordingOrigin((_request, response) => {
      response.writeHead(400, { 'content-type': 'application/json' })
      response.end(
        `{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"m","data":${deepJson}}}`,
      )
    })
    return lineClient(`${server.origin}/mcp`)
  }

  it.skipIf(canWriteDeepJson)(
    'is an error of the bridge when that of the server is nested too deeply to be written',
    async () => {
      const client = await deepError()

      client.send({ jsonrpc: '2.0', id: 'a', method: 'tools/list' })
      client.send({ jsonrpc: '2.0', id: 'b', method: 'tools/list' })
      const answers = [await client.next(), await client.next()]

      expect(answers.map(({ id }) => id).sort()).toEqual(['a', 'b'])
      expect(answers[0]).toMatchObject({
        error: { data: { code: 'unsupported_server', status: 400 } },
      })
    },
  )

  it.runIf(canWriteDeepJson)('is that of the server however deep it is', async () => {
    const client = await deepError()

    client.send({ jsonrpc: '2.0', id: 'a', method: 'tools/list' })

    expect(await client.nextLine()).toBe(
      `{"jsonrpc":"2.0","id":"a","error":{"code":-1,"message":"m","data":${deepJson}}}`,
    )
  })

  it('is none when the schema of a tool is nested deeply', async () => {
    const schema = `${'{"properties":{"a":'.repeat(30_000)}{}${'}}'.repeat(30_000)}`
    const answer = `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","inputSchema":${schema}}]}}`
    const server = await recordingOrigin((_request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(answer),
    )
    const client = lineClient(`${server.origin}/mcp`)

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' })

    expect(await client.nextLine()).toBe(answer)
  })

  it('says what to do when the credential is refused, without the credential', async () => {
    const server = await recordingOrigin((_request, response) =>
      response.writeHead(401, { 'content-type': 'text/plain' }).end('bad canary-token'),
    )
    const client = lineClient(`${server.origin}/mcp`, { provider: bearer('canary-token') })

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
    const line = await client.nextLine()

    expect(line).toContain('npx mcp-credentials doctor http://127.0.0.1')
    expect(JSON.parse(line)).toMatchObject({
      error: { data: { code: 'access_denied', status: 401 } },
    })
    expect(line + client.log.join()).not.toContain('canary')
  })

  it('is told of a page that is no message', async () => {
    const server = await recordingOrigin((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    )
    const client = lineClient(`${server.origin}/mcp`)

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' })

    expect(await client.next()).toMatchObject({ error: { data: { code: 'invalid_response' } } })
  })
})
