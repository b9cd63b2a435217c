import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { Client as Client2 } from '@modelcontextprotocol/client'
import { StdioClientTransport as Stdio2 } from '@modelcontextprotocol/client/stdio'
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js'
import {
  getDefaultEnvironment,
  StdioClientTransport as Stdio1,
} from '@modelcontextprotocol/sdk/client/stdio.js'
import { Client as ClientOldest2 } from 'client-oldest'
import { StdioClientTransport as StdioOldest2 } from 'client-oldest/stdio'
import { Client as Client0 } from 'sdk-oldest/client/index.js'
import { StdioClientTransport as Stdio0 } from 'sdk-oldest/client/stdio.js'
import { describe, expect, onTestFinished, test } from 'vitest'
import { bearer } from '../../src/index.ts'
import { stdioEnvironment } from '../../src/mcp/stdio-environment.ts'

const serverFile = fileURLToPath(new URL('../../examples/servers/stdio-server.ts', import.meta.url))
const info = { name: 'test', version: '1.0.0' }

/** What the tests use of a client and its transport. */
interface Connection {
  readonly transport: { readonly stderr: unknown }
  connect(): Promise<void>
  call(name: string): Promise<unknown>
  close(): Promise<void>
}

function parameters(env: Record<string, string>) {
  return {
    command: process.execPath,
    args: ['--import', 'tsx', serverFile],
    env: { ...getDefaultEnvironment(), ...env },
    stderr: 'pipe' as const,
  }
}

const sdks: readonly [string, (env: Record<string, string>) => Connection][] = [
  ['SDK 1.15 (oldest)', (env) => connection(new Client0(info), new Stdio0(parameters(env)))],
  ['SDK 1.x (newest)', (env) => connection(new Client1(info), new Stdio1(parameters(env)))],
  [
    'SDK 2.0 (oldest)',
    (env) => connection(new ClientOldest2(info), new StdioOldest2(parameters(env))),
  ],
  ['SDK 2.x (newest)', (env) => connection(new Client2(info), new Stdio2(parameters(env)))],
]

interface AnyClient {
  connect(transport: never): Promise<void>
  callTool(call: never): Promise<unknown>
  close(): Promise<void>
}

function connection(client: AnyClient, transport: Connection['transport']): Connection {
  return {
    transport,
    connect: () => client.connect(transport as never),
    call: (name) => client.callTool({ name } as never),
    close: () => client.close(),
  }
}

describe.each(sdks)('a stdio server, started by %s', (_name, make) => {
  test('knows its caller by the key in its environment, and has no other variable of ours', async () => {
    process.env['UNRELATED_SECRET'] = 'unrelated'
    onTestFinished(() => {
      delete process.env['UNRELATED_SECRET']
    })
    const client = make(await stdioEnvironment({ MCP_API_KEY: () => 'stdio-key-alice' }))
    onTestFinished(() => client.close())

    await client.connect()
    const identity = JSON.stringify(await client.call('whoami'))
    const variables = JSON.stringify(await client.call('variables'))

    expect(identity).toContain('alice')
    expect(variables).toContain('MCP_API_KEY')
    expect(variables).not.toContain('UNRELATED_SECRET')
  })

  test("takes a provider's token", async () => {
    const client = make(
      await stdioEnvironment(
        { MCP_API_KEY: bearer('stdio-key-bob') },
        { resource: 'https://api.example.com' },
      ),
    )
    onTestFinished(() => client.close())

    await client.connect()

    expect(JSON.stringify(await client.call('whoami'))).toContain('bob')
  })

  test('refuses to start without a valid key, and does not print it', async () => {
    const client = make(await stdioEnvironment({ MCP_API_KEY: 'wrong-key' }))
    onTestFinished(() => client.close())
    const stderr = client.transport.stderr as Readable
    const chunks: Buffer[] = []
    stderr.on('data', (chunk: Buffer) => void chunks.push(chunk))
    const ended = once(stderr, 'end')

    await expect(client.connect()).rejects.toThrow()
    await ended

    const text = Buffer.concat(chunks).toString()
    expect(text).toContain('MCP_API_KEY is missing or is no valid key.')
    expect(text).not.toContain('wrong-key')
  })
})
