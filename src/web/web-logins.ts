/**
 * Logins of web applications, which start with one request and finish with another.
 *
 * @module
 */
import type { AuditEvent } from '../audit-events.ts'
import type { AcquireContext } from '../credential.ts'
import { toBase64Url } from '../encoding.ts'
import { ConfigurationError, CredentialError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import { toCredentialError } from '../manager/failure.ts'
import { guardStore } from '../manager/guarded-store.ts'
import { type ResolvedOptions, resolveOptions } from '../manager/options.ts'
import { Reporter } from '../manager/reporter.ts'
import { isScope } from '../oauth/options.ts'
import { beginPendingLogin, type PendingLoginRecord } from '../oauth/pending-login.ts'
import { checkOptions } from '../options.ts'
import { within } from '../waiting.ts'
import { callbackOf } from './callback.ts'
import { removeExpiredMarks } from './finished-logins.ts'
import { checkWebLogins, name, sealingKeys, type WebLoginsOptions } from './options.ts'
import { type FinishedLogin, type Redemption, redeemLogin } from './redemption.ts'
import { auditCallback } from './refused-logins.ts'
import { expiredLogin, stateSealer } from './sealed-state.ts'

/** The user and the MCP server of a login. */
export interface BeginLoginOptions {
  /** The URL of the MCP server. */
  readonly resource: string | URL
  /**
   * Identifies the user's session with this application, such as the value of its cookie. Only the same
   * session can finish the login. It is stored as a hash.
   */
  readonly session: string
  /**
   * The user, as in the option `account` of `authorizedFetch`. `account` or `tenant` is required, or both
   * if `authorizedFetch` has both: without them all users would share one login.
   */
  readonly account?: string
  /** The tenant, as in the key of `perTenant`. */
  readonly tenant?: string
  /**
   * Further scopes to request, separated by spaces, besides those of the option `scope`: after a
   * `LoginRequiredError` with the reason `step_up`, its `scope`. Default: none.
   */
  readonly scope?: string
  /** Aborts the requests to the servers. */
  readonly signal?: AbortSignal
}

/** A login that was started. */
export interface BegunLogin {
  /** The URL to which to send the user's browser. */
  readonly url: URL
  /**
   * The encrypted state for {@link WebLogins.finishLogin}: store it in a cookie (`HttpOnly`, `Secure`,
   * `SameSite=Lax`), in the session, in a database or in Redis.
   */
  readonly state: string
  /**
   * Identifies this login among others of the same user: the callback contains it as the parameter `state`.
   */
  readonly id: string
  /** When the login expires, in milliseconds since the epoch. */
  readonly expiresAt: number
}

/** The options for finishing a login. */
export interface FinishLoginOptions {
  /** The user's session with this application, as in {@link BeginLoginOptions}. */
  readonly session: string
  /** Aborts the wait. The result of a request that was already sent is still stored. */
  readonly signal?: AbortSignal
}

/** Starts and finishes logins. Its functions do not use `this`. */
export interface WebLogins {
  /**
   * Discovers the authorization server of an MCP server, and creates the URL to which the user's browser is
   * sent.
   *
   * @throws `ConfigurationError` when an option is invalid; `DiscoveryError` when the server names no
   *   authorization server that can be used safely; `CredentialError` with the code `unsupported_server`
   *   when it offers no such logins, or with another code when it cannot be reached or does not register
   *   the client.
   */
  beginLogin(options: BeginLoginOptions): Promise<BegunLogin>
  /**
   * Checks the callback, redeems the code, and stores the login.
   *
   * @param callbackUrl - The URL that the browser requested, or its path with its query, such as
   *   `request.originalUrl`. Host and scheme are ignored, because proxies change them.
   * @param state - The `state` of {@link WebLogins.beginLogin}, from this or another process.
   * @throws `CredentialError` with the code `login_state_invalid` when the state is missing or was changed,
   *   `login_expired` when it has expired, `login_used` when the login was already finished,
   *   `login_mismatch` when it belongs to another session or callback, `invalid_response` when the response
   *   is from another authorization server; `LoginRequiredError` when the user or the server declined;
   *   `StoreError` when the login cannot be stored.
   */
  finishLogin(
    callbackUrl: string | URL,
    state: string | undefined,
    options: FinishLoginOptions,
  ): Promise<FinishedLogin>
}

/** How long the start of a login waits for the removal of old marks, in milliseconds. */
const cleaningLimitMs = 1000

/** The encrypted state. */
interface SealedLogin {
  readonly version: 1
  readonly login: PendingLoginRecord
  /** The hash of the session. */
  readonly session: string
  readonly resource: string
  readonly account: string
  readonly tenant?: string
  readonly expiresAt: number
}

/**
 * Logs the users of a web application in to MCP servers: authorization code grant with PKCE, in two
 * requests. The encrypted state contains everything between them, so that any process of the application
 * can finish a login.
 *
 * `savedLogin()` uses and renews the logins that {@link WebLogins.finishLogin} stores, with the same
 * `store` and the same `account` or tenant. A small record per user marks finished logins; `beginLogin`
 * removes expired ones of all users. If users choose the MCP servers, pass `publicFetch()` of
 * `mcp-credentials/node` as `fetch`.
 *
 * @example
 * ```ts
 * import { authorizedFetch, env, type CredentialStore } from 'mcp-credentials'
 * import { savedLogin } from 'mcp-credentials/oauth'
 * import { webLogins } from 'mcp-credentials/web'
 *
 * declare const store: CredentialStore
 * declare const user: { id: string; session: string }
 * declare const request: { originalUrl: string; cookies: { login: string } }
 *
 * const logins = webLogins({
 *   key: env('LOGIN_KEY'),
 *   redirectUri: 'https://app.example.com/callback',
 *   clientName: 'Notes for teams',
 *   store,
 * })
 * const resource = 'https://mcp.example.com/mcp'
 * const { session } = user
 *
 * // GET /connect: store `state` in a cookie, and redirect to `url`.
 * const { url, state } = await logins.beginLogin({ resource, account: user.id, session })
 *
 * // GET /callback
 * await logins.finishLogin(request.originalUrl, request.cookies.login, { session })
 *
 * // From now on:
 * const fetch = authorizedFetch(savedLogin(), { resource, store, account: user.id })
 * ```
 *
 * @throws `ConfigurationError` when an option is invalid.
 * @see RFC 6749, section 4.1; RFC 7636; RFC
 *   9207; RFC 9700
 */
export function webLogins(options: WebLoginsOptions): WebLogins {
  checkWebLogins(options)
  const sealer = stateSealer(`${name}.key`, sealingKeys(options))
  const { now = Date.now, lifetime = 600, store } = options
  let cleanedAt = -Infinity
  /** Runs at most once within the lifetime of a login, because it lists all records of the store. */
  const clean = async () => {
    if (Math.abs(now() - cleanedAt) < lifetime * 1000) return
    cleanedAt = now()
    await removeExpiredMarks(guardStore(store), now())
  }
  return {
    async beginLogin(begin) {
      const owner = checkBegin(options, begin)
      const [{ url, record }] = await Promise.all([
        startLogin(options, owner, begin),
        // The login does not depend on it.
        within(cleaningLimitMs, clean(), { keepsProcess: false }),
      ])
      const expiresAt = now() + lifetime * 1000
      const { account, serverUrl } = owner
      const { tenant } = begin
      const sealed: SealedLogin = {
        version: 1,
        login: record,
        session: await hash(begin.session),
        resource: serverUrl.href,
        account,
        ...(tenant === undefined ? {} : { tenant }),
        expiresAt,
      }
      return { url, state: await sealer.seal(sealed, expiresAt), id: record.state, expiresAt }
    },
    async finishLogin(callbackUrl, state, finish) {
      checkOptions('finishLogin', finish, ['session', 'signal'])
      checkSession('finishLogin', finish.session)
      let sealed: SealedLogin | undefined
      const emit = (event: AuditEvent) => reporterOf(options, sealed).emit(event)
      const redemption = await auditCallback(
        emit,
        () => sealed?.login,
        async () => {
          sealed = (await sealer.open(state, now())) as SealedLogin
          return checkedCallback(sealed, callbackUrl, finish, now())
        },
      )
      return redeemLogin(options, redemption)
    },
  }
}

/** Checks a callback against the state of its login. */
async function checkedCallback(
  { login, session, resource, tenant, account, expiresAt }: SealedLogin,
  callbackUrl: string | URL,
  finish: FinishLoginOptions,
  now: number,
): Promise<Redemption> {
  // The encrypted state expires at full seconds, but the mark of a finished login at milliseconds.
  if (now >= expiresAt) throw expiredLogin()
  if (session !== (await hash(finish.session))) throw otherSession()
  const callback = callbackOf(callbackUrl, login)
  const owner = { resource: new URL(resource), account, tenant }
  return { owner, login, callback, expiresAt, signal: finish.signal }
}

/** Creates the reporter of events; without a login their owner is not known. */
function reporterOf(
  { now = Date.now, onEvent }: WebLoginsOptions,
  login: Pick<SealedLogin, 'resource' | 'account' | 'tenant'> | undefined,
): Reporter {
  const source = {
    resource: login === undefined ? '' : resourceLabel(new URL(login.resource)),
    provider: name,
    tenant: login?.tenant,
    account: login?.account === 'default' ? undefined : login?.account,
  }
  return new Reporter(source, now, onEvent)
}

function checkBegin(options: WebLoginsOptions, begin: BeginLoginOptions): ResolvedOptions {
  const known = ['resource', 'session', 'account', 'tenant', 'scope', 'signal']
  checkOptions('beginLogin', begin, known)
  checkSession('beginLogin', begin.session)
  const { resource, account, tenant, scope } = begin
  if (account === undefined && tenant === undefined) {
    throw new ConfigurationError(
      'beginLogin.account',
      'beginLogin: pass `account` or `tenant`, so that users do not share a login.',
    )
  }
  if (tenant !== undefined && (typeof tenant !== 'string' || !/^\P{Cs}+$/u.test(tenant))) {
    throw new ConfigurationError('beginLogin.tenant', 'beginLogin.tenant must be a string.')
  }
  if (scope !== undefined && !isScope(scope)) {
    const problem = 'must be a string of scopes separated by single spaces (RFC 6749, section 3.3).'
    throw new ConfigurationError('beginLogin.scope', `beginLogin.scope ${problem}`)
  }
  const provider = { name, acquire: () => Promise.reject(new Error('not used')) }
  const { store, fetch, now, onEvent } = options
  return resolveOptions(provider, {
    resource,
    store,
    ...(account === undefined ? {} : { account }),
    ...(fetch === undefined ? {} : { fetch }),
    ...(now === undefined ? {} : { now }),
    ...(onEvent === undefined ? {} : { onEvent }),
  })
}

async function startLogin(
  options: WebLoginsOptions,
  { resource, serverUrl, account, fetch, now, random }: ResolvedOptions,
  { scope, tenant, signal = new AbortController().signal }: BeginLoginOptions,
): ReturnType<typeof beginPendingLogin> {
  const owner = { resource: serverUrl.href, account, ...(tenant === undefined ? {} : { tenant }) }
  const reporter = reporterOf(options, owner)
  const context: AcquireContext = {
    resource,
    serverUrl,
    reason: 'missing',
    scope,
    challenges: [],
    previous: undefined,
    interactive: true,
    fetch,
    signal,
    commit: async () => {},
    salvage: () => {},
    emit: (event) => reporter.emit(event),
    records: guardStore(options.store),
    now,
    serverNow: now,
    random,
  }
  try {
    return await beginPendingLogin(name, options, context)
  } catch (thrown) {
    signal.throwIfAborted()
    throw toCredentialError(thrown, name, resource, false)
  }
}

function checkSession(where: string, session: unknown): void {
  if (typeof session === 'string' && session !== '') return
  throw new ConfigurationError(
    `${where}.session`,
    `${where}.session is missing; pass an identifier of the user's session, such as the value of its cookie.`,
  )
}

function otherSession(): CredentialError {
  return new CredentialError('login_mismatch', `${name}: the login belongs to another session.`, {
    provider: name,
    remedy: 'Call beginLogin() in the session of the user who logs in.',
  })
}

async function hash(session: string): Promise<string> {
  const bytes = new TextEncoder().encode(session)
  return toBase64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}
