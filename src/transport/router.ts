/**
 * Chooses the manager for each request, or sends it without one.
 *
 * @module
 */
import type {
  CredentialProvider,
  CredentialSelector,
  FetchLike,
  SelectionRequest,
} from '../credential.ts'
import { ConfigurationError, CredentialError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import { managerOfTenant, type TokenManager, transportPortOf } from '../manager/token-manager.ts'
import type { TransportPort } from '../manager/transport-port.ts'
import { type Call, completeCall, snapshotCall } from './call.ts'
import { answerEventSource, isEventSourceRequest } from './event-source.ts'
import { ManagerPool, type Member } from './manager-pool.ts'
import { isOAuthRequest } from './oauth-endpoints.ts'
import type { BindingOptions } from './options.ts'
import { checkTransportSecurity } from './origin.ts'
import { resolveRetryPolicy } from './retry.ts'
import { isSelector, providerOf, selectionRequestOf, selectProvider } from './selection.ts'
import { Sender } from './sender.ts'

/** The MCP server that the credentials are for. */
interface Binding {
  readonly resource: URL
  /** The same with its query. */
  readonly serverUrl: URL
  readonly origin: string
  readonly path: string
  /** The only manager, unless a selector chooses. */
  readonly member: Member | undefined
  /** Reports the requests without a credential. */
  readonly reporter: Pick<TransportPort, 'emit'>
}

/** The resource while only the options are checked. */
const placeholderResource = 'https://localhost'
const maxReportedTargets = 100

/** Binds to an MCP server, owns the managers for it, and sends each request with one of them. */
export class Router {
  readonly #source: CredentialProvider | CredentialSelector
  readonly #options: BindingOptions
  readonly #send: FetchLike
  readonly #pool: ManagerPool
  readonly #reportedTargets = new Set<string>()
  #binding: Binding | undefined

  /** @throws `ConfigurationError` when an option is wrong. */
  constructor(source: CredentialProvider | CredentialSelector, options: BindingOptions) {
    this.#source = source
    this.#options = options
    this.#send = options.fetch ?? ((input, init) => fetch(input, init))
    this.#pool = new ManagerPool(isSelector(source) ? maxKeptOf(source) : 1, () =>
      this.#closedError(),
    )
    resolveRetryPolicy(options.retry ?? {}, 1)
    // Invalid options are refused here and not at the first request.
    if (options.resource !== undefined) this.#bind(options.resource)
    else this.#createManager(providerLike(source), placeholderResource)
  }

  /** Sends a request. No `await` may precede the binding, or a later request could bind first. */
  fetch(input: string | URL | Request, init: RequestInit | undefined): Promise<Response> {
    let call: Call | undefined
    try {
      call = snapshotCall(input, init)
      if (this.#pool.closed) throw this.#closedError()
      if (this.#binding === undefined && isOAuthRequest(call, call.url, undefined)) {
        return this.#passThrough(call, resourceLabel(call.url))
      }
      return this.#route(this.#binding ?? this.#bind(call.url), call)
    } catch (error) {
      return failed(call, error)
    }
  }

  /**
   * The only manager.
   *
   * @throws `ConfigurationError` when a selector chooses, and before the first request has bound.
   */
  get manager(): TokenManager {
    if (isSelector(this.#source)) {
      throw new ConfigurationError(
        'manager',
        `${this.#source.name}: every key has its own manager; use login(), logout() and close() instead of \`manager\`.`,
      )
    }
    const manager = this.#binding?.member?.manager
    if (manager === undefined) throw unboundError('use the manager')
    return manager
  }

  /** Runs a task with the manager that serves a request to the resource itself. */
  async withManager<T>(task: (manager: TokenManager) => Promise<T>): Promise<T> {
    if (this.#pool.closed) throw this.#closedError()
    const binding = this.#binding
    if (binding === undefined) throw unboundError('log in or out')
    const url = new URL(binding.serverUrl)
    const request = { method: 'POST', url, mcpMethod: undefined, toolName: undefined }
    const member = this.#lease(binding, request)
    try {
      return await task(member.manager)
    } finally {
      this.#pool.release(member)
    }
  }

  /** Closes every manager. */
  close(): Promise<void> {
    return this.#pool.close()
  }

  #route(binding: Binding, call: Call): Promise<Response> {
    const { url, pendingBody } = call
    if (url.origin !== binding.origin) return this.#passThrough(call, url.origin)
    if (isOAuthRequest(call, url, binding.path)) return this.#passThrough(call, resourceLabel(url))
    if (binding.member !== undefined && pendingBody === undefined) {
      return binding.member.sender.request(call)
    }
    return this.#sendLeased(binding, call)
  }

  /** The selector is called synchronously, and not when the body has arrived. */
  async #sendLeased(binding: Binding, call: Call): Promise<Response> {
    let member: Member
    try {
      member = this.#lease(binding, selectionRequestOf(call))
    } catch (error) {
      return failed(call, error)
    }
    try {
      const complete = await completeCall(call)
      // Some OAuth requests are recognized only by their bodies.
      if (complete !== call && isOAuthRequest(complete, call.url, binding.path)) {
        return await this.#passThrough(complete, resourceLabel(call.url))
      }
      return await member.sender.request(complete)
    } finally {
      this.#pool.release(member)
    }
  }

  /** Sends a request without a credential, and reports that once for each target. */
  async #passThrough(call: Call, target: string): Promise<Response> {
    this.#reportTarget(target)
    const { url, method, headers, init } = await completeCall(call)
    if (this.#pool.closed) throw this.#closedError()
    return this.#send(url, { ...init, method, headers })
  }

  #reportTarget(target: string): void {
    const reported = this.#reportedTargets
    if (reported.has(target) || reported.size >= maxReportedTargets) return
    reported.add(target)
    // Events name the resource, so events before the binding are reported afterwards.
    this.#binding?.reporter.emit({ type: 'passed_through', target })
  }

  #bind(resource: string | URL): Binding {
    const source = this.#source
    const member = isSelector(source)
      ? undefined
      : this.#pool.lease('', () => this.#createMember(source, resource, undefined))
    const manager = member?.manager ?? this.#createManager(providerLike(source), resource)
    const bound = manager.resource
    const { origin, pathname: path } = bound
    const reporter = transportPortOf(manager)
    const serverUrl = new URL(resource)
    serverUrl.hash = ''
    this.#binding = { resource: bound, serverUrl, origin, path, member, reporter }
    for (const target of this.#reportedTargets) reporter.emit({ type: 'passed_through', target })
    return this.#binding
  }

  #lease(binding: Binding, request: SelectionRequest): Member {
    const source = this.#source
    if (!isSelector(source)) return this.#pool.lease('', () => memberOf(binding))
    const selection = selectProvider(source, request)
    const { key } = selection
    return this.#pool.lease(key, () =>
      this.#createMember(providerOf(source, selection), binding.serverUrl, key),
    )
  }

  #createMember(
    provider: CredentialProvider,
    resource: string | URL,
    tenant: string | undefined,
  ): Member {
    const { now = Date.now, onEvent, retry = {}, throwOnRefusal = false } = this.#options
    const manager = this.#createManager(provider, resource, tenant)
    const port = transportPortOf(manager)
    const observed = onEvent !== undefined
    const { source } = provider
    const channel = { port, send: this.#send, now, observed, tenant, source, throwOnRefusal }
    const policy = resolveRetryPolicy(retry, port.alternatives)
    return { manager, port, sender: new Sender(channel, policy), uses: 0 }
  }

  #createManager(
    provider: CredentialProvider,
    resource: string | URL,
    tenant?: string,
  ): TokenManager {
    const { retry: _, throwOnRefusal: __, allowInsecure = false, ...rest } = this.#options
    const options = { ...rest, resource, fetch: this.#send }
    const manager = managerOfTenant(provider, options, tenant)
    checkTransportSecurity(manager.resource, allowInsecure)
    return manager
  }

  #closedError(): CredentialError {
    const resource = this.#binding?.resource
    const label = resource === undefined ? 'an MCP server' : resourceLabel(resource)
    return new CredentialError('closed', `The authorized fetch for ${label} is closed.`, {
      provider: this.#source.name,
      ...(resource === undefined ? {} : { resource }),
      remedy: 'Call withCredentials() or authorizedFetch() again.',
    })
  }
}

/** Returns the outcome of a request that was not sent. */
async function failed(call: Call | undefined, error: unknown): Promise<Response> {
  if (call !== undefined && isEventSourceRequest(call)) return answerEventSource(error, false)
  throw error
}

function memberOf({ member }: Binding): Member {
  if (member !== undefined) return member
  throw new TypeError('A binding without a member has a selector.')
}

/** A provider without credentials in place of a selector, for events without a key. */
function providerLike(source: CredentialProvider | CredentialSelector): CredentialProvider {
  if (!isSelector(source)) return source
  const { name } = source
  return {
    name,
    acquire: () => Promise.reject(new ConfigurationError(name, `${name}: it has no credential.`)),
  }
}

function maxKeptOf({ name, maxKept = 1000 }: CredentialSelector): number {
  if (Number.isSafeInteger(maxKept) && maxKept > 0) return maxKept
  throw new ConfigurationError(
    `${name}.maxKept`,
    `${name}: \`maxKept\` must be a positive integer.`,
  )
}

function unboundError(what: string): ConfigurationError {
  return new ConfigurationError(
    'resource',
    `The credential is not bound to a server yet; pass \`resource: url\` to ${what} before the first request.`,
  )
}
