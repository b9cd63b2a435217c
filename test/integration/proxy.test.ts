import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Client as Client2, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer as McpServer1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { ElicitResultSchema } from '@modelcontextprotocol/sdk/types.js'
import { createMcpHandler, McpServer as McpServer2 } from '@modelcontextprotocol/server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { startBearerServer } from '../../examples/servers/bearer-server.ts'
import type { RunningServer, ServerKind } from '../../examples/servers/mcp-server.ts'
import { authorizedFetch } from '../../src/index.ts'
import { authorizationCode } from '../../src/oauth/index.ts'
import { testMcpServer, testServers } from '../../src/testing/index.ts'
import { proxyHome, proxyWithToken } from '../support/proxy-home.ts'
import { type StartOptions, type StdioClient, stdioClients } from '../support/stdio-clients.ts'
import { until } from '../support/tokens.ts'

/** What a server saw of the calls of its tools. */
interface Calls {
  cancelled: number
  server: RunningServer | undefined
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Tools that use everything a server may do during a call. */
function createTools(calls: Calls): McpServer1 {
  const server = new McpServer1(
    { name: 'tools', version: '1.0.0' },
    { capabilities: { tools: { listChanged: true }, logging: {} } },
  )
  const inputSchema = { text: z.string() }
  const answer = (text: string) => ({ content: [{ type: 'text' as const, text }] })
  server.registerTool('echo', { inputSchema }, ({ text }) => answer(text))
  server.registerTool('count', { inputSchema }, async (_input, { _meta, sendNotification }) => {
    for (let progress = 1; progress <= 3; progress += 1) {
      const params = { progressToken: _meta?.progressToken ?? '', progress }
      await sendNotification({ method: 'notifications/progress', params })
      // The SDKs lose progress that arrives in one piece with the answer.
      await pause(50)
    }
    return answer('counted')
  })
  server.registerTool('ask', { inputSchema }, async (_input, { sendRequest }) => {
    const sampled = await server.server.createMessage({ messages: [], maxTokens: 1 })
    const requestedSchema = {
      type: 'object' as const,
      properties: { name: { type: 'string' as const } },
    }
    const params = { message: 'Who?', requestedSchema }
    const given = await sendRequest({ method: 'elicitation/create', params }, ElicitResultSchema)
    return answer(JSON.stringify([sampled.content, given.content]))
  })
  server.registerTool('wait', { inputSchema }, async (_input, { signal }) => {
    await once(signal, 'abort')
    calls.cancelled += 1
    return answer('too late')
  })
  server.registerTool('cut', { inputSchema }, async (_input, { _meta, sendNotification }) => {
    const params = { progressToken: _meta?.progressToken ?? '', progress: 1 }
    await sendNotification({ method: 'notifications/progress', params })
    await pause(50)
    calls.server?.dropStreams()
    await pause(50)
    return answer('resumed')
  })
  return server
}

async function start(kind: ServerKind): Promise<{ server: RunningServer; calls: Calls }> {
  const calls: Calls = { cancelled: 0, server: undefined }
  const server = await startBearerServer({
    kind,
    tokens: { 'canary-token': 'somebody' },
    createTools: () => createTools(calls),
  })
  calls.server = server
  onTestFinished(() => server.close())
  return { server, calls }
}

function open(client: StdioClient): StdioClient {
  onTestFinished(() => client.close())
  return client
}

describe.each(stdioClients)('the proxy, started by a client of %s', (_name, makeClient) => {
  for (const kind of ['stateful', 'sse'] as const) {
    it(`relays tools, progress, questions and notifications of a server (${kind})`, async () => {
      const { server } = await start(kind)
      const client = open(makeClient(await proxyWithToken(server.url, 'canary-token')))
      const notifications: string[] = []
      const progress: number[] = []
      client.onNotification((method) => notifications.push(method))

      await client.connect()
      const tools = await client.listTools()
      const echo = await client.call('echo', { text: 'grüße \u{1f600}' })
      const counted = await client.call('count', { onProgress: (each) => progress.push(each) })
      const asked = await client.call('ask')
      await server.notify()
      await until(() => notifications.length > 0, 'a notification')

      expect(tools).toEqual(['ask', 'count', 'cut', 'echo', 'wait'])
      expect(echo).toBe('grüße \u{1f600}')
      expect([counted, progress]).toEqual(['counted', [1, 2, 3]])
      expect(asked).toContain('sampled')
      expect(asked).toContain('elicited')
      expect(notifications).toContain('notifications/tools/list_changed')
      const seen = server.requests.map(({ headers }) => headers.authorization)
      expect(new Set(seen)).toEqual(new Set(['Bearer canary-token']))
    })

    it(`passes a cancellation on (${kind})`, async () => {
      const { server, calls } = await start(kind)
      const client = open(makeClient(await proxyWithToken(server.url, 'canary-token')))
      await client.connect()
      const cancelling = new AbortController()
      const call = client.call('wait', { signal: cancelling.signal })
      call.catch(() => {})
      await until(() => server.requests.some(({ body }) => body.includes('"wait"')), 'the call')

      cancelling.abort()

      await expect(call).rejects.toThrow()
      await until(() => calls.cancelled === 1, 'the cancellation')
      expect(await client.call('echo', { text: 'still here' })).toBe('still here')
    })
  }

  it('resumes the stream of a call that was cut, and the call succeeds', async () => {
    const { server } = await start('stateful')
    const client = open(makeClient(await proxyWithToken(server.url, 'canary-token')))
    await client.connect()

    const result = await client.call('cut', { onProgress: () => {} })

    expect(result).toBe('resumed')
    const resumed = server.requests.filter(({ headers }) => headers['last-event-id'] !== undefined)
    expect(resumed.length).toBeGreaterThan(0)
  })

  it('begins the session anew, and the client does not notice', async () => {
    const { server } = await start('stateful')
    const client = open(makeClient(await proxyWithToken(server.url, 'canary-token')))
    await client.connect()
    const sessionOf = () => server.requests.at(-1)?.headers['mcp-session-id']
    await until(() => sessionOf() !== undefined, 'the session')
    const sessionId = sessionOf()
    await fetch(server.url, {
      method: 'DELETE',
      headers: { Authorization: 'Bearer canary-token', 'mcp-session-id': String(sessionId) },
    })

    expect(await client.call('echo', { text: 'again' })).toBe('again')
    const beginnings = server.requests.filter(({ body }) => body.includes('"initialize"'))
    expect(beginnings).toHaveLength(2)
  })

  it('ends with its client, after the session at the server, and says nothing secret', async () => {
    const { server } = await start('stateful')
    const client = makeClient(await proxyWithToken(server.url, 'canary-token'))
    await client.connect()
    const { pid } = client
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8')
    await client.call('echo', { text: 'x' })

    await client.close()

    await until(() => !isRunning(pid), 'the end of the process')
    expect(server.requests.at(-1)?.method).toBe('DELETE')
    expect(commandLine + client.stderr()).not.toContain('canary')
  })
})

function isRunning(pid: number | null): boolean {
  try {
    return process.kill(pid ?? 0, 0)
  } catch {
    return false
  }
}

describe('the proxy between a client and a server of the stateless protocol', () => {
  it('carries calls, their headers and subscriptions', async () => {
    const handler = toNodeHandler(
      createMcpHandler(() => {
        const server = new McpServer2({ name: 'modern', version: '1.0.0' })
        const content = [{ type: 'text' as const, text: 'pong' }]
        server.registerTool('ping', { description: 'Answers.' }, () => ({ content }))
        return server
      }),
    )
    const methods: unknown[] = []
    const http = createServer((request, response) => {
      methods.push(request.headers['mcp-method'] ?? request.method)
      handler(request as Parameters<typeof handler>[0], response).catch(() => response.destroy())
    })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      http.closeAllConnections()
      http.close()
    })
    const { port } = http.address() as AddressInfo
    const options = await proxyWithToken(`http://127.0.0.1:${port}/mcp`, 'canary-token')
    const makeClient = stdioClients[1]?.[1]
    const versionNegotiation = { mode: { pin: '2026-07-28' } }
    const client = makeClient?.({ ...options, client: { versionNegotiation } })
    onTestFinished(() => client?.close())

    await client?.connect()

    expect(await client?.call('ping')).toBe('pong')
    expect(methods).toContain('tools/call')
    expect(methods).not.toContain('GET')
  })
})

