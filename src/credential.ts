/**
 * The vocabulary of the library: types only, nothing at run time.
 *
 * @module
 */
import type { AuditEvent } from './audit-events.ts'

/**
 * A secret value, or a function that reads it when it is needed, so that a rotated secret is picked
 * up without a restart. The function's `signal` aborts when the value is no longer needed. See
 * {@link env}, {@link file} and {@link command} for ready-made sources.
 *
 * @group Secrets
 */
export type Secret =
  | string
  | ((options: { readonly signal?: AbortSignal | undefined }) => string | Promise<string>)

/**
 * A `fetch` that sends the requests of this library: the platform's, or one with a proxy, a private
 * certificate authority or a client certificate. It has the shape that the official SDKs call
 * `FetchLike`.
 *
 * @group Authenticated requests
 */
export type FetchLike = (input: string | URL, init?: RequestInit) => Promise<Response>

/** Why a credential is being acquired. */
export type AcquireReason = AcquireContext['reason']

/**
 * One challenge of a `WWW-Authenticate` header. It was written by the server: never trust it, never
 * print it.
 *
 * @see RFC 9110, section 11.3
 * @group Providers of your own
 */
export interface Challenge {
  /** The authentication scheme, in lower case: `bearer`, `basic`, `dpop`. */
  readonly scheme: string
  /** The challenge's single opaque value, for schemes such as `Negotiate`. */
  readonly token68?: string
  /** The parameters; names are in lower case, values are unquoted. */
  readonly parameters: ReadonlyMap<string, string>
}

/**
 * The request as it will leave the process: what a credential adds to and what a signer signs.
 *
 * @group Providers of your own
 */
export interface OutgoingRequest {
  /** The HTTP method, in upper case. */
  readonly method: string
  /** The target. Replaced only by a credential that a server demands in the query. */
  url: URL
  /** The headers that will be sent. A credential may set its own, never the transport's. */
  readonly headers: Headers
  /** The exact bytes that will be sent; `undefined` when there is no body or it is {@link OutgoingRequest.streamed}. */
  readonly body: Uint8Array | undefined
  /** There is a body whose bytes nobody knows before they are sent: a stream, a blob or a multipart form. */
  readonly streamed: boolean
  /** `1` for the first attempt of this request, `2` for the first retry, and so on. */
  readonly attempt: number
  /** The current time in milliseconds since the epoch, by the server's clock as far as known. */
  readonly now: number
  /** Aborts when the caller gives the request up, at a logout, and when the manager is closed. */
  readonly signal: AbortSignal | undefined
}

/**
 * What a response tells a credential or a provider: everything but the body.
 *
 * @group Providers of your own
 */
export type ResponseHead = Pick<Response, 'status' | 'headers' | 'url'>

/**
 * Something that can be put on a request.
 *
 * @group Providers of your own
 */
export interface Credential {
  /** When it stops working, in milliseconds since the epoch. Absent: valid until rejected. */
  readonly expiresAt?: number
  /** When it was issued, in milliseconds since the epoch. Absent: when the acquisition began. */
  readonly obtainedAt?: number
  /** When the issuer advises to renew it, in milliseconds since the epoch. */
  readonly refreshAt?: number
  /** The scopes that were granted, separated by spaces, where the issuer said so. */
  readonly scope?: string
  /** Who issued it. Scopes that one issuer granted are not asked for at another. */
  readonly issuer?: string
  /** What a store may keep, so that a later process can continue. Absent: it never leaves memory. */
  readonly record?: CredentialRecord
  /**
   * Adds the credential to a request. Called once for each attempt, so a signer signs anew.
   *
   * May return a promise; the request waits for it.
   */
  apply(request: OutgoingRequest): void | Promise<void>
  /**
   * Learns from a response to a request that carried this credential, such as a DPoP nonce.
   *
   * @returns `resend`: the same request should be sent again with what was learnt, at most
   * {@link CredentialProvider.maxResends} times. `renew`: the credential should be replaced, as after a
   * 401. Nothing: the response speaks for itself. Anything else is ignored.
   */
  observe?(
    response: ResponseHead,
    request: OutgoingRequest,
  ): 'resend' | 'renew' | undefined | void | Promise<'resend' | 'renew' | undefined | void>
}

/** What a {@link Credential} asks for after it has seen a response. */
export type ObserveResult = Awaited<ReturnType<NonNullable<Credential['observe']>>>

/**
 * One way to prove who you are. Any object of this shape is a provider.
 *
 * @group Providers of your own
 */
