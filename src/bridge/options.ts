/**
 * The options and connections that both bridges share.
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

/** The time limit of the acquisition after a login in milliseconds: a client waits for it. */
const acquisitionMs = 10_000

/**
 * The options of both bridges, and those of `authorizedFetch`.
 *
 * @group Bridges
 */
export interface CommonBridgeOptions extends AuthorizedFetchOptions {
  /** Starts a login when one is required. Default: the client receives the command to run. */
  readonly onLoginRequired?: OnLoginRequired
  /** Receives log lines, without secrets. Default: nothing is logged. */
  readonly onLog?: (line: string) => void
}

/** The connection to the server, for every relay of a bridge. */
export interface Uplink extends Omit<RelayOptions, 'deliver' | 'logins' | 'channel'> {
  /** Opens the connection of one client. */
  open(): Channel
  /** Closes the credential managers. */
  close(): Promise<void>
}

/**
 * Creates the authorized `fetch` of a bridge.
 *
 * @throws `ConfigurationError` when an option is invalid.
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
  // With a selector, each client may have the credential of another tenant.
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

/** Acquires the credential after a login: without a store, the manager would not notice the login. */
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
