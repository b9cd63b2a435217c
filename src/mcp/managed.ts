/**
 * A token manager together with the side of it that the sending layer sees.
 *
 * @module
 */
import type { Credential, CredentialProvider } from '../credential.ts'
import type { TokenManagerOptions } from '../manager/options.ts'
import { TokenManager, transportPortOf } from '../manager/token-manager.ts'
import type { TransportPort } from '../manager/transport-port.ts'
import { withLoginTimeout } from '../transport/login-timeout.ts'
import { checkTransportSecurity } from '../transport/origin.ts'

/** A token manager, as its user sees it and as the sending layer sees it. */
export interface Managed {
  readonly manager: TokenManager
  readonly port: TransportPort
}

/**
 * Makes a token manager for what is sent without `authorizedFetch`.
 *
 * @throws `ConfigurationError` when an option is wrong, or the resource is a plain `http:` URL of another
 * machine and `allowInsecure` is not set.
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
 * Gets a credential for a request, and waits less long for a person than the SDKs wait for an answer.
 *
 * @throws `LoginRequiredError` with the reason `login_pending` when the person takes too long; otherwise as
 * `TokenManager.credential`.
 */
export function credentialForRequest({ port }: Managed): Promise<Credential> {
  return withLoginTimeout(port, undefined, (signal) => port.credential(signal))
}
