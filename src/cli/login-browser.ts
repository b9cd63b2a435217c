/**
 * A login with a browser on this or another machine.
 *
 * @module
 */
import { createInterface } from 'node:readline'
import type { CredentialProvider } from '../index.ts'
import { type AuthorizationCodeOptions, authorizationCode } from '../oauth/index.ts'
import type { Invocation } from './command.ts'
import { type ClientOptions, type LoginOptions, opensBrowser } from './login-options.ts'
import type { Terminal } from './terminal.ts'
import { formatDuration } from './times.ts'

type ShowUrl = NonNullable<AuthorizationCodeOptions['onAuthorizationUrl']>

/** The time for the login in seconds, unless a config file sets another. */
const loginTimeout = 240

/** Milliseconds after which standard input is known to be open: an empty one ends sooner. */
const endOfInputMs = 250

/** Creates the provider. */
export function loginProvider(
  client: ClientOptions,
  options: LoginOptions,
  invocation: Invocation,
): CredentialProvider {
  const { terminal } = invocation
  const common = { ...client, clientName: 'mcp-credentials', loginTimeout }
  const show = opensBrowser(options, invocation)
    ? openAndShow(terminal)
    : showUrl(terminal, loginTimeout)
  return authorizationCode({ ...common, onAuthorizationUrl: show })
}

/**
 * Opens a browser and prints the URL, because the program that opens browsers may report success without
 * effect.
 */
function openAndShow(terminal: Terminal): ShowUrl {
  return async (url, { signal, openBrowser }) => {
    terminal.note('Log in with the browser that opens. (Add --no-browser to use another browser.)')
    terminal.note('If no browser opens, open this URL on this machine:')
    terminal.note('')
    terminal.note(url.href)
    terminal.note('')
    if (await openBrowser()) return undefined
    terminal.note('No browser could be opened.')
    return pastedCallback(terminal, url, signal)
  }
}

/**
 * Prints the URL, and accepts a pasted callback URL, unless the browser returns to this machine.
 *
 * @param timeout - The time for the login in seconds, if it is known.
 */
export function showUrl(
  terminal: Terminal,
  timeout?: number,
): (url: URL, options: { readonly signal: AbortSignal }) => Promise<URL | undefined> {
  return async (url, { signal }) => {
    const limit = timeout === undefined ? '' : ` within ${formatDuration(timeout * 1000)}`
    terminal.note(`Open this URL in a browser, and log in${limit}:`)
    terminal.note('')
    terminal.note(url.href)
    terminal.note('')
    return pastedCallback(terminal, url, signal)
  }
}

/** Reads lines until one is the callback URL; `undefined`: the input has ended. */
async function pastedCallback(
  { stdin, note }: Terminal,
  url: URL,
  signal: AbortSignal,
): Promise<URL | undefined> {
  const lines = createInterface({ input: stdin, terminal: false })
  // An open input would keep the process alive.
  const stop = () => lines.close()
  signal.addEventListener('abort', stop, { once: true })
  // Nothing can be pasted into an input that has ended, such as /dev/null.
  const prompt = setTimeout(() => {
    note(
      'If the browser is on another machine, it ends at a page that cannot be loaded. Paste the URL of that page here:',
    )
  }, endOfInputMs)
  let hasInput = false
  try {
    for await (const line of lines) {
      hasInput = true
      const text = line.trim()
      if (isCallback(text, url)) return new URL(text)
      if (text !== '') {
        note('That is not the URL after the login. Copy the complete URL, and paste it here:')
      }
    }
    if (!hasInput && !signal.aborted) {
      note('Use a browser on this machine: standard input is closed, so no URL can be pasted.')
    }
    return undefined
  } finally {
    clearTimeout(prompt)
    signal.removeEventListener('abort', stop)
    lines.close()
    stdin.pause()
  }
}

/** Whether a text is the callback URL of this login; the library checks the rest. */
function isCallback(text: string, { searchParams }: URL): boolean {
  const redirectUri = searchParams.get('redirect_uri') ?? ''
  if (!URL.canParse(text) || !URL.canParse(redirectUri)) return false
  const [given, expected] = [new URL(text), new URL(redirectUri)]
  const isHere = given.origin === expected.origin && given.pathname === expected.pathname
  return isHere && given.searchParams.get('state') === searchParams.get('state')
}
