/**
 * Renews tokens with their refresh token.
 *
 * @module
 */
import type { TokenEndpointResponse } from 'openid-client'
import { CredentialError, LoginRequiredError } from '../errors.ts'
import { pause } from '../waiting.ts'
import type { Bound } from './bound.ts'
import {
  isClientRefused,
  isClientUnknown,
  isGrantRefused,
  isOutcomeUnknown,
} from './error-mapping.ts'
import { clientOf, type GrantResult, type GrantSession, loginRequired } from './grant.ts'
import type { Connection } from './issuer-connection.ts'
import type { OAuthOptions } from './options.ts'
import { noteUnanswered, reportReuse } from './refresh-reuse.ts'
import { forgetRegistration } from './registration.ts'
import type { LocatedServer } from './server.ts'
import type { TokenSet } from './token.ts'

/** Tokens that can be renewed. */
export type RefreshableTokens = TokenSet & { readonly refreshToken: Bound }

/** Whether tokens can be renewed: a refresh token is bound to its issuer and to its client. */
export function canRefresh(
  tokens: TokenSet | undefined,
  { issuer }: LocatedServer,
  { clientId }: Pick<OAuthOptions, 'clientId'>,
): tokens is RefreshableTokens {
  return (
    tokens?.refreshToken !== undefined &&
    tokens.issuer === issuer &&
    (clientId === undefined || clientId === tokens.client.clientId)
  )
}

/**
 * Redeems a refresh token.
 *
 * @param mayReplace - Whether the grant itself can be run again when the refresh token is refused.
 * @returns `undefined` when the refresh token or its client was refused, and `mayReplace` is set.
 * @throws `LoginRequiredError` when it was refused, and `mayReplace` is not set; `CredentialError` with the
 * code `outcome_unknown` when the server does not respond.
 * @see RFC 6749, section 6
 */
export async function refresh(
  session: GrantSession,
  tokens: RefreshableTokens,
  mayReplace: boolean,
): Promise<GrantResult | undefined> {
  const { context } = session
  const registered = await clientOf(tokens, context)
  const { clientId, isDynamic, secretExpiresAt = Infinity } = registered
  const discardClient = async () => {
    await forgetRegistration(context, session.server.issuer, clientId)
    if (mayReplace) return undefined
    throw loginRequired(session, tokens)
  }
  if (secretExpiresAt <= context.now()) return discardClient()
  const connection = await session.connect(registered)
  await context.commit()
  const redemption = new Redemption(session, connection, tokens)
  try {
    return await redemption.send()
  } catch (error) {
    if (isOutcomeUnknown(error)) {
      noteUnanswered(tokens)
      throw outcomeUnknown(session)
    }
    // For any other client, the application must correct the options.
    if (isDynamic && isClientUnknown(error)) return discardClient()
    if (isDynamic && isClientRefused(error) && mayReplace) return undefined
    if (!isGrantRefused(error)) throw error
    if (redemption.wasRepeated) throw rotationLost(session)
    await reportReuse(session, tokens, error)
    if (mayReplace) return undefined
    throw error
  }
}

/** The request for a renewal, which may be sent twice. */
class Redemption {
  readonly #session: GrantSession
  readonly #connection: Connection
  readonly #tokens: RefreshableTokens
  #wasRepeated = false

  constructor(session: GrantSession, connection: Connection, tokens: RefreshableTokens) {
    this.#session = session
    this.#connection = connection
    this.#tokens = tokens
  }

  /** Whether the response to the first request was lost. */
  get wasRepeated(): boolean {
    return this.#wasRepeated
  }

  async send(): Promise<GrantResult> {
    const { context } = this.#session
    const response = await this.#request().catch(async (error: unknown) => {
      if (!isOutcomeUnknown(error) || context.signal.aborted) throw error
      // The server may have rotated the token, and may still accept the old one for a few seconds.
      this.#wasRepeated = true
      await pause(250 + context.random() * 750, context.signal)
      return this.#request()
    })
    return { response, connection: this.#connection, refreshToken: this.#tokens.refreshToken }
  }

  #request(): Promise<TokenEndpointResponse> {
    const { scope: _asGranted, ...parameters } = this.#session.parameters
    return this.#connection.refresh(this.#tokens.refreshToken, parameters)
  }
}

function outcomeUnknown({ name, context, server }: GrantSession): CredentialError {
  const { host } = new URL(server.issuer)
  return new CredentialError(
    'outcome_unknown',
    `${name}: ${host} did not respond, so it is not known whether the renewal succeeded.`,
    { resource: context.resource, provider: name, retryable: true },
  )
}

function rotationLost({ name, context, server }: GrantSession): LoginRequiredError {
  const { host } = new URL(server.issuer)
  return new LoginRequiredError(
    'rotation_lost',
    `${name}: the response with a new refresh token was lost, and ${host} no longer accepts the old one.`,
    { resource: context.resource, provider: name, remedy: 'Log in again.' },
  )
}
