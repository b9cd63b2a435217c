/**
 * What the command `import` finds.
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

/** Something that can be moved into the store. */
export interface Finding {
  /** The server; it may hold a secret in its path, so it is shown by its label. */
  readonly server: string
  /** Where it was found. */
  readonly source: string
  readonly kind: string
  /** Why it cannot be moved; `undefined`: it can. */
  readonly problem: string | undefined
  /**
   * Writes it, and says what was written in a sentence; `undefined`: something is stored for that server already, and
   * is kept.
   */
  copyTo(store: DefaultStore, account: { readonly account?: string }): Promise<string | undefined>
  /** The config file that has to be trusted first; absent: none. */
  readonly untrustedFile?: string
  /** What else there is to do once it was written, in sentences. */
  advice?(account: { readonly account?: string }): string
}