describe('five proxies on one login whose refresh tokens can be used once', () => {
  it('never lose it, also when they are killed and started again', async () => {
    const home = await proxyHome()
    const { store } = home
    const { resource, authorizationServer, close } = await testServers({ tokenLifetime: 2 })
    onTestFinished(close)
    const person = authorizedFetch(
      authorizationCode({ onAuthorizationUrl: authorizationServer.visit }),
      { resource, store },
    )
    await person.login()
    await person.close()
    const makeClient = stdioClients[0]?.[1]
    const begin = async () => {
      const client = makeClient?.(home.proxy(resource.href))
      if (client === undefined) throw new Error('There is no client.')
      await client.connect()
      return client
    }
    const clients = await Promise.all(Array.from({ length: 5 }, begin))
    const failures: string[] = []
    const secrets = () =>
      authorizationServer
        .tokenRequests()
        .map(({ refresh_token: token }) => token ?? '')
        .filter((token) => token !== '')

    const deadline = Date.now() + 12_000
    for (let round = 0; Date.now() < deadline; round += 1) {
      const calls = clients.map((client) => client.call('echo', { text: `round ${round}` }))
      // What the one that is killed was asked is lost.
      calls[0]?.catch(() => {})
      const victim = round % 4 === 3 ? clients.shift() : undefined
      if (victim !== undefined) process.kill(victim.pid ?? 0, 'SIGKILL')
      const outcomes = await Promise.allSettled(victim === undefined ? calls : calls.slice(1))
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') failures.push(String(outcome.reason))
      }
      if (victim !== undefined) clients.push(await begin())
      await pause(200)
    }
    const stderr = clients.map((client) => client.stderr()).join()
    const commandLines = await Promise.all(
      clients.map(({ pid }) => readFile(`/proc/${pid}/cmdline`, 'utf8')),
    )
    await Promise.all(clients.map((client) => client.close()))

    const used = secrets()
    expect(failures).toEqual([])
    expect(used.length).toBeGreaterThan(3)
    expect(new Set(used).size).toBe(used.length)
    for (const secret of used) expect(stderr + commandLines.join()).not.toContain(secret)
  })
})

