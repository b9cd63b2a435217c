/**
 * What is asked of the store and the provider, and what they give.
 *
 * @module
 */
import type { AcquireContext, AcquireReason, Credential } from '../credential.ts'

/** Where a credential came from: its issuer, the store, or another process that was faster. */
export type CredentialSource = 'network' | 'store' | 'peer'

/** A credential, and where it came from. */
export interface Obtained {
  readonly credential: Credential
  readonly source: CredentialSource
}

/** Asks the provider. */
export type Acquire = (
  previous: Credential | undefined,
  commit: () => Promise<void>,
  salvage: (credential: Credential) => void,
) => Promise<Credential>

/** What the manager wants. */
export interface StoredRequest {
  readonly reason: AcquireReason
  readonly previous: Credential | undefined
  /** Only what another process may have stored is wanted. */
  readonly storeOnly: boolean
  /** A user is there and wants to log in, which replaces a record that cannot be used. */
  readonly isLogin: boolean
  /** The record is gone, so the credential that the manager holds ends too. */
  readonly giveUp: () => void
  /** A credential arrived after a logout. */
  readonly discard: (credential: Credential) => void
  readonly signal: AbortSignal
  /** For what is rebuilt from a record. */
  readonly context: AcquireContext
}
