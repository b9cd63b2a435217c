/**
 * The options of `authorizedFetch` and `withCredentials`.
 *
 * @module
 */
import type { CredentialProvider, CredentialSelector, FetchLike } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { managerOptions, type TokenManagerOptions } from '../manager/options.ts'
import { checkOptions } from '../options.ts'
import type { RetryPolicy } from './retry.ts'

/**
 * The options of {@link authorizedFetch}, and of its {@link TokenManager}.
 *
 * @group Authenticated requests
 */
export interface AuthorizedFetchOptions extends TokenManagerOptions {
  /** The MCP server to which the credential is bound. The credential is sent to this origin only. */
  readonly resource: string | URL
  /** The underlying `fetch`, for MCP requests and for the provider's own. Default: the platform's. */
  readonly fetch?: FetchLike
  /** When and how often a request is sent again. Default: once, after a 401. */
  readonly retry?: RetryPolicy
  /**
   * Allows plain `http:` to other machines. The credential can then be read on the network. Default
   * `false`.
   */
  readonly allowInsecure?: boolean
  /**
   * Throws a `CredentialError` with the code `unauthorized` or `forbidden`, which names the server and where the
   * credential comes from, when a refusal is final: after a 401 that persists after a renewal, and after a 403.
   * Default `false`: the response is returned, and the transport reports it. Code that looks for a 401 in the
   * SDK's errors, as some agent frameworks do, needs the default. The stream of the older HTTP+SSE transport
   * ends with a 401 either way, because it reconnects indefinitely after an error.
   *
   * Tried with both SDKs (1.15, the newest 1.x and 2.x), and with the AI SDK's `createMCPClient` by `http` and `sse`:
   * connections are established as without the option, including the fallback from Streamable HTTP to SSE, and a
   * server that refuses receives no additional requests. The error changes: that of the AI SDK has no `statusCode`,
   * and an `authProvider` that is passed beside the `fetch` does not start a login. Other frameworks were not tried.
   */
  readonly throwOnRefusal?: boolean
}

/** The same options where the first request may set the binding. */
export type BindingOptions = Omit<AuthorizedFetchOptions, 'resource'> &
  Partial<Pick<AuthorizedFetchOptions, 'resource'>>

const knownOptions: readonly string[] = [
  ...managerOptions,
  'retry',
  'allowInsecure',
  'throwOnRefusal',
]

/** The names of the options of `headersOf` and `liveHeaders`. */
export const headersOptions: readonly string[] = [...managerOptions, 'allowInsecure', 'signal']

/**
 * Checks the arguments of a function.
 *
 * @throws {@link ConfigurationError} that names the invalid one.
 */
export function checkArguments(
  where: string,
  source: CredentialProvider | CredentialSelector,
  options: object,
  known: readonly string[] = knownOptions,
): void {
  const { acquire, select } = (source ?? {}) as { acquire?: unknown; select?: unknown }
  if (typeof acquire !== 'function' && typeof select !== 'function') {
    throw new ConfigurationError(
      'provider',
      `${where}: the first argument must be a provider, such as apiKey({ value: env('MCP_API_KEY') }), or a selector, such as perTenant(…).`,
    )
  }
  const { name } = source
  if (typeof select === 'function' && (typeof name !== 'string' || name === '')) {
    throw new ConfigurationError('selector.name', 'The selector needs a `name`.')
  }
  checkOptions(where, options, known)
}
