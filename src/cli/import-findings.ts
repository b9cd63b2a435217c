/**
 * Logins and keys that the command `import` finds.
 *
 * @module
 */
import type { DefaultStore } from '../auto/index.ts'

/** The options of the command. */
export interface ImportOptions {
  readonly server?: readonly string[]
  readonly issuer?: string
  readonly clientId?: string
  readonly keytar?: string
  readonly write?: boolean
  readonly inPlace?: boolean
}

/** A login or key that can be moved into the store. */
export interface Finding {
  /** The server. Its path may contain a secret, so only its label is shown. */
  readonly server: string
  /** Where it was found. */
  readonly source: string
  readonly kind: string
  /** Why it cannot be moved; `undefined`: it can. */
  readonly problem: string | undefined
  /**
   * Stores it, and returns a sentence for the user; `undefined`: another credential is stored for that
   * server, and was kept.
   */
  copyTo(store: DefaultStore, account: { readonly account?: string }): Promise<string | undefined>
  /** The config file that must be trusted first; absent: none. */
  readonly untrustedFile?: string
  /** What the user must do afterwards, in sentences. */
  advice?(account: { readonly account?: string }): string
}
