/**
 * The part of a login that happens in the user's browser.
 *
 * @module
 */
import {
  ConfigurationError,
  CredentialError,
  describeThrown,
  isCredentialError,
  LoginRequiredError,
} from '../errors.ts'
import type { GrantSession } from './grant.ts'
import type { PendingLogin } from './issuer-connection.ts'
import type { LoopbackListener } from './loopback.ts'
import { withUserTimeLimit } from './user-time-limit.ts'

/** Shows the URL of a login to the user. */
type ShowUrl = (
  url: URL,
  options: { readonly signal: AbortSignal; openBrowser(): Promise<boolean> },
) => unknown

/** How the user reaches the authorization server, and comes back. */
export interface BrowserLogin {
  /** The authorization request. */
  readonly url: URL
  /** Receives the callback; `undefined` when the redirect URI is not on this machine. */
  readonly listener: LoopbackListener | undefined
  /** Shows the URL to the user; `undefined`: a browser is opened. May resolve to the callback URL. */
  readonly onAuthorizationUrl: ShowUrl | undefined
  /** Seconds that the user has. */
  readonly timeout: number
  /** The error after that time. */
  readonly timeoutError: LoginRequiredError
}

/**
 * Shows the URL to the user, and waits for the callback.
 *
 * @returns The callback URL, which has not been checked. That of the listener takes precedence over a returned one.
 * @throws `LoginRequiredError` when the user does not complete the login in time, or no browser can be
 * opened; `ConfigurationError` when `onAuthorizationUrl` resolves to a value other than the callback URL.
 */
export async function waitForCallback(session: GrantSession, login: BrowserLogin): Promise<URL> {
  const { listener, timeout, timeoutError } = login
  const { signal } = session.context
  signal.throwIfAborted()
  const ended = new AbortController()
  const wait = (waiting: AbortSignal) => {
    const shown = showUrl(session.name, login, AbortSignal.any([waiting, ended.signal]))
    shown.catch(() => {})
    return Promise.race(listener === undefined ? [shown] : [listener.callback, shown])
  }
  try {
    return await withUserTimeLimit(session, timeout, timeoutError, wait)
  } finally {
    ended.abort()
  }
}

async function showUrl(
  name: string,
  { url, listener, onAuthorizationUrl = openOnly(name) }: BrowserLogin,
  signal: AbortSignal,
): Promise<URL> {
  const { openBrowser, misused } = browserFor(name, listener, url)
  const options = { signal, openBrowser }
  const returned = await Promise.race([
    named(name, signal, () => onAuthorizationUrl(url, options)),
    misused,
  ])
  if (typeof returned === 'string' || returned instanceof URL) {
    if (URL.canParse(returned)) return new URL(returned)
    throw new ConfigurationError(
      `${name}.onAuthorizationUrl`,
      `${name}.onAuthorizationUrl resolved to a value that is not the callback URL.`,
    )
  }
  if (listener !== undefined) return Promise.race([listener.callback, misused])
  throw new ConfigurationError(
    `${name}.onAuthorizationUrl`,
    `${name}.onAuthorizationUrl must resolve to the callback URL, because redirectUri is not on this machine.`,
  )
}

/** What happens where the application does not show the URL. */
function openOnly(name: string): ShowUrl {
  return async (_url, { openBrowser }) => {
    if (await openBrowser()) return
    throw new LoginRequiredError('login_failed', `${name}: no browser could be opened.`, {
      provider: name,
      remedy: 'Pass `onAuthorizationUrl` to show the URL yourself, or use deviceCode().',
    })
  }
}

/** Names the function of the application that threw. */
async function named(name: string, signal: AbortSignal, call: () => unknown): Promise<unknown> {
  try {
    return await call()
  } catch (thrown) {
    if (isCredentialError(thrown) || signal.aborted) throw thrown
    throw new CredentialError(
      'acquire_failed',
      `${name}.onAuthorizationUrl threw (${describeThrown(thrown)}).`,
      { provider: name, retryable: true, remedy: 'Throw a CredentialError there to give details.' },
    )
  }
}

