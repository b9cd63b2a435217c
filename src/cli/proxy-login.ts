/**
 * A login that the proxy begins while its client waits.
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

/** Where the login is for, and what it may do. */
export interface LoginSettings {
  readonly resource: URL
  readonly store: CredentialStore
  readonly account?: string
  /** Ends the login. */
  readonly signal: AbortSignal
  /** A browser may be opened. */
  readonly mayOpen: boolean
  log(line: string): void
}

/** Discovery and registration come first; a client waits a minute. */
const beginMs = 20_000
/** A browser that cannot be opened says so at once. */
const openMs = 3000
/** What is stored is looked for once a second; until then a request may still fail, and must not begin a login. */
const foundMs = 1000
/** Another proxy that is at it holds the lock. */
const lockMs = 500

/**
 * Logs in with a browser: the client's own when it can show a URL, else the one of this machine. Only one process
 * at a time does it; the others find its outcome in the store.
 *
 * @returns `undefined`: no login could be begun, so the client is told which command to type.
 */
export async function loginOffer(
  { error, clientShowsUrl }: LoginRequest,
  settings: LoginSettings,
): Promise<LoginOffer | undefined> {
  // A login is no key; whoever was given the key stores another one.
  if (error.reason === 'login_pending' || error.reason === 'key_rejected') return undefined
  if (!clientShowsUrl && !settings.mayOpen) return undefined
  const scope = error.reason === 'step_up' ? error.scope : undefined
  const login = beginLogin(clientShowsUrl, scope, settings)
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
    const url = await Promise.race([login.url, failed, sleep(beginMs, undefined, { ref: false })])
    return url === undefined ? undefined : { url, message: `Log in to ${name}.`, completed }
  }
  const isPending = Symbol('pending')
  const outcome = await Promise.race([failed, sleep(openMs, isPending, { ref: false })])
  if (outcome !== isPending) return undefined
  const scopes = scope === undefined ? '' : ` --scope ${commandWord(scope)}`
  const who = settings.account === undefined ? '' : ` --account ${commandWord(settings.account)}`
  const command = `npx mcp-credentials login ${commandWord(labelOf(settings.resource))}${scopes}${who}`
  settings.log(
    `A browser was told to open the login to ${name}. If none appears, run \`${command}\`.`,
  )
  const message = `A browser was told to open the login to ${name}; try again afterwards. If none appears, run \`${command}\`.`
  return { message, completed }
}

/** The library's own advice names its functions. */
function failureText(error: CredentialError, { resource, account }: LoginSettings): string {
  const { message, remedy = '' } = error
  const problem = message.endsWith(remedy) ? message.slice(0, -remedy.length || undefined) : message
  const what = problem.replace(/^[a-z]\w*: /, '').trim()
  const who = account === undefined ? '' : ` --account ${commandWord(account)}`
  const label = labelOf(resource)
  return `The login failed: ${what} Run \`npx mcp-credentials login ${commandWord(label)}${who} --no-browser\`, or see what the server wants: \`npx mcp-credentials doctor ${commandWord(label)}\`.`
}

interface BegunLogin {
  readonly url: Promise<URL>
  readonly completed: Promise<unknown>
}

function beginLogin(
  clientShowsUrl: boolean,
  scope: string | undefined,
  { resource, store, account, signal, log }: LoginSettings,
): BegunLogin {
  let show: (url: URL) => void = () => {}
  const url = new Promise<URL>((resolve) => {
    show = resolve
  })
  const openHere: NonNullable<AuthorizationCodeOptions['onAuthorizationUrl']> = async (
    address,
    { openBrowser },
  ) => {
    log(`To log in, open this address in a browser on this machine, if none opens: ${address.href}`)
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
    await sleep(foundMs)
  }
  return { url, completed: alone(store, `${resource.href} | proxy login`, logIn) }
}

/**
 * A person takes minutes, in which others may look for the login: the record is locked while it is written alone.
 *
 * @param isFound - The login that is stored may do; not where it lacks scopes.
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

/** Runs a task unless another process does. */
async function alone(
  store: CredentialStore,
  key: string,
  task: () => Promise<void>,
): Promise<void> {
  const waiting = new AbortController()
  const timer = setTimeout(() => waiting.abort(), lockMs)
  await store.lock(
    key,
    () => {
      clearTimeout(timer)
      return task()
    },
    waiting.signal,
  )
}