/** A process with its lines. */
function run({ command, args, env, cwd }: StartOptions) {
  const child = spawn(command, args, { env, cwd, stdio: 'pipe' })
  onTestFinished(() => void child.kill('SIGKILL'))
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    said.stdout += String(chunk)
  })
  child.stderr.on('data', (chunk) => {
    said.stderr += String(chunk)
  })
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>
  return { child, said, exited, lines: () => said.stdout.split('\n').filter((line) => line !== '') }
}

const initialize = (elicitation: object) =>
  `${JSON.stringify({
    jsonrpc: '2.0',
    id: 0,
    method: 'initialize',
    params: {
      protocolVersion: '2025-11-25',
      capabilities: { elicitation },
      clientInfo: { name: 'test', version: '1' },
    },
  })}\n`

describe('the command proxy', () => {
  it('answers what is piped in, and ends', async () => {
    const server = await testMcpServer({ bearer: 'canary-token' })
    onTestFinished(() => server.close())
    const { child, lines, exited, said } = run(await proxyWithToken(server.url, 'canary-token'))

    child.stdin.end(`${initialize({})}{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n`)

    expect(await exited).toEqual([0, null])
    expect(lines().map((line) => (JSON.parse(line) as { id: number }).id)).toEqual([0, 1])
    expect(said.stdout + said.stderr).not.toContain('canary')
  })

  it('tells the client which command to type, and goes on when somebody has logged in elsewhere', async () => {
    const { resource, authorizationServer, close } = await testServers()
    onTestFinished(close)
    const home = await proxyHome()
    const { child, lines } = run(home.proxy(resource.href, '--no-browser'))

    child.stdin.write(initialize({}))
    await until(() => lines().length === 1, 'the first answer')
    const person = authorizedFetch(
      authorizationCode({ onAuthorizationUrl: authorizationServer.visit }),
      { resource, store: home.store },
    )
    await person.login()
    await person.close()
    await pause(1100)
    child.stdin.write(initialize({}))
    await until(() => lines().length === 2, 'the second answer')

    const [first = '', second = ''] = lines()
    expect(first).toContain(`npx mcp-credentials login ${resource.href}`)
    expect(JSON.parse(first)).toMatchObject({ error: { data: { code: 'login_required' } } })
    expect(JSON.parse(second)).toMatchObject({ id: 0, result: { protocolVersion: '2025-11-25' } })
  })

  it('has a client that can show a URL log its user in, and goes on', async () => {
    const { resource, authorizationServer, close } = await testServers()
    onTestFinished(close)
    const home = await proxyHome()
    const { child, lines } = run(home.proxy(resource.href))

    child.stdin.write(initialize({ url: {} }))
    await until(() => lines().length === 1, 'the first answer')
    const { error } = JSON.parse(lines()[0] ?? '') as {
      error: { code: number; data: { elicitations: { url: string; elicitationId: string }[] } }
    }
    const [elicitation] = error.data.elicitations
    await authorizationServer.visit(new URL(elicitation?.url ?? ''))
    await until(() => lines().length === 2, 'the notification')
    await pause(1100)
    child.stdin.write(initialize({ url: {} }))
    await until(() => lines().length === 3, 'the second answer')

    expect(error.code).toBe(-32042)
    expect(JSON.parse(lines()[1] ?? '')).toMatchObject({
      method: 'notifications/elicitation/complete',
      params: { elicitationId: elicitation?.elicitationId },
    })
    expect(JSON.parse(lines()[2] ?? '')).toMatchObject({ result: {} })
  })

  it('serves HTTP on a loopback address with --listen until it is ended', async () => {
    const server = await testMcpServer({ bearer: 'canary-token' })
    onTestFinished(() => server.close())
    const { command, args, ...rest } = await proxyWithToken(server.url, 'canary-token')
    const { child, lines, said, exited } = run({ command, args: [...args, '--listen'], ...rest })
    await until(() => lines().length === 1, 'the address')

    const client = new Client2({ name: 'test', version: '1.0.0' })
    await client.connect(new StreamableHTTPClientTransport(new URL(lines()[0] ?? '')))
    const { tools } = await client.listTools()
    await client.close()
    child.kill('SIGTERM')

    expect(tools.map(({ name }) => name)).toEqual(['echo'])
    await exited
    expect(lines()).toHaveLength(1)
    expect(said.stderr).not.toContain('canary')
  })

  it('relays to a server of the config file by its name', async () => {
    const server = await testMcpServer({ apiKey: 'canary-key' })
    onTestFinished(() => server.close())
    const home = await proxyHome()
    const auth = { provider: 'apiKey', value: 'env:CRM_KEY' }
    const file = join(home.directory, '.claude.json')
    await writeFile(file, JSON.stringify({ mcpServers: { crm: { url: server.url, auth } } }))
    const started = home.proxy('crm')
    const { child, lines, exited, said } = run({
      ...started,
      env: { ...started.env, CRM_KEY: 'canary-key' },
    })

    child.stdin.end(initialize({}))

    expect(await exited, said.stderr).toEqual([0, null])
    expect(JSON.parse(lines()[0] ?? '')).toMatchObject({ result: { serverInfo: { name: 'test' } } })
  })

  it('says on standard error what is wrong with its arguments, and nothing on standard output', async () => {
    const home = await proxyHome()
    const { said, exited } = run(home.proxy('no-such-server'))

    expect(await exited).toEqual([2, null])
    expect(said.stdout).toBe('')
    expect(said.stderr).toContain('no-such-server')
  })
})
