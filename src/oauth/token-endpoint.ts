/**
 * Tokens from a non-standard endpoint.
 *
 * @module
 */
import type { AcquireContext, CredentialProvider, Secret } from '../credential.ts'
import { ConfigurationError, CredentialError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { checkSecret, readSecret } from '../secret.ts'
import { isLoopbackHost } from './address.ts'
import { boundedFetch, tokenBounds } from './endpoint.ts'
import { EndpointError, judgeAnswer, readAnswer } from './endpoint-answer.ts'
import { jsonProblem, parsedBody } from './endpoint-body.ts'
import { toEndpointError } from './error-mapping.ts'
import { refusedRemedies } from './refused-remedies.ts'
import { OAuthCredential, tokenSetFrom, tokenSetOf } from './token.ts'

type TokenEndpointOptions = Parameters<typeof tokenEndpoint>[0]

const name = 'tokenEndpoint'
const knownOptions: readonly string[] = [
  'url',
  'fields',
  'format',
  'headers',
  'tokenField',
  'expiresInField',
]

/**
 * Obtains bearer tokens from a non-standard endpoint with custom member names.
 *
 * @example
 * ```ts
 * import { env, withCredentials } from 'mcp-credentials'
 * import { tokenEndpoint } from 'mcp-credentials/oauth'
 *
 * const options = withCredentials(
 *   tokenEndpoint({
 *     url: 'https://api.example.com/auth/token',
 *     fields: { clientId: 'agent-7', clientSecret: env('CLIENT_SECRET') },
 *     tokenField: 'data.token',
 *   }),
 * )
 * ```
 *
 * @throws `ConfigurationError` when an option is invalid. An acquisition throws
 * `CredentialError` with the code `invalid_client` when the endpoint refuses the fields.
 * @group Grants without a user
 */
export function tokenEndpoint(options: {
  /** The endpoint; https, or http on this machine. */
  readonly url: string | URL
  /** The members of the request: names as the endpoint expects them, values as secrets. */
  readonly fields: Readonly<Record<string, Secret>>
  /** The encoding of the members. Default `json`. */
  readonly format?: 'json' | 'form'
  /** Further request headers, such as an API key. */
  readonly headers?: Readonly<Record<string, Secret>>
  /** The path of the token in the response, with dots for nested objects. Default `access_token`. */
  readonly tokenField?: string
  /**
   * The path of the lifetime in seconds. Default `expires_in`; where it is missing, the times of a JWT are
   * used, and without them the token is used until it is refused.
   */
  readonly expiresInField?: string
}): CredentialProvider {
  const url = check(options)
  return {
    name,
    async acquire(context) {
      const sentAt = context.now()
      const body = await request(options, url, context)
      const token = at(body, options.tokenField ?? 'access_token')
      if (typeof token !== 'string' || token === '') throw unusable(context, url, options)
      const expiresIn = Number(at(body, options.expiresInField ?? 'expires_in') ?? Number.NaN)
      const response = {
        access_token: token,
        token_type: 'bearer' as const,
        ...(Number.isFinite(expiresIn) ? { expires_in: expiresIn } : {}),
      }
      const tokens = await tokenSetOf(response, {
        provider: name,
        context,
        issuer: url.origin,
        client: { clientId: '', clientSecret: undefined, method: undefined, isDynamic: false },
        dpop: undefined,
        scope: undefined,
        refreshToken: undefined,
        sentAt,
      })
      return new OAuthCredential(name, tokens, undefined)
    },
    restore(record) {
      const tokens = record.provider === name ? tokenSetFrom(record) : undefined
      if (tokens?.issuer !== url.origin) return undefined
      return new OAuthCredential(name, tokens, undefined)
    },
  }
}

function check(options: TokenEndpointOptions): URL {
  checkOptions(name, options, knownOptions)
  const fail = (option: string, problem: string): never => {
    throw new ConfigurationError(`${name}.${option}`, `${name}.${option} ${problem}`)
  }
  const url = URL.canParse(options.url) ? new URL(options.url) : fail('url', 'is not a URL.')
  const isLocal = url.protocol === 'http:' && isLoopbackHost(url.hostname)
  if (url.protocol !== 'https:' && !isLocal) fail('url', 'must be https, or http on this machine.')
  if (url.username !== '' || url.password !== '') {
    fail('url', 'must not contain a user name or password; put them into `fields` or `headers`.')
  }
  if (typeof options.fields !== 'object' || options.fields === null) {
    fail('fields', 'is missing; pass the members that the endpoint expects.')
  }
  if (!['json', 'form', undefined].includes(options.format)) {
    fail('format', 'must be json or form.')
  }
  for (const group of ['fields', 'headers'] as const) {
    for (const [member, secret] of Object.entries(options[group] ?? {})) {
      checkSecret(`${name}.${group}.${member}`, secret)
    }
  }
  return url
}

async function request(
  options: TokenEndpointOptions,
  url: URL,
  context: AcquireContext,
): Promise<unknown> {
  const fields = await readAll('fields', options.fields, context.signal)
  const isForm = options.format === 'form'
  const headers = new Headers({
    Accept: 'application/json',
    'Content-Type': isForm ? 'application/x-www-form-urlencoded' : 'application/json',
  })
  for (const [header, value] of Object.entries(
    await readAll('headers', options.headers ?? {}, context.signal),
  )) {
    headers.set(header, value)
  }
  const body = isForm ? new URLSearchParams(fields).toString() : JSON.stringify(fields)
  const bounds = { ...tokenBounds, signal: context.signal }
  const init = { method: 'POST', headers, body }
  const response = await boundedFetch(context.fetch, url, init, bounds)
  const { now, resource } = context
  const answered = { endpoint: 'custom', url, init, now: now() } as const
  const { result } = judgeAnswer(await readAnswer(response), answered)
  if (result instanceof EndpointError) {
    throw toEndpointError(result, {
      provider: name,
      resource,
      issuer: url.origin,
      interactive: false,
      refusedRemedy: refusedRemedies.supply,
    })
  }
  const parsed = parsedBody(await result.text())
  const problem = jsonProblem(parsed)
  if (problem === undefined) return parsed.value
  throw new CredentialError(
    'invalid_response',
    `${name}: ${url.host} responded with ${response.status} ${problem.problem}.`,
    { provider: name, resource, status: response.status, ...problem },
  )
}

async function readAll(
  group: string,
  secrets: Readonly<Record<string, Secret>>,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const read = Object.entries(secrets).map(async ([member, secret]) => {
    const value = await readSecret(`${name}.${group}.${member}`, secret, { signal })
    if (group === 'fields' || /^[\x20-\x7e\x80-\xff]*$/.test(value)) return [member, value] as const
    throw new CredentialError(
      'secret_unavailable',
      `${name}.${group}.${member} contains characters that no header can carry.`,
    )
  })
  return Object.fromEntries(await Promise.all(read))
}

function at(body: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, member) =>
        typeof value === 'object' && value !== null && Object.hasOwn(value, member)
          ? (value as Record<string, unknown>)[member]
          : undefined,
      body,
    )
}

function unusable(
  { resource }: AcquireContext,
  url: URL,
  { tokenField = 'access_token' }: TokenEndpointOptions,
): CredentialError {
  return new CredentialError(
    'invalid_response',
    `${name}: the response of ${url.host} has no text at \`${tokenField}\`.`,
    { provider: name, resource, remedy: 'Set `tokenField` to the path of the token.' },
  )
}
