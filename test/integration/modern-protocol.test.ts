import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { withCredentials } from '../../src/index.ts'
import { countingTokens } from '../support/tokens.ts'

interface Seen {
  readonly method: string | undefined
  readonly mcpMethod: unknown
  readonly authorization: string | undefined
}

/** A server of the stateless protocol, behind a check of the bearer token. */
async function startServer(refuse: (seen: Seen) => boolean) {
  const requests: Seen[] = []
  const handler = toNodeHandler(
    createMcpHandler(() => {
      const server = new McpServer({ name: 'modern', version: '1.0.0' })
      server.registerTool('ping', { description: 'Answers.' }, () => ({
        content: [{ type: 'text', text: 'pong' }],
      }))
      return server
    }),
  )
  const server = createServer((request, response) => {
    const { method, headers } = request
    const seen = { method, mcpMethod: headers['mcp-method'], authorization: headers.authorization }
    requests.push(seen)
    if (refuse(seen)) {
      response.writeHead(401, { 'WWW-Authenticate': 'Bearer error="invalid_token"' }).end()
      return
    }
    // A server's request always has a method and a URL; the adapter's type insists on it.
    handler(request as Parameters<typeof handler>[0], response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  return { url: new URL(`http://127.0.0.1:${port}/mcp`), requests }
}

describe('the stateless protocol of 2026-07-28', () => {
  for (const mode of ['auto', { pin: '2026-07-28' }] as const) {
    it(`carries the credential from the first probe on (${JSON.stringify(mode)})`, async () => {
      const { url, requests } = await startServer(() => false)
      const provider = countingTokens()
      const client = new Client(
        { name: 'test', version: '1.0.0' },
        { versionNegotiation: { mode } },
      )

      await client.connect(new StreamableHTTPClientTransport(url, withCredentials(provider)))
      const result = await client.callTool({ name: 'ping' })
      await client.close()

      expect(JSON.stringify(result)).toContain('pong')
      expect(requests.some(({ mcpMethod }) => mcpMethod === 'tools/call')).toBe(true)
      expect(requests.every(({ authorization }) => authorization === 'Bearer token-1')).toBe(true)
    })
  }

  it('heals a 401 on the probe, so that negotiation does not fall back', async () => {
    const { url, requests } = await startServer(
      ({ authorization }) => authorization === 'Bearer token-1',
    )
    const client = new Client(
      { name: 'test', version: '1.0.0' },
      { versionNegotiation: { mode: 'auto' } },
    )

    await client.connect(new StreamableHTTPClientTransport(url, withCredentials(countingTokens())))
    await client.callTool({ name: 'ping' })
    await client.close()

    const methods = requests.map(({ mcpMethod }) => mcpMethod)
    expect(methods.slice(0, 2)).toEqual(['server/discover', 'server/discover'])
    expect(methods).not.toContain('initialize')
  })
})
