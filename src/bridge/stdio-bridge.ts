/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A stdio MCP server that relays to an HTTP MCP server, with credentials.
 *
 * @module
 */
import type { Readable, Writable } from 'node:stream'
import type { CredentialProvider, CredentialSelector } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { onAbort, within } from '../waiting.ts'
import { type FlowControl, flowControl } from './flow-control.ts'
import { type LineWriter, lineWriter, readLines } from './lines.ts'
import { type CommonBridgeOptions, openUplink, type Uplink } from './options.ts'
import { Relay } from './relay.ts'

/**
 * The options of {@link stdioBridge}, and those of `authorizedFetch`.
 *
 * @group Bridges
 */
export interface StdioBridgeOptions extends CommonBridgeOptions {
  /** The stream of the client's messages, such as `process.stdin`. */
  readonly input: Readable
  /** The stream for messages to the client, such as `process.stdout`. Nothing else is written to it. */
  readonly output: Writable
  /** Closes the bridge. */
  readonly signal?: AbortSignal | undefined
}

/**
 * A running bridge.
 *
 * @group Bridges
 */
export interface StdioBridge {
  /**
   * Resolves when the bridge has ended, because the input has ended, the output was closed, or `close()`
   * was called. It never rejects.
   */
  readonly ended: Promise<void>
  /** Ends the session at the server, and aborts pending requests. Waits at most two seconds for the server. */
  close(): Promise<void>
  /** The same as {@link StdioBridge.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

const maxLineBytes = 64 * 1024 * 1024
/** How long to wait for responses after the end of the input, in milliseconds. */
const drainMs = 30_000
const closeLimitMs = 2000

/**
 * Relays a client with the stdio transport to a server with either HTTP transport. Messages are relayed
 * unchanged, in both directions.
 *
 * - When the server has ended the session, a new one is started with the client's own `initialize`.
 * - The new session has the log level and the subscriptions of the client.
 * - A message is retried only when no connection was made, when the server has ended the session, or when the server
 *   is busy (429, or 503 with `Retry-After`) and the message is idempotent. Tool calls are not.
 * - When the provider has no credential (`LoginRequiredError` with the reason `no_credential`), requests are sent
 *   without one: many servers require none, or only for some requests. After a 401 or 403 the provider's error is
 *   returned.
 * - A message may have 64 MB and a million values.
 * - Each request receives one response. When the server cannot be reached or a login is required, it is a JSON-RPC
 *   error with a remedy.
 * - At the end of `input`, pending responses are delivered first, for at most 30 seconds.
 *
 * @example
 * ```ts
 * import { apiKey, env } from 'mcp-credentials'
 * import { stdioBridge } from 'mcp-credentials/node'
 *
 * const { ended } = stdioBridge(apiKey({ value: env('MCP_API_KEY') }), {
 *   resource: 'https://mcp.example.com/mcp',
 *   input: process.stdin,
 *   output: process.stdout,
 * })
 * await ended
 * ```
 *
 * @param provider - A provider, or a selector such as `perTenant`.
 * @throws `ConfigurationError` when an option is invalid.
 * @see MCP 2025-11-25, Transports
 * @group Bridges
 */
export function stdioBridge(
  provider: CredentialProvider | CredentialSelector,
  options: StdioBridgeOptions,
): StdioBridge {
  const { input, output, signal, ...rest } = options ?? {}
  checkStreams(input, output)
  const uplink = openUplink('stdioBridge', provider, rest)
  const writer = lineWriter(output)
  const relay = new Relay({
    ...uplink,
    channel: uplink.open(),
    deliver: (text) => writer.write(text),
  })
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= closeAll(relay, uplink, writer, input)
    return closing
  }
  const stopListening = signal && onAbort(signal, () => void close())
  void writer.broken.then(close)
  const run = async () => {
    const messages = flowControl((line) => relay.receive(line))
    await relayLines(input, messages)
    const answered = messages.empty().then(() => relay.idle())
    await Promise.race([within(drainMs, answered), closing ?? writer.broken])
    await close()
    stopListening?.()
  }
  const ended = run().catch(() => {})
  return { ended, close, [Symbol.asyncDispose]: close }
}

function checkStreams(input: unknown, output: unknown): void {
  const { [Symbol.asyncIterator]: iterate } = (input ?? {}) as Partial<Readable>
  if (typeof iterate !== 'function') {
    throw new ConfigurationError('stdioBridge.input', 'stdioBridge: `input` must be a Readable.')
  }
  const { write } = (output ?? {}) as Partial<Writable>
  if (typeof write !== 'function') {
    throw new ConfigurationError('stdioBridge.output', 'stdioBridge: `output` must be a Writable.')
  }
}

async function relayLines(input: Readable, messages: FlowControl): Promise<void> {
  try {
    for await (const line of readLines(input, maxLineBytes)) await messages.take(line)
  } catch {
    // An error of the input ends it.
  }
}

async function closeAll(
  relay: Relay,
  uplink: Uplink,
  writer: LineWriter,
  input: Readable,
): Promise<void> {
  // An open input keeps the process alive.
  input.destroy()
  const farewell = AbortSignal.timeout(closeLimitMs)
  await within(closeLimitMs, relay.close(farewell))
  await within(closeLimitMs, uplink.close())
  await within(closeLimitMs, writer.flush())
}
