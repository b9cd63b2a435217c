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
  /** Writes it; `false`: something is stored for that server already. */
  copyTo(store: DefaultStore, account: { readonly account?: string }): Promise<boolean>
}
