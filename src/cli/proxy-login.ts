/**
 * A login that the proxy starts for its client.
 *
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  authorizedFetch,
  type CredentialError,
  type CredentialStore,
  isCredentialError,
  LoginRequiredError,
} from '../index.ts'
import type { LoginOffer, LoginRequest } from '../node/index.ts'
import { type AuthorizationCodeOptions, authorizationCode } from '../oauth/index.ts'
import { commandWord, labelOf } from './labels.ts'
import { withoutFunction } from './problem.ts'

/** The server of the login, and its settings. */
export interface LoginSettings {
  readonly resource: URL
  readonly store: CredentialStore
  readonly account?: string
  /** Aborts the login. */
  readonly signal: AbortSignal
  /** Whether a browser may be opened. */
  readonly mayOpen: boolean
  log(line: string): void
}

/** Limit for discovery and registration, in milliseconds; clients time out after a minute. */
const startLimitMs = 20_000
/** How long to wait for an error of the browser, in milliseconds. */
const openLimitMs = 3000
/**
 * The store is read once a second, so requests may fail until then, and must not start another login. In
 * milliseconds.
 */
const storeReadMs = 1000
/** How long to wait for the lock, in milliseconds; another proxy that logs in holds it. */
const lockLimitMs = 500

/**
 * Logs in with a browser: through the client if it can show a URL, otherwise on this machine. Only one
 * process logs in at a time; the others read the result from the store.
 *
 * @returns `undefined`: no login can be started, so the client receives the command to run.
 */
export async function loginOffer(
  { error, clientShowsUrl }: LoginRequest,
  settings: LoginSettings,
): Promise<LoginOffer | undefined> {
  // A login does not replace a key.
  if (error.reason === 'login_pending' || error.reason === 'key_rejected') return undefined
  if (!clientShowsUrl && !settings.mayOpen) return undefined
  const scope = error.reason === 'step_up' ? error.scope : undefined
  const login = startLogin(clientShowsUrl, scope, settings)
  const { completed } = login
  completed.catch((error: unknown) => {
    if (isCredentialError(error)) settings.log(failureText(error, settings))
  })
  const failed = completed.then(
    () => undefined,
    () => undefined,
  )
  const name = settings.resource.host
  if (clientShowsUrl) {
    const url = await Promise.race([
      login.url,
      failed,
      sleep(startLimitMs, undefined, { ref: false }),
    ])
    return url === undefined ? undefined : { url, message: `Log in to ${name}.`, completed }
  }
  const isPending = Symbol('pending')
  const outcome = await Promise.race([failed, sleep(openLimitMs, isPending, { ref: false })])
  if (outcome !== isPending) return undefined
  const scopes = scope === undefined ? '' : ` --scope ${commandWord(scope)}`
  const who = settings.account === undefined ? '' : ` --account ${commandWord(settings.account)}`
  const command = `npx mcp-credentials login ${commandWord(labelOf(settings.resource))}${scopes}${who}`
  settings.log(
    `A browser is opening for the login to ${name}. If none appears, run \`${command}\`.`,
  )
  const message = `A browser is opening for the login to ${name}; try again after the login. If none appears, run \`${command}\`.`
  return { message, completed }
}

/** Replaces the library's remedy, which names functions, by commands. */
function failureText(error: CredentialError, { resource, account }: LoginSettings): string {
  const what = withoutFunction(error)
  const who = account === undefined ? '' : ` --account ${commandWord(account)}`
  const label = labelOf(resource)
  return `The login failed: ${what} Run \`npx mcp-credentials login ${commandWord(label)}${who} --no-browser\`, or check the server with \`npx mcp-credentials doctor ${commandWord(label)}\`.`
}

interface StartedLogin {
  readonly url: Promise<URL>
  readonly completed: Promise<unknown>
}

function startLogin(
  clientShowsUrl: boolean,
  scope: string | undefined,
  { resource, store, account, signal, log }: LoginSettings,
): StartedLogin {
  let show: (url: URL) => void = () => {}
  const url = new Promise<URL>((resolve) => {
    show = resolve
  })
  const openHere: NonNullable<AuthorizationCodeOptions['onAuthorizationUrl']> = async (
    address,
    { openBrowser },
  ) => {
    log(`Logging in with a browser. If none opens, open this URL on this machine: ${address.href}`)
    if (await openBrowser()) return
    throw new LoginRequiredError('no_credential', 'No browser could be opened.', { resource })
  }
  const provider = authorizationCode({
    onAuthorizationUrl: clientShowsUrl ? show : openHere,
    ...(scope === undefined ? {} : { scope }),
  })
  const options = {
    resource,
    store: lockedToWrite(store, scope === undefined),
    ...(account === undefined ? {} : { account }),
  }
  const logIn = async () => {
    const fetch = authorizedFetch(provider, options)
    try {
      await fetch.login({ signal })
    } finally {
      await fetch.close()
    }
    await sleep(storeReadMs)
  }
  return { url, completed: exclusively(store, `${resource.href} | proxy login`, logIn) }
}

/**
 * The login takes minutes, and other processes read the record meanwhile, so it is locked only while it is
 * written.
 *
 * @param isFound - Whether the stored login may be used; not if it lacks scopes.
 */
function lockedToWrite(store: CredentialStore, isFound: boolean): CredentialStore {
  return {
    get: async (key) => (isFound ? store.get(key) : undefined),
    list: () => store.list(),
    set: (key, record) => store.lock(key, () => store.set(key, record)),
    delete: (key) => store.lock(key, () => store.delete(key)),
    lock: (_key, task) => task(new AbortController().signal),
  }
}

/** Runs a task, unless another process is running it. */
async function exclusively(
  store: CredentialStore,
  key: string,
  task: () => Promise<void>,
): Promise<void> {
  const waiting = new AbortController()
  const timer = setTimeout(() => waiting.abort(), lockLimitMs)
  await store.lock(
    key,
    () => {
      clearTimeout(timer)
      return task()
    },
    waiting.signal,
  )
}
