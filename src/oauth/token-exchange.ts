/**
 * One token for another.
 *
 * @module
 */
import type { TokenEndpointResponse } from 'openid-client'
import type { CredentialProvider, Secret } from '../credential.ts'
import { CredentialError } from '../errors.ts'
import { checkSecret } from '../secret.ts'
import { type Bound, bind, readBound } from './bound.ts'
import type { GrantResult, GrantSession } from './grant.ts'
import { checkOAuthOptions, type OAuthOptions, required } from './options.ts'
import { oauthProvider } from './provider.ts'
import { refusedRemedies } from './refused-remedies.ts'

type TokenExchangeOptions = Parameters<typeof tokenExchange>[0]

const name = 'tokenExchange'

/** The grant type of an exchange (RFC 8693, section 2.1). */
export const tokenExchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'

/**
 * Exchanges a token that the application already has, such as that of the user whom a service acts for,
 * for one that the MCP server accepts.
 *
 * @example
 * ```ts
 * import { env, withCredentials } from 'mcp-credentials'
 * import { tokenExchange } from 'mcp-credentials/oauth'
 *
 * declare const currentUserToken: () => Promise<string>
 * const options = withCredentials(
 *   tokenExchange({
 *     clientId: 'orders-service',
 *     clientSecret: env('CLIENT_SECRET'),
 *     issuer: 'https://login.example.com',
 *     subjectToken: currentUserToken,
 *   }),
 * )
 * ```
 *
 * @throws `ConfigurationError` when an option is invalid or missing.
 * @see RFC 8693, section 2
 * @group Grants without a user
 */
export function tokenExchange(
  options: OAuthOptions & {
    /** The client identifier that the authorization server knows. */
    readonly clientId: string
    /** The authorization server; the subject's token is sent to no other. */
    readonly issuer: string
    /** The token of the subject. Read again for each exchange. */
    readonly subjectToken: Secret
    /** Its type: a short name, or a full URN. Default `access_token`. */
    readonly subjectTokenType?:
      | 'access_token'
      | 'refresh_token'
      | 'id_token'
      | 'jwt'
      | 'saml2'
      | (string & {})
    /** The token of the actor. */
    readonly actorToken?: Secret
    /** Its type. Default `access_token`. */
    readonly actorTokenType?:
      | 'access_token'
      | 'refresh_token'
      | 'id_token'
      | 'jwt'
      | 'saml2'
      | (string & {})
    /** The name of the target service, where it has no URL. */
    readonly audience?: string
  },
): CredentialProvider {
  const own = ['subjectToken', 'subjectTokenType', 'actorToken', 'actorTokenType', 'audience']
  checkOAuthOptions(name, options, own)
  required(name, 'clientId', options.clientId, 'pass the identifier that the server knows')
  required(name, 'issuer', options.issuer, 'pass the server that the subject token may be sent to')
  const { subjectToken, actorToken } = options
  checkSecret(`${name}.subjectToken`, subjectToken)
  if (actorToken !== undefined) checkSecret(`${name}.actorToken`, actorToken)
  return oauthProvider({
    name,
    options,
    interactive: false,
    refusedRemedy: refusedRemedies.supply,
    offline: false,
    run: (session) => exchange(session, options),
  })
}

async function exchange(
  session: GrantSession,
  options: TokenExchangeOptions,
): Promise<GrantResult> {
  const { subjectToken, subjectTokenType, actorToken, actorTokenType, audience } = options
  const connection = await session.connect()
  const read = (option: string, secret: Secret): Promise<Bound> =>
    readBound(
      `${name}.${option}`,
      bind('token of the application', secret, options.issuer),
      session.context.signal,
    )
  const parameters = {
    ...session.parameters,
    subject_token: await read('subjectToken', subjectToken),
    subject_token_type: tokenTypeUrn(subjectTokenType ?? 'access_token'),
    ...(audience === undefined ? {} : { audience }),
    ...(actorToken === undefined
      ? {}
      : {
          actor_token: await read('actorToken', actorToken),
          actor_token_type: tokenTypeUrn(actorTokenType ?? 'access_token'),
        }),
  }
  const response = await connection.requestTokens(tokenExchangeGrant, parameters)
  checkIssuedType(session, response)
  return { response, connection }
}

/** Types of tokens that may be sent to an MCP server, which must never receive an ID token or a refresh token. */
const usableTypes: readonly unknown[] = [tokenTypeUrn('access_token'), tokenTypeUrn('jwt')]

/**
 * Checks the type of the issued token. Servers that leave the type out issue an access token (RFC 8693, section
 * 2.1).
 */
function checkIssuedType(
  { context, server }: GrantSession,
  { issued_token_type = tokenTypeUrn('access_token') }: TokenEndpointResponse,
): void {
  if (usableTypes.includes(issued_token_type)) return
  throw new CredentialError(
    'invalid_response',
    `${name}: ${new URL(server.issuer).host} issued a token that is not an access token. It was not used.`,
    {
      resource: context.resource,
      provider: name,
      remedy: 'Request another type with `parameters: { requested_token_type }`.',
    },
  )
}

/** The registered URN of a short name; a text with a colon is already a URN. */
export function tokenTypeUrn(type: string): string {
  return type.includes(':') ? type : `urn:ietf:params:oauth:token-type:${type}`
}