export interface CredentialProvider {
  /** Names the provider in events and errors, such as `apiKey` or `clientCredentials`. */
  readonly name: string
  /**
   * How many different credentials it has to offer one after another when they are rejected.
   * Default 1.
   */
  readonly alternatives?: number
  /** Whether it can be asked for further scopes, after a 403 with `insufficient_scope`. Default `false`. */
  readonly scoped?: boolean
  /** Whether only a person can replace a credential that its issuer refused. Default `false`. */
  readonly interactive?: boolean
  /**
   * Whether it wants to see what the server asks for before the first acquisition. The first request
   * is then sent without a credential, so that its 401 can say. Default `false`.
   */
  readonly discovers?: boolean
  /**
   * How often one request may be sent again because {@link Credential.observe} returned `resend`, from 1
   * to 5. Handshakes of several legs, such as Negotiate, need more than the default of 1.
   */
  readonly maxResends?: number
  /**
   * Where its records rest, unless the options of the manager name a store. A provider that is made of others,
   * such as `all()`, has none of its own, and does not take over theirs. Default: nowhere.
   */
  readonly store?: CredentialStore
  /**
   * Where its secrets come from, for messages: `env('MCP_API_KEY')`, say. Never a value of one. A function is asked
   * about a credential that the provider has delivered. Default: nothing is said.
   */
  readonly source?: string | ((credential: Credential) => string | undefined)
  /**
   * Says whether a response that is no 401 refuses the credential all the same, such as the redirect to
   * a login page, or a login page with status 200. It is then treated as a 401. The body is not
   * available.
   */
  refused?(response: ResponseHead): boolean
  /**
   * Gets a credential.
   *
   * @throws {@link CredentialError} when there is none to be had.
   */
  acquire(context: AcquireContext): Promise<Credential>
  /** Rebuilds a credential from a record that it wrote earlier; `undefined`: not one of mine. */
  restore?(
    record: CredentialRecord,
    context: AcquireContext,
  ): Credential | undefined | Promise<Credential | undefined>
  /**
   * Makes a credential void at its issuer, for a logout; `false`: the issuer offers no way to do so. An error does
   * not stop the logout; the message of a {@link CredentialError} becomes the `reason` of its result.
   *
   * @see RFC 7009
   */
  revoke?(credential: Credential, context: AcquireContext): Promise<boolean>
  /**
   * Gives up the login that its options hold, such as a configured refresh token, for a logout that finds no
   * credential of this provider. It is used no more, whether the issuer can revoke it or not.
   *
   * @returns Whether the issuer revoked it.
   */
  giveUp?(context: AcquireContext): Promise<boolean>
  /**
   * Forgets what it keeps besides credentials, such as the registration of the client, for a logout that asks for
   * it. `context.previous` is the credential that was given up, if there was one.
   *
   * @returns Whether there was anything to forget.
   */
  forget?(context: AcquireContext): Promise<boolean>
}

/**
 * Chooses among providers for each request, by tenant, MCP method or tool. `authorizedFetch` and
 * `withCredentials` take one in place of a provider. See {@link perTenant} for a ready-made one.
 *
 * @group Providers of your own
 */
export interface CredentialSelector {
  /** Names the selector in errors. */
  readonly name: string
  /**
   * How many credentials are kept, at most. The one that was not used for the longest time is closed;
   * it is acquired anew when it is needed again. Default 1000.
   */
  readonly maxKept?: number
  /**
   * Says which provider serves a request. Called once for each request, not for its retries; and by `login()`
   * and `logout()`, with a request that is no MCP message.
   */
  select(request: SelectionRequest): {
    /** Tells the credential from the others, such as the name of a tenant. */
    readonly key: string
    /** The provider, or a function that makes it. It is used when the key is first seen, and kept. */
    readonly provider: CredentialProvider | (() => CredentialProvider)
  }
}

/**
 * What a {@link CredentialSelector} is told about a request.
 *
 * @group Providers of your own
 */
export interface SelectionRequest {
  /** The HTTP method, in upper case. */
  readonly method: string
  /** The target. */
  readonly url: URL
  /** The method of a JSON-RPC message, such as `tools/call`; `undefined` for anything else. */
  readonly mcpMethod: string | undefined
  /** The name of the tool that is called; `undefined` for anything but `tools/call`. */
  readonly toolName: string | undefined
}

/** The provider that serves one request. */
export type ProviderSelection = ReturnType<CredentialSelector['select']>

/**
 * What a provider is told when it is asked for a credential.
 *
 * @group Providers of your own
 */
