/**
 * What an examination has seen. Texts in it are the server's: whoever shows one has to clean it.
 *
 * @module
 */
import type { SavedCredential } from '../../auto/index.ts'
import type { ConfiguredServer } from '../../config/index.ts'
import type { discover } from '../../oauth/index.ts'
import type { Outcome, Reply } from './ask.ts'

/** Where a name leads. */
export interface Address {
  readonly hostname: string
  /** The addresses, each with the range that it lies in; `unicast` is public. */
  readonly addresses: readonly { readonly address: string; readonly range: string }[]
  /** The system's code, when the name cannot be resolved. */
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
  /** Why this machine does not trust it, as Node says it: `DEPTH_ZERO_SELF_SIGNED_CERT`, say. */
  readonly problem?: string | undefined
}

/** How the server answers a client of the protocol. */
export interface Conversation {
  /** The answer to `initialize`. */
  readonly post: Outcome
  /** The answer to a request for an event stream; absent: there was no need to ask. */
  readonly get?: Outcome | undefined
  /** The answer to `tools/list`; absent: `initialize` did not succeed. */
  readonly tools?: Outcome | undefined
  /** Other paths of the server that answer like an MCP server. */
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
  /** As the MCP server names it. */
  readonly issuer: string
  /** Absent: it could not be read, or may not be used. */
  readonly metadata?: Metadata | undefined
  /** Why there is no metadata. */
  readonly refusal?: Refusal | undefined
  /** What would stop a login before the browser opens; absent: nothing. */
  readonly loginRefusal?: Refusal | undefined
  /** A login gets through when the application names the issuer itself. */
  readonly needsPin?: boolean | undefined
  /** What would stop it even then. */
  readonly pinnedRefusal?: Refusal | undefined
}

/** What is published about the authorization of a server. */
export interface Authorization {
  /** The server publishes metadata of its own (RFC 9728); these are members of it. */
  readonly resource?: {
    readonly requiresDpop: boolean
    readonly scopes: readonly string[]
    readonly bearerMethods: readonly string[] | undefined
  }
  /** All that are named, in the server's order. */
  readonly named: readonly string[]
  /** The first few of them, examined. */
  readonly issuers: readonly Issuer[]
  /** Why none could be found; absent when nothing is published at all. */
  readonly refusal?: Refusal | undefined
}

/** What an examination has seen. */
export interface Seen {
  /** As it was typed, without user name and fragment. It may hold a secret: show its label. */
  readonly url: URL
  /** The URL had a user name or a password. */
  readonly hadUserInfo: boolean
  /** When the examination began, in milliseconds since the epoch. */
  readonly at: number
  readonly address: Address
  readonly certificate?: Certificate | undefined
  readonly conversation?: Conversation | undefined
  readonly authorization?: Authorization | undefined
  /** The clock of each origin less ours, in milliseconds. */
  readonly clocks: ReadonlyMap<string, number>
  /** What is stored for the server, or why that cannot be said. */
  readonly saved: readonly SavedCredential[] | Refusal
  /** Certificates are not checked by this process (`NODE_TLS_REJECT_UNAUTHORIZED=0`). */
  readonly checksNoCertificates: boolean
  /** A proxy is set in the environment, and this process does not use it. */
  readonly ignoresProxy: boolean
  /** OAuth servers inside private networks were allowed. */
  readonly allowsPrivateNetwork: boolean
  /** The entry of the config file by which the server was named. */
  readonly entry?: ConfiguredServer | undefined
}

/** The answers of a conversation, in the order in which they came. */
export function repliesOf(conversation: Conversation | undefined): readonly Reply[] {
  const { post, get, tools } = conversation ?? {}
  return [post, get, tools].flatMap((outcome) => (outcome?.kind === 'reply' ? [outcome] : []))
}
