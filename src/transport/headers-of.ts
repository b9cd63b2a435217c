/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The headers of a credential, for frameworks that accept only headers.
 *
 * @module
 */
import type { Credential, CredentialProvider, CredentialSelector } from '../credential.ts'
import { ConfigurationError, CredentialError, isCredentialError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import type { TokenManagerOptions } from '../manager/options.ts'
import { managerOfTenant, type TokenManager, transportPortOf } from '../manager/token-manager.ts'
import { abortable } from '../waiting.ts'
import { parseChallenges } from '../www-authenticate.ts'
import { applyCredential, type Channel, whereOf } from './credential-calls.ts'
import { drain } from './drain.ts'
import { checkHeaders } from './hop.ts'
import { withLoginTimeout } from './login-timeout.ts'
import { checkArguments, headersOptions } from './options.ts'
import { checkTransportSecurity } from './origin.ts'
import { PlainHeaders } from './plain-headers.ts'
import { RecordedRequest } from './recorded-request.ts'
import { isSelector, providerOf, selectProvider } from './selection.ts'

/**
 * The options of {@link headersOf} and {@link liveHeaders}, and of their {@link TokenManager}.
 *
 * @group Authenticated requests
 */
export interface HeadersOfOptions extends TokenManagerOptions {
  /** Allows plain `http:` to other machines. The headers can then be read on the network. Default `false`. */
  readonly allowInsecure?: boolean
  /** Aborts the wait for the headers, with its reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Headers that are updated when their credential is renewed, and the owner of that credential.
 *
 * @group Authenticated requests
 */
export interface LiveHeaders {
  /**
   * The headers by their names in lower case. Each value is read from the current credential, so
   * `{ ...headers }` is a snapshot. Reading throws a {@link CredentialError} when the credential has expired
   * and no new one has been acquired, and after {@link LiveHeaders.close}. `JSON.stringify` shows the values;
   * `console.log`, which does not read the members, does not.
   */
  readonly headers: Readonly<Record<string, string>>
  /** Ends the renewals, and waits until the credential is stored. */
  close(): Promise<void>
  /** The same as {@link LiveHeaders.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Returns the headers that a request to a server would carry now, for frameworks that accept only fixed
 * headers. The credential is acquired or renewed first where that is due. The server itself receives a
 * request only where the provider needs its challenge to log in.
 *
 * The headers contain secrets and are valid as long as the credential: they are not renewed, and a refusal by
 * the server is not noticed. Where a framework accepts a `fetch`, use {@link authorizedFetch}; where it reads
 * its headers for each request, {@link liveHeaders}; where it accepts a URL, `bridge()` of
 * `mcp-credentials/node`.
 *
 * @param provider - The provider, or a selector such as {@link perTenant}, which is called with a request
 * that is not an MCP message.
 * @returns The headers by their names in lower case.
 * @throws {@link ConfigurationError} when an option is invalid. {@link CredentialError} when there is no credential;
 * with the code `not_fixed_headers` when it signs each request (HMAC, HTTP message signatures, DPoP, SigV4) or is
 * sent in the URL, so that it has no fixed headers.
 *
 * @example
 * ```ts
 * import { apiKey, env, headersOf } from 'mcp-credentials'
 *
 * const resource = 'https://mcp.example.com/mcp'
 * const headers = await headersOf(apiKey({ value: env('MCP_API_KEY') }), { resource })
 * ```
 * @group Authenticated requests
 */
export async function headersOf(
  provider: CredentialProvider | CredentialSelector,
  options: HeadersOfOptions,
): Promise<Readonly<Record<string, string>>> {
  const source = new HeaderSource('headersOf', provider, options)
  try {
    return Object.fromEntries(await source.first())
  } finally {
    await source.close()
  }
}

/**
 * Returns headers that stay valid: each is read from the current credential, which is renewed in the background
 * before it expires. For frameworks that read or spread their headers for each request, as the transports of
 * both official SDKs do with `requestInit.headers`. A refusal by the server before they expire is not noticed.
 *
 * @param provider - As for {@link headersOf}.
 * @param options - As for {@link headersOf}; `renewal.keepFresh` is `true` by default.
 * @throws As {@link headersOf}; also for a credential that needs asynchronous work for each request.
 *
 * @example
 * ```ts
 * import { bearer, file, liveHeaders } from 'mcp-credentials'
 *
 * const resource = 'https://mcp.example.com/mcp'
 * const live = await liveHeaders(bearer(file('/run/secrets/token')), { resource })
 * const requestInit = { headers: live.headers }
 * await live.close()
 * ```
 * @group Authenticated requests
 */
export async function liveHeaders(
  provider: CredentialProvider | CredentialSelector,
  options: HeadersOfOptions,
): Promise<LiveHeaders> {
  const renewal = { keepFresh: true, ...options?.renewal }
  const source = new HeaderSource('liveHeaders', provider, { ...options, renewal })
  try {
    const names = [...(await source.first()).keys()]
    // A credential that cannot be read synchronously is refused here, and not at the first read.
    source.now()
    const members = names.map((name) => [name, { enumerable: true, get: () => source.value(name) }])
    const headers = Object.freeze(Object.defineProperties({}, Object.fromEntries(members)))
    const close = () => source.close()
    return { headers, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await source.close()
    throw error
  }
}

/** Owns the manager, and reads the headers of its credentials. */
class HeaderSource {
  readonly #manager: TokenManager
  readonly #channel: Channel
  readonly #target: URL
  readonly #signal: AbortSignal | undefined
  #applied: { readonly credential: Credential; readonly headers: Headers } | undefined

  constructor(
    where: string,
    source: CredentialProvider | CredentialSelector,
    options: HeadersOfOptions,
  ) {
    checkArguments(where, source, options ?? {}, headersOptions)
    const { allowInsecure = false, signal, ...rest } = options
    const { provider, key } = chosen(source, options.resource)
    this.#manager = managerOfTenant(provider, rest, key)
    checkTransportSecurity(this.#manager.resource, allowInsecure)
    this.#target = new URL(options.resource)
    this.#target.hash = ''
    this.#signal = signal
    this.#channel = {
      port: transportPortOf(this.#manager),
      send: options.fetch ?? ((input, init) => fetch(input, init)),
      now: options.now ?? Date.now,
      observed: options.onEvent !== undefined,
      tenant: key,
      source: provider.source,
      throwOnRefusal: false,
    }
  }

  /** The headers of the current credential, or of a new one. */
  async first(): Promise<Headers> {
    const { port, tenant } = this.#channel
    const signal = this.#signal
    if (port.wantsChallenge) await this.#learnChallenge()
    const wait = (waiting: AbortSignal | undefined) => port.credential(waiting)
    const credential = await withLoginTimeout(port, signal, wait, tenant)
    const request = this.#request()
    try {
      await applyCredential(this.#channel, credential, request, signal)
    } catch (error) {
      throw this.#refusal(request) ?? error
    }
    return this.#headersOf(request)
  }

  /** The value of a header now. */
  value(name: string): string {
    const value = this.now().get(name)
    if (value === null) throw this.#notFixed('no longer sends the same headers')
    return value
  }

  /** The headers of the current credential, without waiting. */
  now(): Headers {
    const { port } = this.#channel
    if (port.closing.aborted) throw port.closing.reason
    const credential = this.#manager.current()
    if (credential === undefined) {
      // The next read may find a credential.
      this.#manager.credential().catch(() => {})
      throw this.#expired()
    }
    if (this.#applied?.credential !== credential) {
      this.#applied = { credential, headers: this.#applyNow(credential) }
    }
    return this.#applied.headers
  }

  close(): Promise<void> {
    return this.#manager.close()
  }

  #applyNow(credential: Credential): Headers {
    const request = this.#request()
    const applying = applyCredential(this.#channel, credential, request, undefined)
    if (applying === undefined) return this.#headersOf(request)
    applying.catch(() => {})
    throw this.#refusal(request) ?? this.#notFixed('needs asynchronous work for each request')
  }

  #request(): RecordedRequest {
    const { port, now } = this.#channel
    return new RecordedRequest(this.#target, now() + port.clockOffset, port.closing)
  }

  #headersOf(request: RecordedRequest): Headers {
    const refusal = this.#refusal(request)
    if (refusal !== undefined) throw refusal
    const { headers } = request
    checkHeaders(this.#channel, new PlainHeaders(), headers, request)
    return headers
  }

  #refusal(request: RecordedRequest): CredentialError | undefined {
    if (request.isInUrl) return this.#notFixed('is sent in the URL, and not in a header')
    if (request.isPerRequest) {
      return this.#notFixed(
        'signs each request, so that its headers are valid for one request only',
      )
    }
    return undefined
  }

  #notFixed(what: string): CredentialError {
    const { port } = this.#channel
    const problem = `${port.provider}: the credential for ${resourceLabel(port.resource)} ${what}.`
    return new CredentialError('not_fixed_headers', problem, {
      ...whereOf(this.#channel),
      remedy:
        'Use authorizedFetch() or withCredentials(), or bridge() of mcp-credentials/node where only a URL is accepted.',
    })
  }

  #expired(): CredentialError {
    const { port } = this.#channel
    const problem = `${port.provider}: the credential for ${resourceLabel(port.resource)} has expired, and no new one has been acquired.`
    return new CredentialError('acquire_failed', problem, {
      ...whereOf(this.#channel),
      retryable: true,
      remedy: 'Try again; the events show why it was not renewed.',
    })
  }

  /** Requests the server's challenge, without a credential (MCP 2026-07-28, Authorization Server Discovery). */
  async #learnChallenge(): Promise<void> {
    const { port, send } = this.#channel
    const signal = this.#signal
    if (await abortable(port.restored(signal), signal, port.closing)) return
    const response = await send(this.#target, {
      method: 'POST',
      body: '',
      redirect: 'manual',
      signal: signal ?? null,
    }).catch((error: unknown) => {
      if (signal?.aborted === true) throw signal.reason
      throw unreachable(this.#channel, error)
    })
    port.challenged(parseChallenges(response.headers.get('WWW-Authenticate')))
    drain(response)
  }
}

// The original message may quote the URL, and with it a key.
function unreachable(channel: Channel, error: unknown): CredentialError {
  if (isCredentialError(error)) return error
  const { port } = channel
  const problem = `${port.provider}: ${resourceLabel(port.resource)} does not respond.`
  return new CredentialError('network', problem, { ...whereOf(channel), retryable: true })
}

function chosen(
  source: CredentialProvider | CredentialSelector,
  resource: string | URL | undefined,
): { readonly provider: CredentialProvider; readonly key: string | undefined } {
  if (resource === undefined) {
    throw new ConfigurationError(
      'resource',
      '`resource` is missing; pass { resource: url } with the URL of the MCP server.',
    )
  }
  if (!isSelector(source)) return { provider: source, key: undefined }
  if (!URL.canParse(String(resource))) {
    throw new ConfigurationError(
      'resource',
      '`resource` is not a URL; pass that of the MCP server.',
    )
  }
  const url = new URL(resource)
  const request = { method: 'POST', url, mcpMethod: undefined, toolName: undefined }
  const selection = selectProvider(source, request)
  return { provider: providerOf(source, selection), key: selection.key }
}
