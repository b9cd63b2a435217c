/**
 * The vocabulary of the library: types only, nothing at run time. It is long because each member is documented, and the
 * types refer to each other.
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
  /** Whether the bytes of the body are not known before they are sent: a stream, a blob or a multipart form. */
  readonly streamed: boolean
  /** `1` for the first attempt of this request, `2` for the first retry, and so on. */
  readonly attempt: number
  /** The current time in milliseconds since the epoch, by the server's clock where its offset is known. */
  readonly now: number
  /** Aborts when the caller aborts the request, at a logout, and when the manager is closed. */
  readonly signal: AbortSignal | undefined
}

/**
 * The part of a response that credentials and providers see: everything but the body.
 *
 * @group Providers of your own
 */
export type ResponseHead = Pick<Response, 'status' | 'headers' | 'url'>

/**
 * A credential that can be applied to requests.
 *
 * @group Providers of your own
 */
export interface Credential {
  /** When it expires, in milliseconds since the epoch. Absent: valid until rejected. */
  readonly expiresAt?: number
  /** When it was issued, in milliseconds since the epoch. Absent: when the acquisition began. */
  readonly obtainedAt?: number
  /** When the issuer recommends renewing it, in milliseconds since the epoch. */
  readonly refreshAt?: number
  /** The granted scopes, separated by spaces, where the issuer named them. */
  readonly scope?: string
  /** The issuer. Scopes that one issuer granted are not requested from another. */
  readonly issuer?: string
  /** The record to store, so that a later process can continue. Absent: the credential stays in memory. */
  readonly record?: CredentialRecord
  /**
   * Adds the credential to a request. Called once for each attempt, so a signer signs anew.
   *
   * May return a promise; the request waits for it.
   */
  apply(request: OutgoingRequest): void | Promise<void>
  /**
   * Sees the response to a request that carried this credential, for example to take a DPoP nonce from it.
   *
   * @returns `resend`: the same request is sent again, at most {@link CredentialProvider.maxResends} times.
   * `renew`: the credential is replaced, as after a 401. `undefined`: the response is handled as usual.
   * Anything else is ignored.
   */
  observe?(
    response: ResponseHead,
    request: OutgoingRequest,
  ): 'resend' | 'renew' | undefined | void | Promise<'resend' | 'renew' | undefined | void>
}

/** What a {@link Credential} asks for after it has seen a response. */
export type ObserveResult = Awaited<ReturnType<NonNullable<Credential['observe']>>>

/**
 * A source of credentials of one kind. Any object of this shape is a provider.
 *
 * @group Providers of your own
 */
export interface CredentialProvider {
  /** Names the provider in events and errors, such as `apiKey` or `clientCredentials`. */
  readonly name: string
  /**
   * How many different credentials it can offer, one after another, when they are rejected.
   * Default 1.
   */
  readonly alternatives?: number
  /** Whether it can request further scopes, after a 403 with `insufficient_scope`. Default `false`. */
  readonly scoped?: boolean
  /** Whether replacing a credential that its issuer refused requires user interaction. Default `false`. */
  readonly interactive?: boolean
  /**
   * Whether it needs the server's challenge before the first acquisition. The first request is then sent
   * without a credential, to receive the 401. Default `false`.
   */
  readonly discovers?: boolean
  /**
   * How many times one request may be sent again because {@link Credential.observe} returned `resend`, from 1
   * to 5. Handshakes of several legs, such as Negotiate, need more than the default of 1.
   */
  readonly maxResends?: number
  /**
   * Where its records are stored, unless the options of the manager name a store. A provider that combines
   * others, such as `all()`, has none, and does not use theirs. Default: nowhere.
   */
  readonly store?: CredentialStore
  /**
   * Where its secrets come from, for messages, such as `env('MCP_API_KEY')`; never the value of a secret. A
   * function is called with a credential that the provider returned. Default: not stated.
   */
  readonly source?: string | ((credential: Credential) => string | undefined)
  /**
   * Returns whether a response other than a 401 refuses the credential, such as a redirect to a login page,
   * or a login page with status 200. The response is then treated as a 401. The body is not available.
   */
  refused?(response: ResponseHead): boolean
  /**
   * Acquires a credential.
   *
   * @throws {@link CredentialError} when none can be acquired.
   */
  acquire(context: AcquireContext): Promise<Credential>
  /** Rebuilds a credential from a record that this provider wrote; `undefined`: it did not write this one. */
  restore?(
    record: CredentialRecord,
    context: AcquireContext,
  ): Credential | undefined | Promise<Credential | undefined>
  /**
   * Revokes a credential at its issuer, for a logout; `false`: the issuer does not support revocation. An
   * error does not stop the logout; the message of a {@link CredentialError} becomes the `reason` of its
   * result.
   *
   * @see RFC 7009
   */
  revoke?(credential: Credential, context: AcquireContext): Promise<boolean>
  /**
   * Ends the login that its options contain, such as a configured refresh token, for a logout that finds no
   * credential of this provider. The login is not used again, whether the issuer revokes it or not.
   *
   * @returns Whether the issuer revoked it.
   */
  giveUp?(context: AcquireContext): Promise<boolean>
  /**
   * Deletes what it stores besides credentials, such as the registration of the client, for a logout that
   * requests it. `context.previous` is the credential that was discarded, if there was one.
   *
   * @returns Whether there was anything to delete.
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
   * The maximum number of credentials to keep. The least recently used one is closed, and acquired again when
   * it is needed. Default 1000.
   */
  readonly maxKept?: number
  /**
   * Returns the provider for a request. Called once for each request, not for its retries; and by `login()`
   * and `logout()`, with a request that is not an MCP message.
   */
  select(request: SelectionRequest): {
    /** Identifies the credential, such as the name of a tenant. */
    readonly key: string
    /** The provider, or a function that makes it, which is called when the key is first seen. */
    readonly provider: CredentialProvider | (() => CredentialProvider)
  }
}

