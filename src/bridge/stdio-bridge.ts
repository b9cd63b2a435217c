/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A stdio MCP server that is another server, with credentials.
 *
 * @module
 */
import type { Readable, Writable } from 'node:stream'
import type { CredentialProvider, CredentialSelector } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { onAbort, within } from '../waiting.ts'
import { type Intake, intake } from './intake.ts'
import { type LineWriter, lineWriter, readLines } from './lines.ts'
import { type CommonBridgeOptions, openUplink, type Uplink } from './options.ts'
import { Relay } from './relay.ts'

/**
 * How {@link stdioBridge} works; the rest is for `authorizedFetch`.
 *
 * @group Bridges
 */
export interface StdioBridgeOptions extends CommonBridgeOptions {
  /** Where the client's messages come from, such as `process.stdin`. */
  readonly input: Readable
  /** Where the messages for the client go, such as `process.stdout`. Nothing else is written to it. */
  readonly output: Writable
  /** Closes the bridge. */
  readonly signal?: AbortSignal | undefined
}

/**
 * A bridge that runs.
 *
 * @group Bridges
 */
export interface StdioBridge {
  /**
   * Resolves when the bridge has ended: the input has, nobody reads the output any more, or it was closed. It never
   * rejects.
   */
  readonly ended: Promise<void>
  /** Ends the session at the server and gives up what is under way. Waits two seconds for the server at most. */
  close(): Promise<void>
  /** The same as {@link StdioBridge.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

const maxLineBytes = 64 * 1024 * 1024
/** After the end of the input, answers are awaited as long. */
const drainMs = 30_000
const farewellMs = 2000

/**
 * Relays a client that speaks the stdio transport to a server that speaks either HTTP transport. Messages go on as
 * they are, in both directions.
 *
 * - The session is begun anew when the server has forgotten it, with the client's own `initialize`.
 * - A session in place of a forgotten one has the log level and the subscriptions of the client.
 * - A message is sent again only when no connection was made, when the server has forgotten the session, or when it is
 *   busy (429, or 503 with `Retry-After`) and the message does no harm twice, which the call of a tool may do.
 * - When the provider finds no credential (`LoginRequiredError` with the reason `no_credential`), requests go without
 *   one: many servers ask for none, or only for some requests. After a 401 or 403 the provider's error counts.
 * - A message may have 64 MB and a million values.
 * - Each request gets one answer. When the server cannot be reached or a login is required, that is a JSON-RPC error
 *   which says what to do.
 * - At the end of `input`, the answers that are under way are delivered first, for at most 30 seconds.
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
 * @param provider - What proves who you are, or a selector such as `perTenant`.
 * @throws `ConfigurationError` when an option is wrong.
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
    const messages = intake((line) => relay.receive(line))
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

async function relayLines(input: Readable, messages: Intake): Promise<void> {
  try {
    for await (const line of readLines(input, maxLineBytes)) await messages.take(line)
  } catch {
    // An input that fails has ended.
  }
}

async function closeAll(
  relay: Relay,
  uplink: Uplink,
  writer: LineWriter,
  input: Readable,
): Promise<void> {
  // The process could not end while its input is open.
  input.destroy()
  const farewell = AbortSignal.timeout(farewellMs)
  await within(farewellMs, relay.close(farewell))
  await within(farewellMs, uplink.close())
  await within(farewellMs, writer.flush())
}
