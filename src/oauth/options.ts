/**
 * The options that all grants share, and their checks.
 *
 * @module
 */
import type { ServerMetadata } from 'openid-client'
import type { Secret } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { checkSecret } from '../secret.ts'
import { isLoopbackHost } from './address.ts'
import { type Bound, bind } from './bound.ts'
import { type ClientAuthentication, checkClientAuthentication } from './client-auth.ts'
import { resolveDpop } from './dpop-key.ts'
import type { OAuthPolicy } from './policy.ts'

/**
 * The options of every grant.
 *
 * @group Discovery and policy
 */
export interface OAuthOptions {
  /**
   * The client identifier that the authorization server knows. It is not a secret: where users choose MCP
   * servers, also set `issuer`, or `requireIss` for logins with a browser. A hostile server could otherwise
   * redirect a user to an honest one with this identifier, and receive the code of that login (mix-up, RFC
   * 9700, section 4.4).
   */
  readonly clientId?: string
  /** The client secret. It needs `issuer`, so that it is sent to no other server. */
  readonly clientSecret?: Secret
  /**
   * How the client authenticates. Default: with the secret, by the method that the server's metadata prefers;
   * without a secret, the client does not authenticate.
   */
  readonly clientAuth?: ClientAuthentication
  /**
   * The issuer identifier of the authorization server, exactly as the server writes it. It pins the server:
   * if the MCP server names a different one, the acquisition fails. Default: the one that the MCP server
   * names.
   */
  readonly issuer?: string
  /** An issuer that the metadata of `issuer` may name although it differs. It needs `issuer`. */
  readonly acceptIssuer?: string
  /** Chooses among several authorization servers. Default: the first. */
  readonly selectIssuer?: (issuers: readonly string[]) => string
  /** The authorization server's metadata, including `issuer`; discovery is skipped. */
  readonly metadata?: ServerMetadata
  /**
   * The scopes to request, separated by spaces. Default: those of the server's challenge, else those
   * that it lists. A 403 that names further scopes widens them.
   */
  readonly scope?: string
  /**
   * The `resource` parameter (RFC 8707). Default: the identifier in the server's metadata, else its URL;
   * `false` for an authorization server that refuses the parameter.
   */
  readonly resource?: string | false
  /** Whether to bind tokens to a key (DPoP, RFC 9449). Default `false`. */
  readonly dpop?:
    | boolean
    | {
        /**
         * The algorithm of the key. Default: for a key of this process, the first of `ES256`, `Ed25519`,
         * `PS256` and `RS256` that the servers accept; for an external key, the one of that key.
         */
        readonly algorithm?: 'ES256' | 'Ed25519' | 'RS256' | 'PS256'
        /**
         * Signs bytes with a key that cannot be read, in an HSM or a cloud's key service; together with `publicJwk`.
         * Resolves to the raw signature; for ES256 that is r and s one after the other, not DER. Default: a new
         * key of this process, which a store keeps with the tokens.
         */
        readonly sign?: (data: Uint8Array) => Promise<Uint8Array>
        /** The public key of `sign`, which every proof contains. */
        readonly publicJwk?: JsonWebKey
        /**
         * Whether a plain bearer token is refused. Default `true`; with `false` such a token is used, and
         * anyone who reads it can use it too.
         */
        readonly required?: boolean
      }
  /** Further parameters of token requests, such as `audience`. */
  readonly parameters?: Readonly<Record<string, string>>
  /**
   * Whether to allow OAuth servers in private networks. Default `false`: an MCP server may point to public
   * addresses, to its own host, and to this machine if it runs here.
   */
  readonly allowPrivateNetwork?: boolean
  /**
   * Decides before each step whether it is allowed: `false` or an error refuses it, and the acquisition fails
   * with the code `refused_by_policy`. `allowOnly()` makes a policy from lists. Default: every step is
   * allowed.
   */
  readonly allow?: OAuthPolicy
}

/** The options of a grant, with the secret bound to its authorization server. */
export type BoundOAuthOptions = Omit<OAuthOptions, 'clientSecret'> & {
  readonly clientSecret?: Bound<Secret>
}

/** Returns the pinned issuer: no other authorization server is used. */
export function pinnedIssuer({
  issuer,
  metadata,
}: Pick<OAuthOptions, 'issuer' | 'metadata'>): string | undefined {
  return issuer ?? metadata?.issuer
}

/** Binds the secret of checked options to their issuer. */
export function bindOptions(options: OAuthOptions): BoundOAuthOptions {
  const { clientSecret, ...rest } = options
  const issuer = pinnedIssuer(options)
  if (clientSecret === undefined || issuer === undefined) return rest
  return { ...rest, clientSecret: bind('client secret', clientSecret, issuer) }
}

/** Names of the options in {@link OAuthOptions}. */
export const sharedOptions: readonly string[] = [
  'clientId',
  'clientSecret',
  'clientAuth',
  'issuer',
  'acceptIssuer',
  'selectIssuer',
  'metadata',
  'scope',
  'resource',
  'dpop',
  'parameters',
  'allowPrivateNetwork',
  'allow',
]

