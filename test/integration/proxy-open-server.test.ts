import { spawn } from 'node:child_process'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { proxyHome } from '../support/proxy-home.ts'
import { stdioClients } from '../support/stdio-clients.ts'

async function serve(listener: RequestListener): Promise<string> {
  const http = createServer(listener)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    http.closeAllConnections()
    http.close()
  })
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`
}

describe.each(stdioClients)('the proxy, started by a client of %s', (_name, makeClient) => {
  it('relays to a server that asks for no credential, when nothing is stored', async () => {
    const handler = toNodeHandler(
      createMcpHandler(() => {
        const server = new McpServer({ name: 'open', version: '1.0.0' })
        const content = [{ type: 'text' as const, text: 'pong' }]
        server.registerTool('ping', { description: 'Answers.' }, () => ({ content }))
        return server
      }),
    )
    const credentials: unknown[] = []
    const url = await serve((request, response) => {
      credentials.push(request.headers.authorization)
      handler(request as Parameters<typeof handler>[0], response).catch(() => response.destroy())
    })
    const home = await proxyHome()
    const client = makeClient(home.proxy(url))
    onTestFinished(() => client.close())

    await client.connect()

    expect(await client.call('ping')).toBe('pong')
    expect(new Set(credentials)).toEqual(new Set([undefined]))
  })
})

describe('the proxy of a server that answers with sixty megabytes of empty arrays', () => {
  it('refuses them with half a gigabyte of memory, and goes on', async () => {
    const chunk = '[],'.repeat(100_000)
    const url = await serve(async (request, response) => {
      let body = ''
      for await (const part of request) body += String(part)
      // The look whether the server asks for a credential.
      if (body === '') return response.writeHead(400).end()
      const { id, method } = JSON.parse(body) as { id: number; method: string }
      response.writeHead(200, { 'content-type': 'application/json' })
      if (method === 'ping') return response.end(`{"jsonrpc":"2.0","id":${id},"result":{}}`)
      response.write(`{"jsonrpc":"2.0","id":${id},"result":{"tools":[`)
      for (let sent = 0; sent < 200; sent += 1) response.write(chunk)
      return response.end('[]]}}')
    })
    const home = await proxyHome()
    const { command, args, env, cwd } = home.proxy(url)
    const child = spawn(command, ['--max-old-space-size=512', ...args], {
      env,
      cwd,
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()

    child.stdin.write('{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n')
    const refused = await lines.next()
    child.stdin.write('{"jsonrpc":"2.0","id":2,"method":"ping"}\n')
    const answered = await lines.next()

    expect(refused.value).toContain('more than a million values')
    expect(JSON.parse(answered.value ?? '')).toEqual({ jsonrpc: '2.0', id: 2, result: {} })
  }, 60_000)
})