export interface AcquireContext {
  /**
   * The MCP server, as its canonical URI.
   *
   * @see RFC 8707, section 2
   */
  readonly resource: URL
  /**
   * The same server as the application named it, with the query of its URL, which can tell tenants apart. It is for
   * whoever keeps or finds credentials by server; a token is asked for by `resource`. The query may hold a secret.
   */
  readonly serverUrl: URL
  /**
   * Why a credential is wanted: there is none yet (`missing`), it is about to expire (`expiring`), the
   * server refused it (`rejected`), it lacks scopes (`insufficient_scope`), or the application asked for
   * a new one (`forced`).
   */
  readonly reason: 'missing' | 'expiring' | 'rejected' | 'insufficient_scope' | 'forced'
  /** The scopes wanted, separated by spaces; the union of all asked so far. */
  readonly scope: string | undefined
  /** What the server said when it refused. */
  readonly challenges: readonly Challenge[]
  /** The credential that is being replaced. */
  readonly previous: Credential | undefined
  /** `false` for a background renewal, which must never open a browser. */
  readonly interactive: boolean
  /** A plain `fetch` for the provider's own requests; it never carries this credential. */
  readonly fetch: FetchLike
  /** Aborts when nobody waits any more, on the time limit, and when the manager is closed. */
  readonly signal: AbortSignal
  /**
   * Announces that a single-use grant (refresh token, authorization code) is about to be sent; wait
   * for it. From the call on the acquisition is not cancelled, because its result would be lost.
   *
   * @throws {@link StoreError} when the renewal could not be noted down. The grant must then not be sent.
   */
  commit(): Promise<void>
  /**
   * Keeps what a server has already replaced, such as a rotated refresh token, although the answer
   * that brought it turned out to be unusable. The next acquisition gets it as its `previous`.
   */
  salvage(credential: Credential): void
  /**
   * Announces that a person is about to be asked to log in; call it before a browser is opened or a code is shown.
   * It bounds how often that happens to a person who did not call `login()`. Absent: there is no bound.
   *
   * @throws {@link LoginRequiredError} when it has happened three times within ten minutes already, or five times
   * when the server has rejected the credential or wants further scopes of it. Nobody must be asked then.
   */
  announceLogin?(): void
  /** Reports what an auditor wants to know. Absent: nobody listens. */
  readonly emit?: (event: AuditEvent) => void
  /**
   * The provider's own records besides the credential, such as client registrations. They live as
   * long as the store, or as the manager when there is none. They can be locked where there is a store.
   */
  readonly records: Pick<CredentialStore, 'get' | 'set' | 'delete'> &
    Partial<Pick<CredentialStore, 'lock'>>
  /** The current time in milliseconds since the epoch, by this machine's clock. */
  now(): number
  /** The same by the server's clock, as far as known: for claims that the server checks. */
  serverNow(): number
  /** A number in [0, 1). */
  random(): number
}

/**
 * Plain, versioned JSON: the only thing that a store ever sees.
 *
 * @group Stores of your own
 */
export interface CredentialRecord {
  /** The format of the record. */
  readonly version: 1
  /** The name of the provider that wrote it. */
  readonly provider: string
  /**
   * Names the login to which the record belongs: a random text, the same after each renewal. It is set when the
   * record is written. Absent: the records without one belong to one login.
   */
  readonly login?: string
  /** Counts the renewals of this login. Logins are told apart by their name: their numbers cannot be compared. */
  readonly generation?: number
  /** The authorization server that issued it. A credential never crosses issuers. */
  readonly issuer?: string
  /** Milliseconds since the epoch. */
  readonly obtainedAt?: number
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number
  /** What the provider needs to go on; JSON values only. */
  readonly data: Readonly<Record<string, unknown>>
  /**
   * A single-use grant of this record was sent, and its answer has not been written yet. Found without a
   * holder of the lock, it means that a process died in between.
   */
  readonly pending?: {
    /** When, in milliseconds since the epoch. */
    readonly at: number
    /** The number of the process, and a random text that no other mark has. */
    readonly by: string
  }
  /** The issuer refused the grant of this record; only its access token still counts. */
  readonly refused?: true
}

/**
 * Where records rest. A key is a text of 1 to 2000 characters without control characters; methods refuse any
 * other with a {@link StoreError}. Methods throw `StoreError`; anything else is reported as one, by its class.
 *
 * @group Stores of your own
 */
export interface CredentialStore {
  /** Reads a record; `undefined` when there is none. */
  get(key: string): Promise<CredentialRecord | undefined>
  /** Replaces a record, whole and durably or not at all. */
  set(key: string, record: CredentialRecord): Promise<void>
  /** Removes a record; `false` when there was none. */
  delete(key: string): Promise<boolean>
  /** Lists the keys. */
  list(): Promise<readonly string[]>
  /**
   * Runs a task while nobody else, in this or another process, holds the lock of the key. The task's
   * signal aborts when the lock is lost meanwhile; the store then refuses to write for it, and so it may do with
   * what the task leaves behind when it ends. `lock` waits for the task, and gives back what it returns or throws. When `signal` aborts before the task has begun, it
   * rejects with the signal's reason.
   */
  lock<T>(key: string, task: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>
}
