/**
 * The policy of the application for OAuth requests.
 *
 * @module
 */
import type { ServerMetadata } from 'openid-client'
import type { AcquireContext } from '../credential.ts'
import { ConfigurationError, CredentialError, isCredentialError } from '../errors.ts'
import { printable, quotedIdentifier, resourceLabel } from '../labels.ts'
import { checkOptions } from '../options.ts'
import { validScopes } from '../scope.ts'
import { abortable } from '../waiting.ts'

/**
 * A step that is about to be taken: a union on `type`. It contains no secret.
 *
 * @group Discovery and policy
 */
export type OAuthStep = {
  /** The URL of the MCP server. */
  readonly resource: string
  /**
   * The issuer identifier of the authorization server, exactly as the server writes it; `undefined`: not known
   * yet.
   */
  readonly issuer: string | undefined
  /** The origins that will be contacted, or opened in a browser. */
  readonly origins: readonly string[]
  /** The client identifier; `undefined`: there is none yet. */
  readonly clientId: string | undefined
  /** The requested scopes; none: the server decides. */
  readonly scopes: readonly string[]
} & (
  | {
      /** A document is fetched from an origin other than the MCP server's. */
      readonly type: 'discovery'
      /** Its address. */
      readonly url: string
    }
  | {
      /** The client registers itself (RFC 7591), or deletes its registration (RFC 7592). */
      readonly type: 'registration'
    }
  | {
      /** The user is sent to the authorization server. */
      readonly type: 'authorization'
      /** In a browser, or on another device. */
      readonly grantType: 'authorization_code' | 'urn:ietf:params:oauth:grant-type:device_code'
    }
  | {
      /** A secret, a code, an assertion or a refresh token is sent to a token endpoint. */
      readonly type: 'token_request'
      /** The grant (RFC 6749, section 4), such as `client_credentials`. */
      readonly grantType: string
    }
  | {
      /** Tokens are sent to a revocation endpoint (RFC 7009). */
      readonly type: 'revocation'
    }
  | {
      /** Scopes beyond those of the current token are requested, because the server requires them. */
      readonly type: 'step_up'
      /** The scopes of the current token. */
      readonly granted: readonly string[]
    }
)

/**
 * Decides whether a step is allowed: `false` or an error refuses it, `true` and `undefined` allow it.
 *
 * @group Discovery and policy
 */
export type OAuthPolicy = (step: OAuthStep) => void | boolean | Promise<void | boolean>

/** The MCP server of a step, and the listener for its refusal. */
export interface PolicyContext {
  readonly resource: URL
  readonly signal: AbortSignal
  readonly emit?: AcquireContext['emit'] | undefined
}

/** A step before the MCP server is added. */
export type OAuthStepDetails = OAuthStep extends infer Step
  ? Step extends OAuthStep
    ? Omit<Step, 'resource'>
    : never
  : never

const names: Readonly<Record<OAuthStep['type'], string>> = {
  discovery: 'discovery',
  registration: 'the registration of the client',
  authorization: 'the authorization request',
  token_request: 'the token request',
  revocation: 'the revocation',
  step_up: 'the request for further scopes',
}

/**
 * Asks the application's policy whether a step is allowed, and reports a refusal.
 *
 * @throws `CredentialError` with the code `refused_by_policy` when it is refused.
 */
export async function checkPolicy(
  allow: OAuthPolicy | undefined,
  { resource, signal, emit }: PolicyContext,
  details: OAuthStepDetails,
): Promise<void> {
  if (allow === undefined) return
  const step: OAuthStep = { ...details, resource: resource.href }
  let answer: unknown
  let cause: unknown
  try {
    answer = await abortable((async () => allow(step))(), signal)
  } catch (thrown) {
    signal.throwIfAborted()
    answer = false
    cause = thrown
  }
  // Any other value is a mistake, and refuses the step.
  if (answer === undefined || answer === true) return
  const where = step.origins.length === 0 ? '' : ` at ${step.origins.join(' and ')}`
  const reason = isCredentialError(cause) ? `: ${cause.message}` : '.'
  const error = new CredentialError(
    'refused_by_policy',
    `${resourceLabel(resource)}: the option \`allow\` refused ${names[step.type]}${where}${reason}`,
    { resource, cause },
  )
  emit?.({
    type: 'refused_by_policy',
    ...(step.issuer === undefined ? {} : { issuer: step.issuer }),
    ...(step.clientId === undefined ? {} : { clientId: step.clientId }),
    step: step.type,
    origins: step.origins,
    requested: step.scopes,
    reason: error.message,
  })
  throw error
}

/** The sender of a request to an authorization server. */
export interface RequestSender {
  readonly server: { readonly issuer: string; readonly metadata: ServerMetadata }
  readonly clientId: string
  readonly scope: string | undefined
}

/**
 * Returns the step of a request; `undefined`: it belongs to an authorization request, which was already checked.
 *
 * @param endpoint - The kind of endpoint, derived from the request: the server could choose any URL.
 */
export function requestStep(
  url: URL,
  endpoint: string,
  form: URLSearchParams,
  { server: { issuer, metadata }, clientId, scope }: RequestSender,
): OAuthStepDetails | undefined {
  const common = { issuer, origins: [url.origin], clientId }
  const scopes = scopesOf(scope)
  const grantType = form.get('grant_type') ?? ''
  if (endpoint === 'token') return { ...common, type: 'token_request', grantType, scopes }
  if (endpoint === 'revocation') return { ...common, type: 'revocation', scopes: [] }
  const isPushed = endpoint === 'pushed_authorization'
  const asked = isPushed
    ? metadata.pushed_authorization_request_endpoint
    : metadata.device_authorization_endpoint
  // Only an alias for clients with certificates differs from the origin that was already checked.
  if (originsOf(asked).includes(url.origin)) return undefined
  const grant = isPushed ? 'authorization_code' : 'urn:ietf:params:oauth:grant-type:device_code'
  return { ...common, type: 'authorization', grantType: grant, scopes }
}

