/**
 * Credentials for servers whose tools require them as arguments.
 *
 * @module
 */
import type { Credential, CredentialProvider, Secret } from '../credential.ts'
import { ConfigurationError, CredentialError, isCredentialError } from '../errors.ts'
import { managerOptions, type TokenManagerOptions } from '../manager/options.ts'
import type { TransportPort } from '../manager/transport-port.ts'
import { checkOptions } from '../options.ts'
import { readSecret } from '../secret.ts'
import { abortable } from '../waiting.ts'
import { bareToken, checkValue, isProvider } from './bare-token.ts'
import { type Managed, manage } from './managed.ts'

/**
 * The options of {@link withToolArguments}, and those of the token managers of its providers.
 *
 * @group Environment and tool arguments
 */
export interface ToolArgumentsOptions extends TokenManagerOptions {
  /**
   * The value of each argument. A provider's bearer token is cached and renewed. A {@link Secret} is read
   * for each call; pass a slow source to `bearer()`, which caches it.
   */
  readonly arguments: Readonly<Record<string, Secret | CredentialProvider>>
  /** The tools that require them. Default: all. */
  readonly tools?: readonly string[] | ((name: string) => boolean)
  /**
   * Returns whether a tool's result or a JSON-RPC error means that the token was refused. The next call
   * then receives a new token; this call is not retried. Default: never, because MCP defines no such
   * signal.
   */
  readonly isRejected?: (answer: Readonly<Record<string, unknown>>) => boolean
  /** Allow a plain `http:` resource on another machine. Default `false`. */
  readonly allowInsecure?: boolean
}

type Listener = (message: Message, extra?: unknown) => void
type Id = string | number
interface Message {
  readonly id?: Id
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: Readonly<Record<string, unknown>>
}
interface SendOptions {
  readonly requestSignal?: AbortSignal
}
interface Wire {
  send(message: Message | readonly Message[], options?: SendOptions): Promise<void>
  close(): Promise<void>
  onerror?: ((error: Error) => void) | undefined
}

const maxUnanswered = 1000

/**
 * Adds credentials to the arguments of tool calls, for servers that require them there. Other messages are
 * unchanged: connect the client over the returned transport as over the original one.
 *
 * It overrides the argument of the caller or of a language model. The caller's message object is not
 * changed. Arguments are part of the message, so the server and lower layers may log them; prefer headers
 * if the server supports them.
 *
 * If the credential cannot be read or acquired, the call is rejected with the `CredentialError` and not
 * sent. A call that is cancelled during the acquisition is not sent either.
 *
 * @param transport - A client transport of either SDK that has not been started.
 * @throws `ConfigurationError` when an option is invalid.
 *
 * @example
 * ```ts
 * import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
 * import { env } from 'mcp-credentials'
 * import { withToolArguments } from 'mcp-credentials/mcp'
 *
 * const url = new URL('https://mcp.example.com/mcp')
 * const transport = withToolArguments(new StreamableHTTPClientTransport(url), {
 *   resource: url,
 *   arguments: { auth_token: env('MCP_TOKEN') },
 * })
 * ```
 * @group Environment and tool arguments
 */
export function withToolArguments<
  T extends {
    /** Sends a JSON-RPC message. */
    send(message: never, options?: never): Promise<void>
    /** Closes the connection. */
    close(): Promise<void>
  },
>(transport: T, options: ToolArgumentsOptions): T {
  const calls = new ToolCalls(options)
  const wire = transport as unknown as Wire
  const replaced = new Map<PropertyKey, unknown>([
    [
      'send',
      (message: Message, sendOptions?: SendOptions) => calls.send(wire, message, sendOptions),
    ],
    ['close', async () => void (await Promise.all([wire.close(), calls.close()]))],
  ])
  return new Proxy(transport, {
    get(target, key) {
      if (replaced.has(key)) return replaced.get(key)
      // The transport itself is the receiver, because a proxy has no private members.
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function' || Object.hasOwn(target, key)) return value
      const bound: unknown = value.bind(target)
      replaced.set(key, bound)
      return bound
    },
    set(target, key, value: unknown) {
      if (key !== 'onmessage' || typeof value !== 'function') return Reflect.set(target, key, value)
      const listener: Listener = (message, extra) => {
        try {
          calls.observe(message)
        } catch (error) {
          wire.onerror?.(error instanceof Error ? error : new Error('isRejected failed'))
        }
        ;(value as Listener)(message, extra)
      }
      return Reflect.set(target, key, listener)
    },
  })
}

interface Use {
  readonly port: TransportPort
  readonly credential: Credential
}

type Source = Managed | { readonly secret: Secret }

class ToolCalls {
  readonly #sources: readonly (readonly [string, Source])[]
  readonly #concerns: (tool: string) => boolean
  readonly #isRejected: ToolArgumentsOptions['isRejected']
  /** Requests that wait for a credential; aborted when the caller cancels them or closes the transport. */
  readonly #waiting = new Map<Id, AbortController>()
  /** The credentials of unanswered calls. */
  readonly #unanswered = new Map<Id, readonly Use[]>()