/**
 * Opens the browser with a page of the listener that leads on to the URL. Other users can read the command
 * line of the program that opens it, and whoever has the URL can complete the login with an account of their
 * own: `misused` rejects when the page is requested twice.
 */
function browserFor(
  name: string,
  listener: LoopbackListener | undefined,
  url: URL,
): { openBrowser(): Promise<boolean>; readonly misused: Promise<never> } {
  let giveUp: (error: Error) => void = () => {}
  const misused = new Promise<never>((_resolve, reject) => {
    giveUp = reject
  })
  misused.catch(() => {})
  return {
    misused,
    async openBrowser() {
      if (listener === undefined) return false
      const page = listener.showOnce(url)
      void page.repeated.then(() => giveUp(requestedTwice(name)))
      const opener = await import('./opener.ts')
      return opener.openBrowser(page.address)
    },
  }
}

function requestedTwice(name: string): LoginRequiredError {
  return new LoginRequiredError(
    'login_failed',
    `${name}: the page that begins the login was requested twice, so another program on this machine may have read it. The login was ended.`,
    {
      provider: name,
      remedy: 'Call `login()` again, or pass `onAuthorizationUrl` on a machine that others use.',
    },
  )
}

/**
 * Checks a callback before its code is sent: it must be at the redirect URI, with the state of this login,
 * and from the authorization server where the login began.
 *
 * @param requireIss - Whether the response must name its issuer even if the server did not announce it.
 * @throws `CredentialError` with the code `invalid_response` otherwise.
 */
export function checkCallback(
  session: GrantSession,
  callback: URL,
  { state, redirectUri }: PendingLogin,
  requireIss: boolean,
): void {
  const { origin, pathname } = new URL(redirectUri)
  const isHere = callback.origin === origin && callback.pathname === pathname
  if (!isHere || !state.equals(callback.searchParams.get('state'))) {
    throw refused(
      session,
      'the returned URL does not belong to this login',
      'Copy the complete URL from the address bar after the current login.',
    )
  }
  checkAnswer(session, callback)
  checkIssuer(session, callback, requireIss)
}

/** The parameters of a response, none of which may be repeated (RFC 6749, section 3.1). */
const answerParameters = ['code', 'error', 'iss', 'state']
/** The parameters of unsupported flows: a token in the URL, and a signed response (JARM). */
const foreignParameters = ['response', 'id_token', 'token']

/** Checks that a callback contains a code or an error, so that an empty one does not consume the login. */
function checkAnswer(session: GrantSession, { searchParams }: URL): void {
  const isRepeated = answerParameters.some((name) => searchParams.getAll(name).length > 1)
  const isForeign = foreignParameters.some((name) => searchParams.has(name))
  const isEmpty = !['code', 'error'].some((name) => searchParams.get(name))
  if (!isRepeated && !isForeign && !isEmpty) return
  throw refused(
    session,
    `the returned URL ${isEmpty ? 'has neither a code nor an error' : 'is not an authorization response'}`,
    'Nothing was sent. Copy the complete URL from the address bar after the login.',
  )
}

/** Checks the `iss` parameter (RFC 9207, section 2.4). openid-client does too, but its error does not name it. */
function checkIssuer(session: GrantSession, callback: URL, requireIss: boolean): void {
  const { issuer, authorization_response_iss_parameter_supported } = session.server.metadata
  const isRequired = requireIss || authorization_response_iss_parameter_supported === true
  const sender = callback.searchParams.get('iss')
  if (sender === null ? !isRequired : sender === issuer) return
  const { host } = new URL(issuer)
  throw refused(
    session,
    `the response to the login ${sender === null ? 'does not say that it comes' : 'does not come'} from ${host}, where the login began`,
    'The response was not used. If it happens again, logins may have been tampered with.',
  )
}

function refused(
  { name, context }: GrantSession,
  problem: string,
  remedy: string,
): CredentialError {
  const where = { resource: context.resource, provider: name, remedy }
  return new CredentialError('invalid_response', `${name}: ${problem}.`, where)
}
