import { Client as Client2 } from '@modelcontextprotocol/client'
import { StdioClientTransport as Stdio2 } from '@modelcontextprotocol/client/stdio'
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as Stdio1 } from '@modelcontextprotocol/sdk/client/stdio.js'
import { CreateMessageRequestSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'

/** What the tests use of a client that starts its server. */
export interface StdioClient {
  connect(): Promise<void>
  /** The names of the tools. */
  listTools(): Promise<string[]>
  /** Calls a tool; the text of its result. */
  call(
    name: string,
    options?: { onProgress?: (progress: number) => void; signal?: AbortSignal; text?: string },
  ): Promise<string>
  onNotification(listener: (method: string) => void): void
  close(): Promise<void>
  readonly pid: number | null
  /** What the process wrote to standard error so far. */
  stderr(): string
}

export interface StartOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Record<string, string>
  readonly cwd: string
  /** Options for the client of SDK 2.x. */
  readonly client?: object
}

/** Answers the questions of servers. */
const answerSampling = async () => ({
  role: 'assistant' as const,
  model: 'test',
  content: { type: 'text' as const, text: 'sampled' },
})
const answerElicitation = async () => ({ action: 'accept' as const, content: { name: 'elicited' } })

const info = { name: 'test', version: '1.0.0' }
const capabilities = { sampling: {}, elicitation: {} }

interface AnyClient {
  connect(transport: never): Promise<void>
  listTools(): Promise<{ tools: { name: string }[] }>
  callTool(call: never, ...rest: never[]): Promise<unknown>
  close(): Promise<void>
  fallbackNotificationHandler?: unknown
}

function adapt(
  client: AnyClient,
  transport: { readonly pid: number | null; readonly stderr: unknown },
  callTool: (call: object, options: object) => Promise<unknown>,
): StdioClient {
  let stderr = ''
  const stream = transport.stderr as NodeJS.ReadableStream | null
  stream?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  return {
    connect: () => client.connect(transport as never),
    async listTools() {
      const { tools } = await client.listTools()
      return tools.map(({ name }) => name).sort()
    },
    async call(name, { onProgress, signal, text } = {}) {
      const options = {
        ...(signal === undefined ? {} : { signal }),
        ...(onProgress === undefined
          ? {}
          : { onprogress: ({ progress }: { progress: number }) => onProgress(progress) }),
      }
      const result = (await callTool({ name, arguments: { text: text ?? '' } }, options)) as {
        content: { text: string }[]
      }
      return result.content.map((each) => each.text).join()
    },
    onNotification(listener) {
      client.fallbackNotificationHandler = async ({ method }: { method: string }) =>
        listener(method)
    },
    close: () => client.close(),
    get pid() {
      return transport.pid
    },
    stderr: () => stderr,
  }
}

function parametersOf({ command, args, env, cwd }: StartOptions) {
  return { command, args: [...args], env, cwd, stderr: 'pipe' as const }
}

/** Clients of both SDKs, which start a server and speak to it through pipes. */
export const stdioClients: readonly [string, (options: StartOptions) => StdioClient][] = [
  [
    'SDK 1.x',
    (options) => {
      const client = new Client1(info, { capabilities })
      client.setRequestHandler(CreateMessageRequestSchema, answerSampling)
      client.setRequestHandler(ElicitRequestSchema, answerElicitation)
      return adapt(client, new Stdio1(parametersOf(options)), (call, more) =>
        client.callTool(call as never, undefined, more),
      )
    },
  ],
  [
    'SDK 2.x',
    (options) => {
      const client = new Client2(info, { capabilities, ...options.client })
      client.setRequestHandler('sampling/createMessage', answerSampling)
      client.setRequestHandler('elicitation/create', answerElicitation)
      return adapt(client, new Stdio2(parametersOf(options)), (call, more) =>
        client.callTool(call as never, more),
      )
    },
  ],
]
