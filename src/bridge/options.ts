/**
 * What both bridges have in common.
 *
 * @module
 */
import type { CredentialProvider, CredentialSelector } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { type AuthorizedFetch, authorizedFetch } from '../transport/authorized-fetch.ts'
import type { AuthorizedFetchOptions } from '../transport/options.ts'
import type { OnLoginRequired } from './login-offers.ts'
import { longFetch } from './long-fetch.ts'
import { type Channel, optionalCredential } from './optional-credential.ts'
import type { RelayOptions } from './relay.ts'
import { withStepUps } from './step-ups.ts'

/** A client waits for it, and what was stored is found at once. */
const acquisitionMs = 10_000

/**
 * What both bridges take; the rest is for `authorizedFetch`.
 *
 * @group Bridges
 */
export interface CommonBridgeOptions extends AuthorizedFetchOptions {
  /** Begins a login when one is required. Default: the client is told which command to type. */
  readonly onLoginRequired?: OnLoginRequired
  /** Takes lines for whoever watches the bridge. They hold no secret. Default: nobody is told. */
  readonly onLog?: (line: string) => void
}

/** The way to the server, for every relay of a bridge. */
export interface Uplink extends Omit<RelayOptions, 'deliver' | 'logins' | 'channel'> {
  /** Opens the way of one client. */
  open(): Channel
  /** Gives the credentials up. */
  close(): Promise<void>
}

/**
 * Makes the authorized fetch of a bridge.
 *
 * @throws `ConfigurationError` when an option is wrong.
 */
export function openUplink(
  where: string,
  provider: CredentialProvider | CredentialSelector,
  options: CommonBridgeOptions,
): Uplink {
  const { onLoginRequired, onLog, ...given } = options
  const rest = given.fetch === undefined ? { ...given, fetch: longFetch } : given
  for (const [name, callback] of Object.entries({ onLoginRequired, onLog })) {
    if (callback === undefined || typeof callback === 'function') continue
    throw new ConfigurationError(`${where}.${name}`, `${where}: \`${name}\` must be a function.`)
  }
  const authorized = authorizedFetch(provider, rest)
  const { open, close } = optionalCredential(authorized, rest)
  const shared = withStepUps()
  // A selector may give each client the credential of another tenant.
  const stepUps = () => ('select' in provider ? withStepUps() : shared)
  return {
    open() {
      const channel = open()
      return { ...channel, fetch: stepUps()(channel.fetch) }
    },
    account: rest.account,
    close,
    url: new URL(rest.resource),
    random: rest.random ?? Math.random,
    log: (line) => onLog?.(line),
    onLoginRequired: onLoginRequired && withAcquisition(onLoginRequired, authorized),
  }
}

/** After a login the provider is asked again: without a store, nothing else would show that there is a credential. */
function withAcquisition(
  onLoginRequired: OnLoginRequired,
  authorized: AuthorizedFetch,
): OnLoginRequired {
  return async (request) => {
    const offer = await onLoginRequired(request)
    if (offer?.completed === undefined || request.error.reason === 'step_up') return offer
    const completed = offer.completed.then(() =>
      authorized.login({ signal: AbortSignal.timeout(acquisitionMs) }).catch(() => {}),
    )
    return { ...offer, completed }
  }
}
