/**
 * Requests to the store and the provider, and their results.
 *
 * @module
 */
import type { AcquireContext, AcquireReason, Credential } from '../credential.ts'

/** Where a credential came from: its issuer, the store, or another process that renewed it first. */
export type CredentialSource = 'network' | 'store' | 'peer'

/** A credential, and where it came from. */
export interface Obtained {
  readonly credential: Credential
  readonly source: CredentialSource
}

/** Calls the provider. */
export type Acquire = (
  previous: Credential | undefined,
  commit: () => Promise<void>,
  salvage: (credential: Credential) => void,
) => Promise<Credential>

/** A request of the manager. */
export interface StoredRequest {
  readonly reason: AcquireReason
  readonly previous: Credential | undefined
  /** Whether to read the store only, for what another process may have written. */
  readonly storeOnly: boolean
  /** Whether it belongs to `login()`, which replaces a record that cannot be used. */
  readonly isLogin: boolean
  /** Called when the record was removed, so that the held credential ends too. */
  readonly giveUp: () => void
  /** Called when a credential arrived after a logout. */
  readonly discard: (credential: Credential) => void
  readonly signal: AbortSignal
  /** The context for credentials that are rebuilt from a record. */
  readonly context: AcquireContext
}
