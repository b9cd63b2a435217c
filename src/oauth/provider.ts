/**
 * What all OAuth providers have in common: find the server, refresh where possible, else run the grant.
 *
 * @module
 */
import * as client from 'openid-client'
import type {
  AcquireContext,
  Credential,
  CredentialProvider,
  CredentialRecord,
} from '../credential.ts'
import {
  CredentialError,
  DiscoveryError,
  isCredentialError,
  LoginRequiredError,
  resourceLabel,
} from '../errors.ts'
import { pause } from '../waiting.ts'
import { type Connection, connect } from './connection.ts'
import { type DpopSession, resolveDpop, startDpop } from './dpop.ts'
import { isClientRefused, isGrantRefused, isOutcomeUnknown, toOAuthError } from './error-mapping.ts'
import type { OAuthOptions } from './options.ts'
import { forgetRegistration, type RegisteredClient, registrationOf } from './registration.ts'
import { chooseScope } from './scopes.ts'
import { type LocatedServer, locateIssuer, ServerLocator } from './server.ts'
import { OAuthCredential, type TokenSet, tokenSetFrom, tokenSetOf } from './token.ts'

/** One grant, as the rest of this folder writes it. */
export interface Grant {
  /** The provider's name. */
  readonly name: string
  readonly options: OAuthOptions
  /** A person takes part, or took part once: when it is refused, only a person can help. */
  readonly interactive: boolean
  /** It needs nobody as long as it is not refused. Default: the opposite of `interactive`. */
  readonly unattended?: boolean
  /** Whether the grant can replace a refresh token that was refused. Default `true`. */
  readonly replaces?: boolean
  /** Whether it can be asked for further scopes. Default `true`. */
  readonly widens?: boolean
  /** Whether a refresh token is of use. */
  readonly offline: boolean
  /** Gets tokens in the way of this grant. */
  run(session: GrantSession): Promise<GrantResult>
}

/** What a grant brought, and whose it is. */
export interface GrantResult {
  readonly response: client.TokenEndpointResponse
  readonly connection: Connection
  /** The refresh token that was used; kept unless the server returns a new one. */
  readonly refreshToken?: string
}

/** What a grant has at hand. */
export interface GrantSession {
  readonly name: string
  readonly context: AcquireContext
  readonly server: LocatedServer
  /** `resource`, `scope` and what the application added, for the token request. */
  readonly parameters: Readonly<Record<string, string>>
  readonly scope: string | undefined
  /** Connects as a client; by default as the one of the options. */
  connect(registered?: RegisteredClient): Promise<Connection>
}

/** The providers whose records are the login of a person. */
const logins: ReadonlySet<string> = new Set([
  'authorizationCode',
  'deviceCode',
  'refreshToken',
  'savedLogin',
])

