/**
 * The observations of a connection attempt, and the explanations of its failure.
 *
 * @module
 */
import type { Challenge, CredentialProvider } from '../credential.ts'
import type { CredentialErrorCode, CredentialErrorOptions } from '../errors.ts'

/** A response of the server, without its body. */
export interface ObservedResponse {
  /** The HTTP method of the request. */
  readonly method: string
  /** The HTTP status. */
  readonly status: number
  /** The header `Content-Type`; empty: not set. */
  readonly contentType: string
  /** The challenges of `WWW-Authenticate`. */
  readonly challenges: readonly Challenge[]
  /** The target of a redirect. */
  readonly location: URL | undefined
  /** The seconds of `Retry-After`. */
  readonly retryAfter: number | undefined
}

/** The observations of a connection attempt. */
export interface Observations {
  /** The MCP server. */
  readonly resource: URL
  /** The provider of the credential; of a selector only the name is known. */
  readonly provider: Pick<CredentialProvider, 'name' | 'scoped'> & { readonly source?: string }
  /** The scheme of the `Authorization` header that was sent, in lower case; `undefined`: none. */
  readonly sentScheme: string | undefined
  /** The last response to a POST of Streamable HTTP. */
  readonly streamable: ObservedResponse | undefined
  /** The last response to the older transport. */
  readonly sse: ObservedResponse | undefined
  /** The error of `fetch`, if it was the last event. */
  readonly failure: unknown
  /** Whether a request has no response. */
  readonly pending: boolean
  /** The error of the SDK. */
  readonly error: unknown
}

/** The authorization server in the published metadata. */
export type AuthorizationFinding =
  | { readonly issuer: URL }
  /** There is none, or it was not discovered. */
  | undefined

/** The parts of an error: what happened, and the next step without a full stop. */
export interface Explanation extends Omit<CredentialErrorOptions, 'remedy'> {
  readonly code: CredentialErrorCode
  readonly text: string
  readonly step: string
}
