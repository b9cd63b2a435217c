/**
 * What is seen while a client tries to connect, and how that is put into words.
 *
 * @module
 */
import type { Challenge, CredentialProvider } from '../credential.ts'
import type { CredentialErrorCode, CredentialErrorOptions } from '../errors.ts'

/** An answer of the server, without its body. */
export interface SeenAnswer {
  /** The HTTP method of the request. */
  readonly method: string
  /** The HTTP status. */
  readonly status: number
  /** The header `Content-Type`; empty: there was none. */
  readonly contentType: string
  /** The challenges of `WWW-Authenticate`. */
  readonly challenges: readonly Challenge[]
  /** Where a redirect leads. */
  readonly location: URL | undefined
  /** Seconds that the server asks to wait. */
  readonly retryAfter: number | undefined
}

/** What was seen while a client tried to connect. */
export interface Sighting {
  /** The MCP server. */
  readonly resource: URL
  /** What the credential came from; of a selector only the name is known. */
  readonly provider: Pick<CredentialProvider, 'name' | 'scoped'> & { readonly source?: string }
  /** The scheme of the `Authorization` header that was sent, in lower case; `undefined`: there was none. */
  readonly sentScheme: string | undefined
  /** The last answer to a POST of Streamable HTTP. */
  readonly streamable: SeenAnswer | undefined
  /** The last answer to the older transport. */
  readonly sse: SeenAnswer | undefined
  /** What `fetch` threw, when that was the last that happened. */
  readonly failure: unknown
  /** A request was never answered. */
  readonly pending: boolean
  /** What the SDK threw. */
  readonly error: unknown
}

/** What the server publishes of its authorization server. */
export type AuthorizationFinding =
  | { readonly issuer: URL }
  /** There is none, or nobody has looked. */
  | undefined

/** How an error of ours reads: what happened, and the next step without a full stop. */
export interface Explanation extends Omit<CredentialErrorOptions, 'remedy'> {
  readonly code: CredentialErrorCode
  readonly text: string
  readonly step: string
}
