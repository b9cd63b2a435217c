/**
 * Enterprise-managed authorization: an identity provider decides which MCP servers its users may use.
 *
 * @module
 */
import type { TokenEndpointResponse } from 'openid-client'
import type { CredentialProvider, Secret } from '../credential.ts'
import { CredentialError } from '../errors.ts'
import { checkSecret } from '../secret.ts'
import { type Bound, bind, readBound } from './bound.ts'
import type { ClientAuthentication } from './client-auth.ts'
import { connect, unsupported } from './connection.ts'
import type { GrantResult, GrantSession } from './grant.ts'
import { idJagProblem } from './id-jag.ts'
import { jwtBearerGrant } from './jwt-bearer.ts'
import { bindOptions, checkOAuthOptions, type OAuthOptions, required } from './options.ts'
import { checkPolicy, type OAuthPolicy, originsOf } from './policy.ts'
import { oauthProvider } from './provider.ts'
import { refusedRemedies } from './refused-remedies.ts'
import { locateIssuer } from './server.ts'
import { tokenExchangeGrant, tokenTypeUrn } from './token-exchange.ts'

type EnterpriseManagedOptions = Parameters<typeof enterpriseManaged>[0]

const grantProfile = 'urn:ietf:params:oauth:grant-profile:id-jag'
const name = 'enterpriseManaged'

/**
 * Obtains tokens with the user's existing sign-in at their enterprise: the identity provider issues a grant
 * for one authorization server (ID-JAG), which exchanges it for an access token.
 *
 * @example
 * ```ts
 * import { env, withCredentials } from 'mcp-credentials'
 * import { enterpriseManaged } from 'mcp-credentials/oauth'
 *
 * declare const idToken: () => Promise<string>
 * const options = withCredentials(
 *   enterpriseManaged({
 *     clientId: 'wiki-client',
 *     clientSecret: env('WIKI_SECRET'),
 *     issuer: 'https://auth.wiki.example',
 *     identityProvider: { issuer: 'https://idp.acme.example', clientId: 'agent' },
 *     subjectToken: idToken,
 *   }),
 * )
 * ```
 *
 * @throws `ConfigurationError` when an option is invalid or missing.
 * @see MCP extension io.modelcontextprotocol/enterprise-managed-authorization
 * @group Grants without a user
 */
export function enterpriseManaged(
  options: OAuthOptions & {
    /** The client identifier at the MCP server's authorization server. */
    readonly clientId: string
    /** The enterprise's identity provider. */
    readonly identityProvider: {
      /**
       * Its issuer identifier, exactly as it writes it. Its metadata is discovered unless `tokenEndpoint` is
       * given.
       */
      readonly issuer: string
      /** Its token endpoint, where it publishes no metadata. */
      readonly tokenEndpoint?: string
      /** The client identifier at the identity provider. */
      readonly clientId: string
      /** The client's secret there. */
      readonly clientSecret?: Secret
      /** How the client authenticates there. Default: by the secret if there is one. */
      readonly clientAuth?: ClientAuthentication
    }
    /** Proof of the user's sign-in at the identity provider. Read again for each exchange. */
    readonly subjectToken: Secret
    /** The type of that token. Default `id_token`. */
    readonly subjectTokenType?:
      | 'access_token'
      | 'refresh_token'
      | 'id_token'
      | 'jwt'
      | 'saml2'
      | (string & {})
  },
): CredentialProvider {
  const idp = checkEnterpriseManagedOptions(options)
  return oauthProvider({
    name,
    options,
    interactive: false,
    refusedRemedy: refusedRemedies.supply,
    offline: false,
    async run(session) {
      checkProfile(session)
      const assertion = await requestGrant(session, options, idp)
      return redeemGrant(session, assertion)
    },
  })
}

/** Checks the options, and returns those of the client at the identity provider. */
function checkEnterpriseManagedOptions(options: EnterpriseManagedOptions): OAuthOptions {
  checkOAuthOptions(name, options, ['identityProvider', 'subjectToken', 'subjectTokenType'])
  required(name, 'clientId', options.clientId, 'pass the identifier that the server knows')
  const { identityProvider, subjectToken } = options
  checkSecret(`${name}.subjectToken`, subjectToken)
  required(name, 'identityProvider', identityProvider, 'pass its issuer and clientId')
  const { issuer, clientId } = identityProvider
  required(`${name}.identityProvider`, 'issuer', issuer, 'pass the issuer of the enterprise')
  required(`${name}.identityProvider`, 'clientId', clientId, 'pass the client that it knows')
  const idp = identityProviderOptions(identityProvider)
  checkOAuthOptions(`${name}.identityProvider`, idp, [])
  return idp
}