// Parameters that the library sets itself; a second value would contradict the first.
const reserved: readonly string[] = [
  'grant_type',
  'client_id',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
  'code',
  'code_verifier',
  'code_challenge',
  'redirect_uri',
  'refresh_token',
  'resource',
  'scope',
  'state',
]

// RFC 6749, section 3.3.
const scopePattern = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/

/**
 * Whether a value consists of scopes separated by single spaces (RFC 6749, section 3.3). A list would be sent
 * as one scope.
 */
export function isScope(value: unknown): value is string {
  return typeof value === 'string' && scopePattern.test(value)
}

/**
 * Checks the options that all grants share.
 *
 * @throws `ConfigurationError` that names the option.
 */
export function checkOAuthOptions(
  provider: string,
  options: OAuthOptions,
  further: readonly string[],
): void {
  checkOptions(provider, options, [...sharedOptions, ...further])
  checkClient(provider, options)
  checkServer(provider, options)
  checkTokenRequest(provider, options)
  resolveDpop(provider, options.dpop)
  if (options.allow !== undefined && typeof options.allow !== 'function') {
    fail(provider, 'allow', 'must be a function; allowOnly({ … }) makes one.')
  }
}

function fail(provider: string, option: string, problem: string): never {
  throw new ConfigurationError(`${provider}.${option}`, `${provider}.${option} ${problem}`)
}

/** Checks the client and its authentication. */
function checkClient(provider: string, options: OAuthOptions): void {
  const { clientId, clientSecret, clientAuth, issuer, metadata } = options
  if (clientId !== undefined && (typeof clientId !== 'string' || clientId === '')) {
    fail(provider, 'clientId', 'is empty; pass the identifier that the server knows.')
  }
  if ('clientSecret' in options && clientSecret === undefined) {
    const problem = "is undefined; set the variable that it comes from, or use env('NAME')."
    fail(provider, 'clientSecret', problem)
  }
  if (clientSecret !== undefined) {
    checkSecret(`${provider}.clientSecret`, clientSecret)
    if (clientId === undefined) {
      fail(provider, 'clientId', 'is missing; pass the client identifier of the secret.')
    }
  }
  const isShared = typeof clientAuth === 'object' && clientAuth?.method === 'client_secret_jwt'
  if ((clientSecret !== undefined || isShared) && issuer === undefined && metadata === undefined) {
    fail(
      provider,
      'issuer',
      'is missing. A secret is used only at its own authorization server; pass its issuer.',
    )
  }
  checkClientAuthentication(provider, clientAuth, clientSecret)
  const isForEndpoint = typeof clientAuth === 'object' && clientAuth.audience === 'token_endpoint'
  if (isForEndpoint && issuer === undefined && metadata === undefined) {
    fail(
      provider,
      'issuer',
      "is missing. With `audience: 'token_endpoint'` any server could request an assertion that another accepts; pass the issuer.",
    )
  }
}

/** Checks the options about the authorization server. */
function checkServer(provider: string, { issuer, acceptIssuer, metadata }: OAuthOptions): void {
  if (acceptIssuer !== undefined && issuer === undefined && metadata === undefined) {
    fail(provider, 'issuer', 'is missing; `acceptIssuer` applies to the metadata of this issuer.')
  }
  if (issuer !== undefined) checkIssuer(provider, 'issuer', issuer)
  if (metadata === undefined) return
  checkIssuer(provider, 'metadata.issuer', metadata.issuer)
  if (issuer !== undefined && issuer !== metadata.issuer) {
    fail(provider, 'issuer', 'differs from metadata.issuer; pass one of them.')
  }
}

/** Checks the further parameters of token requests. */
function checkTokenRequest(
  provider: string,
  { scope, resource, parameters = {} }: OAuthOptions,
): void {
  if (scope !== undefined && !isScope(scope)) {
    const problem = 'must be a text of scopes separated by single spaces (RFC 6749, section 3.3).'
    fail(provider, 'scope', problem)
  }
  if (resource !== undefined && resource !== false) {
    if (!URL.canParse(resource) || resource.includes('#')) {
      fail(provider, 'resource', 'must be an absolute URI without a fragment, or false.')
    }
  }
  for (const name of Object.keys(parameters)) {
    if (reserved.includes(name)) {
      fail(provider, `parameters.${name}`, 'is set by the library; use the option of that name.')
    }
  }
}

/**
 * Checks that a required option is set.
 *
 * @throws `ConfigurationError` when it is missing.
 */
export function required(provider: string, option: string, value: unknown, advice: string): void {
  if (value !== undefined && value !== '') return
  throw new ConfigurationError(
    `${provider}.${option}`,
    `${provider}.${option} is missing; ${advice}.`,
  )
}

function checkIssuer(provider: string, option: string, issuer: string): void {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined
  const secure =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname))
  if (secure && url?.search === '' && url.hash === '' && url.username === '') return
  throw new ConfigurationError(
    `${provider}.${option}`,
    `${provider}.${option} must be an https URL without query and fragment, such as https://login.example.com.`,
  )
}