/** Makes a provider of a grant. */
export function oauthProvider(grant: Grant): CredentialProvider {
  const { name, options, interactive, unattended = !interactive } = grant
  const dpopOptions = resolveDpop(name, options.dpop)
  const locator = new ServerLocator(options)
  const sessions = new Map<string, DpopSession>()

  /** One key for each MCP server, and the same that its refresh token is bound to. */
  const dpopFor = ({ resource, previous }: AcquireContext): DpopSession | undefined => {
    const known = OAuthCredential.dpopOf(previous) ?? sessions.get(resource.href)
    if (dpopOptions === undefined) return known
    const session = known ?? startDpop(dpopOptions, undefined)
    sessions.set(resource.href, session)
    return session
  }

  const open = (context: AcquireContext, server: LocatedServer) => {
    const dpop = dpopFor(context)
    const scope = chooseScope({
      wanted: context.scope,
      chosen: options.scope,
      challenges: context.challenges,
      before: OAuthCredential.tokensOf(context.previous)?.scope,
      located: server.challenges,
      resourceScopes: server.scopes,
      issuerScopes: server.metadata.scopes_supported,
      offline: grant.offline,
    })
    const session: GrantSession = {
      name,
      context,
      server,
      scope,
      parameters: {
        ...(server.resource === undefined ? {} : { [server.resourceAs]: server.resource }),
        ...options.parameters,
        ...(scope === undefined ? {} : { scope }),
      },
      connect(registered = preRegistered(options)) {
        return connect({ provider: name, options, context, server, registered, dpop })
      },
    }
    return { session, dpop }
  }

  /** Tokens are revoked where they come from, also when the MCP server has moved or does not answer. */
  const issuerOf = async ({ issuer }: TokenSet, context: AcquireContext) => {
    const server = await locator.locate(context).catch(() => undefined)
    if (server?.metadata.issuer === issuer) return server
    return locateIssuer(options, context, issuer)
  }

  return {
    name,
    interactive,
    scoped: true,
    discovers: options.metadata === undefined,
    async acquire(context) {
      const previous = OAuthCredential.tokensOf(context.previous)
      let issuer: string | undefined
      let isGuessed = false
      try {
        const server = await locator.locate(context, previous?.issuer)
        issuer = server.metadata.issuer
        isGuessed = server.isGuessed
        const { session, dpop } = open(context, server)
        const finish = async (
          { response, connection, refreshToken }: GrantResult,
          scope: string | undefined,
        ): Promise<Credential> => {
          const origin = {
            provider: name,
            context,
            issuer: server.metadata.issuer,
            client: connection.client,
            dpop,
            scope,
            refreshToken,
            // A person may have taken minutes before that.
            sentAt: connection.sentAt() ?? context.now(),
          }
          try {
            return new OAuthCredential(name, await tokenSetOf(response, origin), dpop)
          } catch (error) {
            salvage(session, connection, previous, dpop)
            throw error
          }
        }
        // A refresh cannot widen the scope (RFC 6749 section 6).
        if (canRefresh(previous, server, options) && context.reason !== 'insufficient_scope') {
          const mayReplace = grant.replaces !== false && (unattended || context.interactive)
          const result = await refresh(session, previous, mayReplace, dpop)
          if (result !== undefined) {
            return await finish(result, previous.scope)
          }
        }
        const isWidened = context.reason === 'insufficient_scope'
        if (isWidened ? grant.widens === false : !unattended && !context.interactive) {
          throw needsPerson(session, previous)
        }
        return await finish(await grant.run(session), session.scope)
      } catch (thrown) {
        const { resource } = context
        const where = { provider: name, resource, issuer, interactive }
        const error = toOAuthError(thrown, where, context.now())
        throw isGuessed ? guessedWrong(error, name, resource) : error
      }
    },
    async revoke(credential, context) {
      const tokens = OAuthCredential.tokensOf(credential)
      if (tokens === undefined) return false
      const server = await issuerOf(tokens, context)
      const { issuer, revocation_endpoint } = server.metadata
      if (revocation_endpoint === undefined || issuer !== tokens.issuer) return false
      const { session } = open(context, server)
      const { configuration } = await session.connect(await clientOf(tokens, context))
      // The refresh token first: without it nothing new can be made of the other.
      const { refreshToken, accessToken } = tokens
      if (refreshToken !== undefined) {
        const hint = { token_type_hint: 'refresh_token' }
        await client.tokenRevocation(configuration, refreshToken, hint)
      }
      // Some servers revoke refresh tokens only; the access token then ends by itself, and soon.
      const hint = { token_type_hint: 'access_token' }
      const revocation = client.tokenRevocation(configuration, accessToken, hint)
      return revocation.then(
        () => true,
        () => refreshToken !== undefined,
      )
    },
    restore(record: CredentialRecord): Credential | undefined {
      // A login is a login, whichever way a person took.
      const isOwn = record.provider === name || (interactive && logins.has(record.provider))
      const tokens = isOwn ? tokenSetFrom(record) : undefined
      if (tokens === undefined) return undefined
      // The tokens of one client are not another's.
      const { clientId = tokens.client.clientId } = options
      if (tokens.client.clientId !== clientId) return undefined
      // Tokens that are bound to a key stay so, also where nobody wrote `dpop: true` again.
      const proofs =
        dpopOptions ?? (tokens.tokenType === 'dpop' ? resolveDpop(name, true) : undefined)
      const dpop = proofs === undefined ? undefined : startDpop(proofs, tokens.dpopKey)
      return new OAuthCredential(name, tokens, dpop)
    },
  }
}

type Refreshable = TokenSet & { readonly refreshToken: string }

/** A refresh token goes to the issuer and in the name of the client that it was given to, or nowhere. */
function canRefresh(
  tokens: TokenSet | undefined,
  { metadata }: LocatedServer,
  { clientId }: OAuthOptions,
): tokens is Refreshable {
  return (
    tokens?.refreshToken !== undefined &&
    tokens.issuer === metadata.issuer &&
    (clientId === undefined || clientId === tokens.client.clientId)
  )
}