function identityProviderOptions(idp: EnterpriseManagedOptions['identityProvider']): OAuthOptions {
  const { tokenEndpoint, issuer, ...rest } = idp
  if (tokenEndpoint === undefined) return { ...rest, issuer }
  return { ...rest, metadata: { issuer, token_endpoint: tokenEndpoint } }
}

/** Checks that a server which lists its grant profiles lists this one. */
function checkProfile({ server, context }: GrantSession): void {
  const profiles = server.metadata['authorization_grant_profiles_supported']
  if (!Array.isArray(profiles) || profiles.includes(grantProfile)) return
  const remedy = "Use authorizationCode(), or contact the server's operator."
  throw unsupported(name, server, context, 'does not accept grants of identity providers', remedy)
}

/** Exchanges the identity provider's grant for an access token. */
async function redeemGrant(session: GrantSession, assertion: Bound): Promise<GrantResult> {
  const connection = await session.connect()
  // The grant may be redeemed only once (MCP enterprise-managed authorization, section 5).
  await session.context.commit()
  const parameters = { ...session.parameters, assertion }
  const response = await connection.requestTokens(jwtBearerGrant, parameters)
  return { response, connection }
}

/** Asks the policy: the application chose the identity provider, but its origin differs from the MCP server's. */
async function allowIdentityProvider(
  context: GrantSession['context'],
  { allow, identityProvider }: EnterpriseManagedOptions,
  { metadata, clientId }: OAuthOptions,
): Promise<void> {
  if (metadata !== undefined) return
  const { issuer } = identityProvider
  const origins = originsOf(issuer)
  const step = { type: 'discovery', issuer, origins, clientId, scopes: [], url: issuer } as const
  await checkPolicy(allow, context, step)
}

function boundTo({ href }: URL, allow: OAuthPolicy): OAuthPolicy {
  return (step) => allow({ ...step, resource: href })
}

/** Requests the grant for one authorization server, the only one that it may be sent to. */
async function requestGrant(
  session: GrantSession,
  options: EnterpriseManagedOptions,
  idp: OAuthOptions,
): Promise<Bound> {
  const { context, server } = session
  const provider = `${name}.identityProvider`
  const { issuer } = options.identityProvider
  const resource = new URL(issuer)
  await allowIdentityProvider(context, options, idp)
  // The policy receives the MCP server of a request.
  const allow = options.allow && boundTo(context.resource, options.allow)
  const at = await locateIssuer(
    { ...idp, ...(allow === undefined ? {} : { allow }), resource: false },
    { ...context, resource, challenges: [] },
    issuer,
  )
  const registered = {
    clientId: idp.clientId ?? '',
    clientSecret: undefined,
    method: undefined,
    isDynamic: false,
  }
  const connection = await connect({
    provider,
    options: bindOptions(allow === undefined ? idp : { ...idp, allow }),
    context: { ...context, resource },
    server: at,
    registered,
    dpop: undefined,
    scope: session.scope,
  })
  const { resource: target, scope } = session.parameters
  const proof = bind('proof of the sign-in', options.subjectToken, issuer)
  const response = await connection.requestTokens(tokenExchangeGrant, {
    requested_token_type: tokenTypeUrn('id-jag'),
    audience: server.metadata.issuer,
    ...(target === undefined ? {} : { resource: target }),
    ...(scope === undefined ? {} : { scope }),
    subject_token: await readBound(`${name}.subjectToken`, proof, context.signal),
    subject_token_type: tokenTypeUrn(options.subjectTokenType ?? 'id_token'),
  })
  const now = context.now() + at.clock.offset(context)
  checkGrant(session, resource, response, now)
  return bind('grant', response.access_token, server.issuer)
}

/**
 * Checks a grant before it is presented.
 *
 * @param now - The identity provider's time, in milliseconds since the epoch.
 */
function checkGrant(
  { context, server }: GrantSession,
  identityProvider: URL,
  { issued_token_type, access_token }: TokenEndpointResponse,
  now: number,
): void {
  const audience = server.metadata.issuer
  const problem =
    issued_token_type === tokenTypeUrn('id-jag')
      ? idJagProblem(access_token, audience, now)
      : 'is a token of another type'
  if (problem === undefined) return
  throw new CredentialError(
    'invalid_response',
    `${name}: ${identityProvider.host} did not issue a grant for ${new URL(audience).host}: the issued token ${problem}. It was not presented.`,
    {
      resource: context.resource,
      provider: name,
      remedy: "Contact the identity provider's operator.",
    },
  )
}
