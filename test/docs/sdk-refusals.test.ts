import { readFileSync } from 'node:fs'
import { createMCPClient } from '@ai-sdk/mcp'
import * as v2 from '@modelcontextprotocol/client'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { apiKey, withCredentials } from '../../src/index.ts'
import { testMcpServer } from '../../src/testing/index.ts'

const guide = readFileSync(new URL('../../docs/guides/troubleshooting.md', import.meta.url), 'utf8')
const name = { name: 'agent', version: '1.0.0' }

/** What each client does with a server, and where its errors say the status. */
const clients = {
  'SDK 1.x': {
    member: 'code',
    connect: (url: URL, options: object) =>
      new Client(name).connect(new StreamableHTTPClientTransport(url, options) as never),
  },
  'SDK 1.x over SSE': {
    member: 'code',
    connect: (url: URL, options: object) =>
      new Client(name).connect(new SSEClientTransport(url, options) as never),
  },
  'SDK 2.x': {
    member: 'status',
    connect: (url: URL, options: object) =>
      new v2.Client(name).connect(new v2.StreamableHTTPClientTransport(url, options)),
  },
  'SDK 2.x over SSE': {
    member: 'code',
    connect: (url: URL, options: object) =>
      new v2.Client(name).connect(new v2.SSEClientTransport(url, options)),
  },
  '@ai-sdk/mcp': {
    member: 'statusCode',
    connect: async ({ href: url }: URL, options: object) => {
      await createMCPClient({ transport: { type: 'http', url, ...options } })
    },
  },
}

describe('the guide quotes what a final 401 is', () => {
  it.each(Object.entries(clients))('in %s', async (_client, { member, connect }) => {
    const mcp = await testMcpServer({ apiKey: 'right' })
    const options = withCredentials(apiKey({ value: 'wrong' }))
    onTestFinished(async () => {
      await options.close()
      await mcp.close()
    })

    const error = await connect(mcp.url, options).then(
      () => undefined,
      (thrown: unknown) => thrown as Error & Record<string, unknown>,
    )

    const row = guide.split('\n').find((line) => {
      const [, quoted = '-'] = /^\| `([^`…]+?)(?: …)?`, `error\./.exec(line) ?? []
      return error?.message.startsWith(quoted) && line.includes(`\`error.${member}\` 401`)
    })
    expect(error).toHaveProperty(member, 401)
    expect(row, error?.message).toBeDefined()
  })
})