/**
 * What a {@link CredentialSelector} receives about a request.
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
 * The input of {@link CredentialProvider.acquire}.
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
   * The same server as the application named it, with the query of its URL, which can distinguish tenants.
   * Use it to store or find credentials by server; use `resource` in token requests. The query may contain a
   * secret.
   */
  readonly serverUrl: URL
  /**
   * Why a credential is needed: there is none yet (`missing`), it is about to expire (`expiring`), the server
   * refused it (`rejected`), it lacks scopes (`insufficient_scope`), or the application requested a new one
   * (`forced`).
   */
  readonly reason: 'missing' | 'expiring' | 'rejected' | 'insufficient_scope' | 'forced'
  /** The scopes to request, separated by spaces; the union of all requested so far. */
  readonly scope: string | undefined
  /** The challenges of the server's refusal. */
  readonly challenges: readonly Challenge[]
  /** The credential that is being replaced. */
  readonly previous: Credential | undefined
  /** `false` for a background renewal, which must never open a browser. */
  readonly interactive: boolean
  /** A plain `fetch` for the provider's own requests; it never carries this credential. */
  readonly fetch: FetchLike
  /** Aborts when no caller is waiting, on the time limit, and when the manager is closed. */
  readonly signal: AbortSignal
  /**
   * Announces that a single-use grant (refresh token, authorization code) is about to be sent; await it
   * first. After the call the acquisition is not cancelled, because its result would be lost.
   *
   * @throws {@link StoreError} when the renewal could not be recorded. The grant must then not be sent.
   */
  commit(): Promise<void>
  /**
   * Keeps what a server has already replaced, such as a rotated refresh token, when the rest of the response
   * cannot be used. The next acquisition receives it as its `previous`.
   */
  salvage(credential: Credential): void
  /**
   * Announces that the user is about to be asked to log in; call it before a browser is opened or a code is
   * shown. It limits how often that happens without a call of `login()`. Absent: there is no limit.
   *
   * @throws {@link LoginRequiredError} when it has already happened three times within ten minutes, or five
   * times when the server has rejected the credential or requires further scopes. The user must then not be
   * asked.
   */
  announceLogin?(): void
  /** Reports an audit event. Absent: there is no listener. */
  readonly emit?: (event: AuditEvent) => void
  /**
   * The provider's own records besides the credential, such as client registrations. They last as long as the
   * store, or as the manager when there is none. They can be locked where there is a store.
   */
  readonly records: Pick<CredentialStore, 'get' | 'set' | 'delete'> &
    Partial<Pick<CredentialStore, 'lock'>>
  /** The current time in milliseconds since the epoch, by this machine's clock. */
  now(): number
  /** The same by the server's clock where its offset is known, for claims that the server checks. */
  serverNow(): number
  /** A number in [0, 1). */
  random(): number
}

/**
 * Plain, versioned JSON: the form in which stores receive credentials.
 *
 * @group Stores of your own
 */
export interface CredentialRecord {
  /** The format of the record. */
  readonly version: 1
  /** The name of the provider that wrote it. */
  readonly provider: string
  /**
   * Identifies the login to which the record belongs: a random text, the same after each renewal. It is set
   * when the record is written. Records without it belong to one login.
   */
  readonly login?: string
  /** Counts the renewals of this login. The numbers of different logins cannot be compared. */
  readonly generation?: number
  /** The authorization server that issued it. A credential never crosses issuers. */
  readonly issuer?: string
  /** Milliseconds since the epoch. */
  readonly obtainedAt?: number
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number
  /** What the provider needs to restore the credential; JSON values only. */
  readonly data: Readonly<Record<string, unknown>>
  /**
   * A single-use grant of this record was sent, and the response has not been stored yet. If no process holds
   * the lock, the process that sent the grant has died.
   */
  readonly pending?: {
    /** When, in milliseconds since the epoch. */
    readonly at: number
    /** The process ID, and a random text that no other mark has. */
    readonly by: string
  }
  /** The issuer refused the grant of this record; only its access token can still be used. */
  readonly refused?: true
}

/**
 * Stores records. A key is a text of 1 to 2000 characters without control characters; methods refuse any
 * other with a {@link StoreError}. Methods throw `StoreError`; any other error is reported as one, by its
 * class.
 * @group Stores of your own
 */
export interface CredentialStore {
  /** Reads a record; `undefined` when there is none. */
  get(key: string): Promise<CredentialRecord | undefined>
  /** Replaces a record atomically and durably. */
  set(key: string, record: CredentialRecord): Promise<void>
  /** Removes a record; `false` when there was none. */
  delete(key: string): Promise<boolean>
  /** Lists the keys. */
  list(): Promise<readonly string[]>
  /**
   * Runs a task while it alone, among all processes, holds the lock of the key. The task's signal aborts when
   * the lock is lost; the store then refuses writes by the task. It may also refuse writes that the task
   * leaves running when it ends. `lock` settles as the task does. When `signal` aborts before the task has
   * begun, it rejects with the signal's reason.
   */
  lock<T>(key: string, task: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>
}