  constructor(options: ToolArgumentsOptions) {
    checkOptions('withToolArguments', options, known)
    const { arguments: values, tools, isRejected, allowInsecure, ...rest } = options
    const insecure = allowInsecure ?? false
    const entries = Object.entries(values ?? {})
    if (entries.length === 0) {
      throw new ConfigurationError(
        'arguments',
        'withToolArguments: pass `arguments`, such as { auth_token: provider }.',
      )
    }
    this.#sources = entries.map(([name, value]) => {
      checkValue(`arguments.${name}`, value, emptyProblem)
      const source = isProvider(value) ? manage(value, rest, insecure) : { secret: value }
      return [name, source] as const
    })
    // A manager checks its options; this one checks them if there are only secrets.
    manage({ name: 'withToolArguments', acquire: nothing }, rest, insecure)
    this.#concerns = typeof tools === 'function' ? tools : (tool) => tools?.includes(tool) ?? true
    this.#isRejected = isRejected
  }

  async send(
    wire: Wire,
    message: Message | readonly Message[],
    options: SendOptions | undefined,
  ): Promise<void> {
    const messages: readonly Message[] = Array.isArray(message) ? message : [message as Message]
    for (const one of messages) this.#noteCancellation(one)
    if (!messages.some((one) => this.#isConcerned(one))) return wire.send(message, options)
    const signal = options?.requestSignal
    const filled = await Promise.all(messages.map((one) => this.#fill(one, signal)))
    const wanted = filled.filter((one) => one !== undefined)
    if (wanted.length === 0 || signal?.aborted === true) return
    const [only] = wanted
    await wire.send(Array.isArray(message) || only === undefined ? wanted : only, options)
  }

  observe({ id, result, error }: Message): void {
    const answer = result ?? error
    const uses = id === undefined ? undefined : this.#unanswered.get(id)
    if (id === undefined || uses === undefined || answer === undefined) return
    this.#unanswered.delete(id)
    const rejected = this.#isRejected?.(answer) === true
    for (const { port, credential } of uses) {
      if (rejected) port.rejected(credential, {})
      else port.accepted(credential)
    }
  }

  async close(): Promise<void> {
    for (const waiting of this.#waiting.values()) waiting.abort(closedError())
    this.#unanswered.clear()
    await Promise.all(
      this.#sources.map(([, source]) => 'manager' in source && source.manager.close()),
    )
  }

  #isConcerned({ method, params }: Message): boolean {
    const tool = params?.['name']
    return method === 'tools/call' && typeof tool === 'string' && this.#concerns(tool)
  }

  #noteCancellation({ method, params }: Message): void {
    if (method === 'notifications/cancelled')
      this.#waiting.get(params?.['requestId'] as Id)?.abort()
  }

  /** Adds the credentials to a message; `undefined`: it was cancelled. */
  async #fill(message: Message, signal: AbortSignal | undefined): Promise<Message | undefined> {
    const { id, params } = message
    if (id === undefined || !this.#isConcerned(message)) return message
    if (signal?.aborted === true) return undefined
    const waiting = new AbortController()
    const leave = () => waiting.abort()
    signal?.addEventListener('abort', leave, { once: true })
    this.#waiting.set(id, waiting)
    const uses: Use[] = []
    try {
      const values = await Promise.all(
        this.#sources.map(async ([name, source]) => {
          return [name, await read(name, source, uses, waiting.signal)] as const
        }),
      )
      waiting.signal.throwIfAborted()
      this.#remember(id, uses)
      const given = params?.['arguments'] as Readonly<Record<string, unknown>> | undefined
      const filled = { ...given, ...Object.fromEntries(values) }
      return { ...message, params: { ...params, arguments: filled } }
    } catch (error) {
      const isCancelled = waiting.signal.aborted && !isCredentialError(waiting.signal.reason)
      if (isCancelled) return undefined
      throw error
    } finally {
      signal?.removeEventListener('abort', leave)
      if (this.#waiting.get(id) === waiting) this.#waiting.delete(id)
    }
  }

  #remember(id: Id, uses: readonly Use[]): void {
    if (this.#isRejected === undefined || uses.length === 0) return
    this.#unanswered.set(id, uses)
    // Cancelled calls are never answered, so the oldest are removed.
    const [oldest] = this.#unanswered.keys()
    if (this.#unanswered.size > maxUnanswered && oldest !== undefined) {
      this.#unanswered.delete(oldest)
    }
  }
}

async function read(
  name: string,
  source: Source,
  uses: Use[],
  signal: AbortSignal,
): Promise<string> {
  if ('secret' in source) {
    return abortable(
      readSecret(`arguments.${name}`, source.secret, { signal, problemOf: emptyProblem }),
      signal,
    )
  }
  const { port } = source
  const credential = await port.credential(signal)
  uses.push({ port, credential })
  return abortable(bareToken(credential, port), signal)
}

function closedError(): CredentialError {
  return new CredentialError('closed', 'withToolArguments: the transport was closed.')
}

function emptyProblem(text: string): string | undefined {
  return text === '' ? 'is empty' : undefined
}

function nothing(): Promise<Credential> {
  return Promise.reject(new ConfigurationError('arguments', 'withToolArguments: no provider.'))
}

const known: readonly (keyof ToolArgumentsOptions)[] = [
  'arguments',
  'tools',
  'isRejected',
  'allowInsecure',
  ...managerOptions,
]