/**
 * Redeems a refresh token; `undefined` when it is no longer good and the grant itself can be repeated.
 */
async function refresh(
  session: GrantSession,
  tokens: Refreshable,
  mayReplace: boolean,
  dpop: DpopSession | undefined,
): Promise<GrantResult | undefined> {
  const { context, server, parameters, name } = session
  const { issuer } = server.metadata
  const registered = await clientOf(tokens, context)
  const { clientId, method, secretExpiresAt = Infinity } = registered
  const startOver = async () => {
    await forgetRegistration(context, issuer, clientId)
    if (mayReplace) return undefined
    throw needsPerson(session, tokens)
  }
  if (secretExpiresAt <= context.now()) return startOver()
  const connection = await session.connect(registered)
  const { scope: _sameAsBefore, ...rest } = parameters
  const redeem = () =>
    client.refreshTokenGrant(connection.configuration, tokens.refreshToken, rest, connection.proof)
  await context.commit()
  let lost = false
  try {
    const response = await redeem().catch(async (error: unknown) => {
      if (!isOutcomeUnknown(error) || context.signal.aborted) throw error
      // The server may have rotated the token, and may still take the old one for a moment.
      lost = true
      await pause(250 + context.random() * 750, context.signal)
      return redeem()
    })
    return { response, connection, refreshToken: tokens.refreshToken }
  } catch (error) {
    salvage(session, connection, tokens, dpop)
    if (isOutcomeUnknown(error)) throw outcomeUnknown(session)
    // A client that registered itself has a method; any other is for the application to correct.
    if (method !== undefined && isClientRefused(error)) return startOver()
    if (!isGrantRefused(error)) throw error
    if (lost) {
      throw new LoginRequiredError(
        'rotation_lost',
        `${name}: the answer that brought a new refresh token was lost on the way, and ${new URL(issuer).host} no longer takes the old one.`,
        { resource: context.resource, provider: name, remedy: 'Log in again.' },
      )
    }
    if (mayReplace) return undefined
    throw error
  }
}

/** What the options say, else what is kept with the tokens or of the registration. */
function clientOf({ client, issuer }: TokenSet, context: AcquireContext) {
  if (client.clientSecret !== undefined) return client
  return registrationOf(context, issuer, client.clientId)
}

/** Keeps a refresh token that came in an answer which is of no use otherwise. */
function salvage(
  { name, context }: GrantSession,
  connection: Connection,
  tokens: TokenSet | undefined,
  dpop: DpopSession | undefined,
): void {
  const refreshToken = connection.rescued()
  if (tokens === undefined || refreshToken === undefined) return
  if (refreshToken === tokens.refreshToken) return
  context.salvage(new OAuthCredential(name, { ...tokens, refreshToken }, dpop))
}

/** A server that publishes nothing about authorization has probably none. */
function guessedWrong(error: unknown, provider: string, resource: URL): unknown {
  const codes = ['invalid_response', 'registration_failed', 'server_error', 'invalid_grant']
  if (!isCredentialError(error) || !codes.includes(error.code) || error.status === 429) return error
  return new DiscoveryError(
    `${provider}: ${resourceLabel(resource)} names no authorization server, and has none at the usual places either.`,
    {
      resource,
      provider,
      remedy:
        'It may want an API key or a bearer token; otherwise pass `issuer`, or `metadata` with its endpoints.',
    },
  )
}

function outcomeUnknown({ name, context, server }: GrantSession): CredentialError {
  const { host } = new URL(server.metadata.issuer)
  return new CredentialError(
    'outcome_unknown',
    `${name}: ${host} did not answer a renewal, so nobody knows whether it was made.`,
    { resource: context.resource, provider: name, retryable: true },
  )
}

function needsPerson(
  { name, context }: GrantSession,
  previous: TokenSet | undefined,
): LoginRequiredError {
  const reason =
    context.reason === 'insufficient_scope'
      ? 'step_up'
      : previous === undefined
        ? 'no_credential'
        : 'grant_rejected'
  const problem =
    reason === 'step_up'
      ? 'the server asks for further scopes, which takes a login'
      : 'the renewal needs a person'
  return new LoginRequiredError(reason, `${name}: ${problem}.`, {
    resource: context.resource,
    provider: name,
    remedy: 'Call `login()` where somebody can log in.',
  })
}

function preRegistered({ clientId = '' }: OAuthOptions): RegisteredClient {
  return { clientId, clientSecret: undefined, method: undefined }
}
