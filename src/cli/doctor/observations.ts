/**
 * The observations of an examination. Texts of servers are untrusted and must be cleaned before they are
 * shown.
 *
 * @module
 */
import type { SavedCredential } from '../../auto/index.ts'
import type { ConfiguredServer } from '../../config/index.ts'
import type { discover } from '../../oauth/index.ts'
import type { Outcome, ReceivedResponse } from './requests.ts'

/** The addresses of a host name. */
export interface Address {
  readonly hostname: string
  /** The addresses, each with its range; `unicast` is public. */
  readonly addresses: readonly { readonly address: string; readonly range: string }[]
  /** The system error code, if the name cannot be resolved. */
  readonly errorCode?: string | undefined
}

/** The certificate of a server. */
export interface Certificate {
  readonly subject: string
  readonly issuer: string
  /** In milliseconds since the epoch. */
  readonly validFrom: number
  /** In milliseconds since the epoch. */
  readonly validTo: number
  /** Such as `TLSv1.3`. */
  readonly protocol: string
  /** Why this machine does not trust it: a code of Node, such as `DEPTH_ZERO_SELF_SIGNED_CERT`. */
  readonly problem?: string | undefined
}

/** The responses of the server to an MCP client. */
export interface Conversation {
  /** The response to `initialize`. */
  readonly post: Outcome
  /** The response to a request for an event stream; absent: it was not necessary. */
  readonly get?: Outcome | undefined
  /** The response to `tools/list`; absent: `initialize` failed. */
  readonly tools?: Outcome | undefined
  /** Other paths of the server that respond like an MCP server. */
  readonly elsewhere: readonly { readonly url: URL; readonly kind: 'http' | 'sse' }[]
}

/** An error of the library, without its stack. */
export interface Refusal {
  readonly code: string
  readonly message: string
  readonly remedy?: string | undefined
}

/** What an authorization server publishes (RFC 8414). */
export type Metadata = Awaited<ReturnType<typeof discover>>['metadata']

/** An authorization server. */
export interface Issuer {
  /** The issuer as the MCP server writes it. */
  readonly issuer: string
  /** Absent: it could not be read or is not allowed. */
  readonly metadata?: Metadata | undefined
  /** Why there is no metadata. */
  readonly refusal?: Refusal | undefined
  /** The error that would stop a login before the browser opens; absent: none. */
  readonly loginRefusal?: Refusal | undefined
  /** Whether a login works only if the application sets the issuer. */
  readonly needsPin?: boolean | undefined
  /** The error that would stop the login even then. */
  readonly pinnedRefusal?: Refusal | undefined
}

/** The published authorization metadata of a server. */
export interface Authorization {
  /** The server's own metadata (RFC 9728); absent: it publishes none. */
  readonly resource?: {
    readonly requiresDpop: boolean
    readonly scopes: readonly string[]
    readonly bearerMethods: readonly string[] | undefined
  }
  /** All authorization servers that it names, in its order. */
  readonly named: readonly string[]
  /** The first of them, examined. */
  readonly issuers: readonly Issuer[]
  /** Why none was found; absent: no metadata is published. */
  readonly refusal?: Refusal | undefined
}

/** The observations of an examination. */
export interface Observations {
  /** The URL argument, without user info and fragment. It may contain a secret: show its label. */
  readonly url: URL
  /** Whether the URL contained a user name or a password. */
  readonly hadUserInfo: boolean
  /** When the examination started, in milliseconds since the epoch. */
  readonly at: number
  readonly address: Address
  readonly certificate?: Certificate | undefined
  readonly conversation?: Conversation | undefined
  readonly authorization?: Authorization | undefined
  /** The offset of the clock of each origin from ours, in milliseconds. */
  readonly clocks: ReadonlyMap<string, number>
  /** The stored credentials of the server, or why the store could not be read. */
  readonly saved: readonly SavedCredential[] | Refusal
  /** Whether this process does not verify certificates (`NODE_TLS_REJECT_UNAUTHORIZED=0`). */
  readonly checksNoCertificates: boolean
  /** Whether the environment configures a proxy that this process does not use. */
  readonly ignoresProxy: boolean
  /** Whether OAuth servers in private networks were allowed. */
  readonly allowsPrivateNetwork: boolean
  /** The config entry of the server, if it was given by name. */
  readonly entry?: ConfiguredServer | undefined
}

/** The responses of the server, in their order. */
export function responsesOf(conversation: Conversation | undefined): readonly ReceivedResponse[] {
  const { post, get, tools } = conversation ?? {}
  return [post, get, tools].flatMap((outcome) => (outcome?.kind === 'response' ? [outcome] : []))
}
