/**
 * A token manager with its internal interface for the transport layer.
 *
 * @module
 */
import type { Credential, CredentialProvider } from '../credential.ts'
import type { TokenManagerOptions } from '../manager/options.ts'
import { TokenManager, transportPortOf } from '../manager/token-manager.ts'
import type { TransportPort } from '../manager/transport-port.ts'
import { withLoginTimeout } from '../transport/login-timeout.ts'
import { checkTransportSecurity } from '../transport/origin.ts'

/** A token manager and its internal interface for the transport layer. */
export interface Managed {
  readonly manager: TokenManager
  readonly port: TransportPort
}

/**
 * Creates a token manager for credentials that are sent without `authorizedFetch`.
 *
 * @throws `ConfigurationError` when an option is invalid, or the resource is a plain `http:` URL of another
 *   machine and `allowInsecure` is not set.
 */
export function manage(
  provider: CredentialProvider,
  options: TokenManagerOptions,
  allowInsecure: boolean,
): Managed {
  const manager = new TokenManager(provider, options)
  checkTransportSecurity(manager.resource, allowInsecure)
  return { manager, port: transportPortOf(manager) }
}

/**
 * Returns a credential for a request. The wait for the user is shorter than the request timeout of the
 * SDKs.
 *
 * @throws `LoginRequiredError` with the reason `login_pending` when the login takes too long; otherwise as
 *   `TokenManager.credential`.
 */
export function credentialForRequest({ port }: Managed): Promise<Credential> {
  return withLoginTimeout(port, undefined, (signal) => port.credential(signal))
}
