import { PassThrough } from 'node:stream'
import { onTestFinished } from 'vitest'
import { bearer } from '../../src/index.ts'
import { type StdioBridgeOptions, stdioBridge } from '../../src/node/index.ts'

export type Json = Record<string, unknown>

/** A client at the other end of a stdio bridge, which writes and reads lines. */
export interface LineClient {
  readonly input: PassThrough
  readonly output: PassThrough
  /** Every line that arrived. */
  readonly lines: string[]
  readonly log: string[]
  readonly ended: Promise<void>
  send(message: Json | string): void
  /** The first line that has not been taken yet, as text. */
  nextLine(): Promise<string>
  next(): Promise<Json>
  /** Sends `initialize`, takes the answer, and sends `notifications/initialized`. */
  initialize(capabilities?: Json): Promise<Json>
  close(): Promise<void>
}

type Options = Partial<StdioBridgeOptions> & {
  readonly provider?: Parameters<typeof stdioBridge>[0]
}

/** Starts a bridge to a URL and a client of it. */
export function lineClient(resource: string | URL, options: Options = {}): LineClient {
  const { provider = bearer('canary-token'), ...rest } = options
  const input = new PassThrough()
  const output = new PassThrough()
  const lines: string[] = []
  const log: string[] = []
  let taken = 0
  let wake = () => {}
  let pending = ''
  output.setEncoding('utf8')
  output.on('data', (text: string) => {
    const parts = (pending + text).split('\n')
    pending = parts.pop() ?? ''
    lines.push(...parts)
    wake()
  })
  const running = stdioBridge(provider, {
    resource,
    input,
    output,
    // The shortest delays that the back-off allows.
    random: () => 0,
    onLog: (line) => log.push(line),
    ...rest,
  })
  onTestFinished(() => running.close())
  const client: LineClient = {
    input,
    output,
    lines,
    log,
    ended: running.ended,
    send: (message) =>
      void input.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`),
    async nextLine() {
      while (lines.length <= taken) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      taken += 1
      return lines[taken - 1] ?? ''
    },
    next: async () => JSON.parse(await client.nextLine()) as Json,
    async initialize(capabilities = {}) {
      const clientInfo = { name: 'test', version: '1' }
      const params = { protocolVersion: '2025-11-25', capabilities, clientInfo }
      client.send({ jsonrpc: '2.0', id: 0, method: 'initialize', params })
      const answer = await client.next()
      client.send({ jsonrpc: '2.0', method: 'notifications/initialized' })
      return answer
    },
    close: () => running.close(),
  }
  return client
}
