import * as v2 from '@modelcontextprotocol/client'
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport as Sse1 } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport as Streamable1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import * as oldest2 from 'client-oldest'
import { Client as Client0 } from 'sdk-oldest/client/index.js'
import { SSEClientTransport as Sse0 } from 'sdk-oldest/client/sse.js'
import { StreamableHTTPClientTransport as Streamable0 } from 'sdk-oldest/client/streamableHttp.js'
import type { AuthorizedFetch } from '../../src/index.ts'

type Fetch = AuthorizedFetch | typeof fetch

/** What the tests use of a transport; each SDK has a class of its own. */
export interface TestTransport {
  onerror?: ((error: Error) => void) | undefined
  close(): Promise<void>
  terminateSession?(): Promise<void>
}

/** What the tests use of a client. */
export interface TestClient {
  connect(transport: TestTransport): Promise<void>
  listTools(): Promise<{ tools: { name: string }[] }>
  callTool(call: { name: string; arguments?: Record<string, unknown> }): Promise<unknown>
  close(): Promise<void>
  onNotification(listener: (method: string) => void): void
}

export interface Sdk {
  readonly name: string
  readonly major: 1 | 2
  client(options?: object): TestClient
  streamable(url: URL, options: { fetch: Fetch }): TestTransport
  sse(url: URL, options: { fetch: Fetch }): TestTransport
}

const info = { name: 'test', version: '1.0.0' }

interface AnyClient {
  connect(transport: never): Promise<void>
  listTools(): Promise<unknown>
  callTool(call: never): Promise<unknown>
  close(): Promise<void>
  fallbackNotificationHandler?: unknown
}

function adapt(client: AnyClient): TestClient {
  return {
    connect: (transport) => client.connect(transport as never),
    listTools: () => client.listTools() as Promise<{ tools: { name: string }[] }>,
    callTool: (call) => client.callTool(call as never),
    close: () => client.close(),
    onNotification(listener) {
      client.fallbackNotificationHandler = async ({ method }: { method: string }) =>
        listener(method)
    },
  }
}

// Stream reconnection is fast, so that no test has to wait for it.
const reconnectionOptions = {
  initialReconnectionDelay: 20,
  maxReconnectionDelay: 50,
  reconnectionDelayGrowFactor: 1,
  maxRetries: 5,
}

type Module2 = Pick<typeof v2, 'Client' | 'SSEClientTransport' | 'StreamableHTTPClientTransport'>

const ofMajor2 = (name: string, module: Module2): Sdk => ({
  name,
  major: 2,
  client: (options) => adapt(new module.Client(info, options)),
  streamable: (url, options) =>
    new module.StreamableHTTPClientTransport(url, {
      ...options,
      reconnectionOptions,
    }) as TestTransport,
  sse: (url, options) => new module.SSEClientTransport(url, options) as TestTransport,
})

/** The oldest and the newest of either major version that the package is for. */
export const sdks: readonly Sdk[] = [
  {
    name: 'SDK 1.15 (oldest)',
    major: 1,
    client: () => adapt(new Client0(info)),
    streamable: (url, options) =>
      new Streamable0(url, { ...options, reconnectionOptions }) as TestTransport,
    sse: (url, options) => new Sse0(url, options) as TestTransport,
  },
  {
    name: 'SDK 1.x (newest)',
    major: 1,
    client: () => adapt(new Client1(info)),
    streamable: (url, options) =>
      new Streamable1(url, { ...options, reconnectionOptions }) as TestTransport,
    sse: (url, options) => new Sse1(url, options) as TestTransport,
  },
  ofMajor2('SDK 2.0 (oldest)', oldest2 as unknown as Module2),
  ofMajor2('SDK 2.x (newest)', v2),
]
