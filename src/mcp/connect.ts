/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Connects a client of either official SDK over the transport that the server supports.
 *
 * @module
 */
import type { Credential, CredentialProvider, CredentialSelector } from '../credential.ts'
import { ConfigurationError, isCredentialError, type LoginRequiredError } from '../errors.ts'
import { transportPortOf } from '../manager/token-manager.ts'
import { type AuthorizedFetch, authorizedFetch } from '../transport/authorized-fetch.ts'
import type { AuthorizedFetchOptions } from '../transport/options.ts'
import { abortable } from '../waiting.ts'
import { ConnectionObserver, describedProvider } from './observer.ts'
import { otherTransport } from './refusal.ts'

/**
 * The options of {@link connect}, and those of {@link authorizedFetch}.
 *
 * @group Connecting
 */
export interface ConnectOptions extends Omit<AuthorizedFetchOptions, 'resource'> {
  /** Options for the transport's constructor, such as `reconnectionOptions`. `fetch` is overridden. */
  readonly transport?: Readonly<Record<string, unknown>>
  /** Aborts with the signal's reason, and closes the client and the credentials. */
  readonly signal?: AbortSignal | undefined
}

/**
 * A connection.
 *
 * @group Connecting
 */
export interface ConnectedTransport {
  /** The transport: `streamable-http`, or `sse` for a server of the older protocol. */
  readonly kind: 'streamable-http' | 'sse'
  /** The SDK's own transport object. */
  readonly transport: object
  /** The authenticating `fetch`, with its token manager. */
  readonly fetch: AuthorizedFetch
  /** Closes the client with its transport, and the credentials. */
  close(): Promise<void>
  /** The same as {@link ConnectedTransport.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

interface Transports {
  readonly StreamableHTTPClientTransport: new (url: URL, options: object) => object
  readonly SSEClientTransport: new (url: URL, options: object) => object
}

/**
 * Connects a client with credentials: over Streamable HTTP, or over the older HTTP+SSE transport when the
 * server responds to the first POST with 400, 404 or 405. On failure, it closes the client and the
 * credentials.
 *
 * @param client - A `Client` of `@modelcontextprotocol/sdk` (1.x) or `@modelcontextprotocol/client` (2.x).
 * @param url - The MCP server.
 * @param provider - A provider, or a selector such as `perTenant`.
 * @throws The reason of `signal` when it aborts; `CredentialError` when there is no credential;
 *   {@link ConfigurationError} when the SDK is not installed. When the server refuses the credential or is not an
 *   MCP server, a `CredentialError` with what was sent, the response and a remedy, with the codes
 *   `unauthorized`, `forbidden`, `not_mcp_server`, `request_refused`, `redirect_refused`, `rate_limited`,
 *   `server_error`, `network` and `timeout`. Its `cause` is the error of the SDK, which may quote the
 *   server, so do not print it. After a 401 the metadata of the server is read, for at most five seconds
 *   and without the credential. JSON-RPC errors of the server are thrown as the SDK reports them.
 *
 * @example
 * ```ts
 * import { Client } from '@modelcontextprotocol/sdk/client/index.js'
 * import { apiKey, env } from 'mcp-credentials'
 * import { connect } from 'mcp-credentials/mcp'
 *
 * const client = new Client({ name: 'agent', version: '1.0.0' })
 * await connect(client, 'https://mcp.example.com/mcp', apiKey({ value: env('MCP_API_KEY') }))
 * ```
 * @group Connecting
 */
export async function connect(
  client: {
    // biome-ignore lint/suspicious/noExplicitAny: each SDK version has a Transport type of its own.
    connect(transport: any, options?: any): Promise<void>
    close(): Promise<void>
  },
  url: string | URL,
  provider: CredentialProvider | CredentialSelector,
  options: ConnectOptions = {},
): Promise<ConnectedTransport> {
  const { transport = {}, signal, ...rest } = options
  signal?.throwIfAborted()
  const target = targetOf(url)
  const { fetch: network = (input, init) => globalThis.fetch(input, init) } = rest
  const observer = new ConnectionObserver(
    target,
    () => describedProvider(provider, heldBy(provider, fetch)),
    network,
  )
  const fetch = authorizedFetch(provider, { ...rest, resource: target, fetch: observer.network })
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= closeAll(client, fetch)
    return closing
  }
  try {
    const opened = await abortable(
      openExplained({ client, target, provider, fetch, observer, options: transport, signal }),
      signal,
    )
    return { ...opened, fetch, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    const closed = close().catch(() => {})
    // After an abort, closing is not awaited: a pending grant may take a few seconds.
    if (signal?.aborted !== true) await closed
    throw error
  }
}

/** The credential that was sent last; not known for a selector, which has several managers. */
function heldBy(
  provider: CredentialProvider | CredentialSelector,
  fetch: AuthorizedFetch,
): Credential | undefined {
  return 'select' in provider ? undefined : transportPortOf(fetch.manager).held
}

type Client = Parameters<typeof connect>[0]

interface Attempt {
  readonly client: Client
  readonly target: URL
  readonly provider: CredentialProvider | CredentialSelector
  readonly fetch: AuthorizedFetch
  readonly observer: ConnectionObserver
  readonly options: Readonly<Record<string, unknown>>
  readonly signal: AbortSignal | undefined
}

async function openExplained(attempt: Attempt): ReturnType<typeof open> {
  try {
    return await open(attempt)
  } catch (error) {
    const { observer, signal } = attempt
    throw await observer.explain(error, signal)
  }
}

/** Tries one transport, then the other. */
async function open(attempt: Attempt): Promise<Pick<ConnectedTransport, 'kind' | 'transport'>> {
  const { client, target, provider, fetch, observer, options, signal } = attempt
  const { StreamableHTTPClientTransport, SSEClientTransport } = await loadTransports(client)
  const connectOver = async (transport: object) => {
    signal?.throwIfAborted()
    await client.connect(transport, signal === undefined ? undefined : { signal })
    return transport
  }
  const optionsFor = (kind: 'streamable' | 'sse') => ({
    ...options,
    fetch: observer.watch(kind, fetch),
  })
  const connectStreamable = () =>
    connectOver(new StreamableHTTPClientTransport(target, optionsFor('streamable')))
  let first: unknown
  try {
    const transport = await connectStreamable().catch(async (error: unknown) => {
      if (!isPending(error)) throw error
      // The SDK has a shorter time limit than a login of the user.
      await client.close()
      await fetch.login({ signal })
      return connectStreamable()
    })
    return { kind: 'streamable-http', transport }
  } catch (error) {
    const status = observer.answer('streamable')?.status
    if (status === undefined || !otherTransport.has(status)) throw error
    first = error
    await client.close()
  }
  try {
    const transport = await connectOver(new SSEClientTransport(target, optionsFor('sse')))
    return { kind: 'sse', transport }
  } catch (error) {
    const { code } = error as { code?: unknown }
    // Neither transport exists, so the URL is wrong.
    if (typeof code === 'number' && otherTransport.has(code)) throw first
    throw 'select' in provider ? error : await credentialFailure(fetch, error)
  }
}

/** Closes both, even if one of them fails. */
async function closeAll(client: Client, fetch: AuthorizedFetch): Promise<void> {
  try {
    await client.close()
  } finally {
    await fetch.close()
  }
}

function isPending(error: unknown): boolean {
  return (
    isCredentialError(error, 'login_required') &&
    (error as LoginRequiredError).reason === 'login_pending'
  )
}

function targetOf(url: string | URL): URL {
  if (URL.canParse(url)) return new URL(url)
  throw new ConfigurationError(
    'url',
    'connect: the second argument must be the URL of the MCP server, starting with https://.',
  )
}

/**
 * Restores the error of a missing credential: the event source of the SSE transport reports every failure
 * as a status, but the manager still has the error.
 */
async function credentialFailure(fetch: AuthorizedFetch, error: unknown): Promise<unknown> {
  if ((error as { code?: unknown } | null)?.code !== 401) return error
  try {
    await fetch.manager.credential()
    return error
  } catch (reason) {
    return isCredentialError(reason) ? reason : error
  }
}

async function loadTransports(client: Client): Promise<Transports> {
  const version2 = await load(() => import('@modelcontextprotocol/client'))
  if (version2 !== undefined && client instanceof version2.Client) {
    return version2 as unknown as Transports
  }
  const [streamableHttp, sse] = await Promise.all([
    load(() => import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
    load(() => import('@modelcontextprotocol/sdk/client/sse.js')),
  ])
  if (streamableHttp !== undefined && sse !== undefined) {
    return { ...streamableHttp, ...sse } as unknown as Transports
  }
  if (version2 !== undefined) return version2 as unknown as Transports
  throw new ConfigurationError(
    'client',
    'connect: neither @modelcontextprotocol/sdk nor @modelcontextprotocol/client is installed.',
    { remedy: 'Run `npm install @modelcontextprotocol/sdk`.' },
  )
}

async function load<T>(importer: () => Promise<T>): Promise<T | undefined> {
  try {
    return await importer()
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}