/** The scopes of a step. */
export function scopesOf(scope: string | undefined): readonly string[] {
  return validScopes(scope)
}

/** The origins of endpoints, each once. */
export function originsOf(...endpoints: readonly (string | undefined)[]): readonly string[] {
  const urls = endpoints.filter((endpoint) => endpoint !== undefined)
  return [...new Set(urls.map((endpoint) => new URL(endpoint).origin))]
}

/** The scopes of the policies that {@link allowOnly} made. */
const scopeLists = new WeakMap<OAuthPolicy, readonly string[]>()

/** Returns the scopes of a list that a policy allows, where that is known without calling it. */
export function permittedScopes(
  allow: OAuthPolicy | undefined,
  scopes: readonly string[],
): readonly string[] {
  const permitted = allow === undefined ? undefined : scopeLists.get(allow)
  return permitted === undefined ? scopes : scopes.filter((scope) => permitted.includes(scope))
}

/** The steps that request scopes. */
const asking: ReadonlySet<OAuthStep['type']> = new Set([
  'registration',
  'authorization',
  'token_request',
  'step_up',
])

/**
 * Makes a policy for the option `allow` that allows only what is listed.
 *
 * @example
 * ```ts
 * import { withCredentials } from 'mcp-credentials'
 * import { allowOnly, authorizationCode } from 'mcp-credentials/oauth'
 *
 * const allow = allowOnly({ issuers: ['https://login.example.com'], scopes: ['notes:read'] })
 * const options = withCredentials(authorizationCode({ allow, scope: 'notes:read' }))
 * ```
 *
 * @throws `ConfigurationError` when nothing is listed, a list is empty, or an entry is not an issuer, origin
 * or scope.
 * @group Discovery and policy
 */
export function allowOnly(list: {
  /** The issuer identifiers, exactly as the servers write them. Default: any. */
  readonly issuers?: readonly string[]
  /**
   * The origins that may be contacted or opened, besides those of `issuers`. Default: only those of
   * `issuers`, or any without `issuers`. The MCP server itself need not be listed.
   */
  readonly origins?: readonly string[]
  /**
   * The scopes that may be requested, also at the registration of the client. With it, a token request
   * without scopes is refused. Default: any.
   */
  readonly scopes?: readonly string[]
}): OAuthPolicy {
  checkOptions('allowOnly', list, ['issuers', 'origins', 'scopes'])
  const { issuers, origins, scopes } = list
  checkList('issuers', issuers, (text) => URL.canParse(text))
  checkList('origins', origins, (text) => URL.canParse(text) && new URL(text).origin === text)
  checkList('scopes', scopes, (text) => validScopes(text).join() === text)
  if ((issuers ?? origins ?? scopes) === undefined) {
    throw new ConfigurationError(
      'allowOnly',
      'allowOnly: list `issuers`, `origins` or `scopes`; otherwise nothing is refused.',
    )
  }
  const isRestricted = issuers !== undefined || origins !== undefined
  const permitted = new Set([...(origins ?? []), ...originsOf(...(issuers ?? []))])
  const policy: OAuthPolicy = (step) => {
    if (issuers !== undefined && step.issuer !== undefined && !issuers.includes(step.issuer)) {
      throw notListed('issuer', quotedIdentifier(step.issuer), 'issuers')
    }
    const foreign = isRestricted && step.origins.find((origin) => !permitted.has(origin))
    if (typeof foreign === 'string') throw notListed('origin', quotedIdentifier(foreign), 'origins')
    if (scopes === undefined || !asking.has(step.type)) return true
    if (step.scopes.length === 0) {
      // The scopes of a client are a limit, and those of its tokens are requested later.
      if (step.type === 'registration') return true
      const remedy = 'Set `scope` to listed scopes.'
      throw refused('the request names no scopes, so the server would choose.', remedy)
    }
    const further = step.scopes.find((scope) => !scopes.includes(scope))
    if (further !== undefined)
      throw notListed('scope', JSON.stringify(shortScope(further)), 'scopes')
    return true
  }
  if (scopes !== undefined) scopeLists.set(policy, scopes)
  return policy
}

function checkList(
  name: string,
  list: readonly string[] | undefined,
  fits: (text: string) => boolean,
): void {
  if (list === undefined) return
  const isList = Array.isArray(list) && list.every((text) => typeof text === 'string' && fits(text))
  if (isList && list.length > 0) return
  throw new ConfigurationError(
    `allowOnly.${name}`,
    `allowOnly.${name} must be a list of ${name}, and not empty${name === 'origins' ? '; such as https://login.example.com' : ''}.`,
  )
}

function shortScope(scope: string): string {
  const text = printable(scope)
  return text.length <= 100 ? text : `${text.slice(0, 99)}…`
}

/** @param text - The unlisted value, quoted. */
function notListed(what: string, text: string, list: string): CredentialError {
  return refused(`the ${what} ${text} is not listed.`, `Add it to \`${list}\` if you trust it.`)
}

function refused(problem: string, remedy: string): CredentialError {
  return new CredentialError('refused_by_policy', problem, { remedy })
}
