/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The headers of a credential, for those who can be given nothing else.
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
 * How {@link headersOf} and {@link liveHeaders} work; the rest is for their {@link TokenManager}.
 *
 * @group Authenticated requests
 */
export interface HeadersOfOptions extends TokenManagerOptions {
  /** Allows plain `http:` to other machines. The headers can then be read on the network. Default `false`. */
  readonly allowInsecure?: boolean
  /** Rejects with its reason when it aborts before there are headers. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Headers that follow the renewals of their credential, and the owner of that credential.
 *
 * @group Authenticated requests
 */
export interface LiveHeaders {
  /**
   * The headers by their names in lower case. Each value is that of the credential that is held when it is read, so
   * `{ ...headers }` is as good as the moment. Reading throws a {@link CredentialError} when the credential has
   * expired and no other is there yet, and after {@link LiveHeaders.close}. `JSON.stringify` reads too; what inspects
   * the object without reading its members, as `console.log` does, shows no value.
   */
  readonly headers: Readonly<Record<string, string>>
  /** Ends the renewals, and waits until what is held is stored. */
  close(): Promise<void>
  /** The same as {@link LiveHeaders.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Gets the headers that a request to a server would carry now, for frameworks that take nothing but fixed headers.
 * The credential is acquired or renewed first where that is due; the server itself gets a request only where the
 * provider has to learn from its 401 how to log in.
 *
 * The headers hold secrets and are good for as long as the credential is: nobody renews them, and nobody sees when the
 * server refuses them. Where a framework takes a `fetch`, use {@link authorizedFetch}; where it reads its headers for
 * each request, {@link liveHeaders}; where it takes a URL, `bridge()` of `mcp-credentials/node`.
 *
 * @param provider - What proves who you are, or a selector such as {@link perTenant}, which is asked about a request
 * that is no MCP message.
 * @returns The headers by their names in lower case.
 * @throws {@link ConfigurationError} when an option is wrong. {@link CredentialError} when there is no credential; with
 * the code `not_fixed_headers` when it signs each request (HMAC, HTTP message signatures, DPoP, SigV4) or is sent in the
 * address, so that no headers can be lent.
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
  const lender = new Lender('headersOf', provider, options)
  try {
    return Object.fromEntries(await lender.first())
  } finally {
    await lender.close()
  }
}

/**
 * Gets headers that stay good: each reads the credential that is held at that moment, which is renewed in the
 * background before it expires. For frameworks that read or spread their headers for each request, as the transports of
 * both official SDKs do with `requestInit.headers`. Nobody sees when the server refuses them before their time.
 *
 * @param provider - As for {@link headersOf}.
 * @param options - As for {@link headersOf}; `renewal.keepFresh` is `true` by default.
 * @throws As {@link headersOf}; also for a credential that cannot be put on a request at once.
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
  const lender = new Lender('liveHeaders', provider, { ...options, renewal })
  try {
    const names = [...(await lender.first()).keys()]
    // A credential that cannot be read at once is refused here, and not at the first reading.
    lender.now()
    const members = names.map((name) => [name, { enumerable: true, get: () => lender.value(name) }])
    const headers = Object.freeze(Object.defineProperties({}, Object.fromEntries(members)))
    const close = () => lender.close()
    return { headers, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await lender.close()
    throw error
  }
}

/** Owns the manager, and takes the headers out of its credentials. */
class Lender {
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

  /** The headers of the credential that is there, or that can be had. */
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
    if (value === null) throw this.#notFixed('sends other headers than before')
    return value
  }

  /** The headers of the credential that is held, without waiting. */
  now(): Headers {
    const { port } = this.#channel
    if (port.closing.aborted) throw port.closing.reason
    const credential = this.#manager.current()
    if (credential === undefined) {
      // Whoever reads next may find one.
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
    throw this.#refusal(request) ?? this.#notFixed('takes its time with each request')
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
    if (request.isInUrl) return this.#notFixed('is sent in the address, and not in a header')
    if (request.isPerRequest) {
      return this.#notFixed('signs each request, so that headers of one do not serve another')
    }
    return undefined
  }

  #notFixed(what: string): CredentialError {
    const { port } = this.#channel
    const problem = `${port.provider}: the credential for ${resourceLabel(port.resource)} ${what}.`
    return new CredentialError('not_fixed_headers', problem, {
      ...whereOf(this.#channel),
      remedy:
        'Use authorizedFetch() or withCredentials(), or bridge() of mcp-credentials/node where only a URL can be given.',
    })
  }

  #expired(): CredentialError {
    const { port } = this.#channel
    const problem = `${port.provider}: the credential for ${resourceLabel(port.resource)} has expired, and no other is there yet.`
    return new CredentialError('acquire_failed', problem, {
      ...whereOf(this.#channel),
      retryable: true,
      remedy: 'Try again; see the events for why it was not renewed.',
    })
  }

  /** Asks the server what it wants, without a credential (MCP 2026-07-28, Authorization Server Discovery). */
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

// Its text may quote the address, and with it a key.
function unreachable(channel: Channel, error: unknown): CredentialError {
  if (isCredentialError(error)) return error
  const { port } = channel
  const problem = `${port.provider}: ${resourceLabel(port.resource)} does not answer.`
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
