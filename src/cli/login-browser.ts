/**
 * A login with a browser: one that is opened here, or one elsewhere.
 *
 * @module
 */
import { createInterface } from 'node:readline'
import type { CredentialProvider } from '../index.ts'
import { type AuthorizationCodeOptions, authorizationCode } from '../oauth/index.ts'
import type { Invocation } from './command.ts'
import { type ClientOptions, type LoginOptions, mayOpen } from './login-options.ts'
import type { Terminal } from './terminal.ts'
import { spanWords } from './times.ts'

type ShowUrl = NonNullable<AuthorizationCodeOptions['onAuthorizationUrl']>

/** Seconds that a person has, unless a config file says otherwise. */
const loginTimeout = 240

/** Milliseconds in which an input that has nothing to say is known to have ended. */
const endOfInputMs = 250

/** Makes the provider. */
export function loginProvider(
  client: ClientOptions,
  options: LoginOptions,
  invocation: Invocation,
): CredentialProvider {
  const { terminal } = invocation
  const common = { ...client, clientName: 'mcp-credentials', loginTimeout }
  const show = mayOpen(options, invocation)
    ? openAndShow(terminal)
    : showUrl(terminal, loginTimeout)
  return authorizationCode({ ...common, onAuthorizationUrl: show })
}

/** Opens a browser, and prints the address as well: a program that opens one may succeed and show nothing. */
function openAndShow(terminal: Terminal): ShowUrl {
  return async (url, { signal, openBrowser }) => {
    terminal.note('Log in with the browser that opens. (Add --no-browser to use another one.)')
    terminal.note('If none opens, open this address in a browser on this machine:')
    terminal.note('')
    terminal.note(url.href)
    terminal.note('')
    if (await openBrowser()) return undefined
    terminal.note('No browser could be opened here.')
    return pastedCallback(terminal, url, signal)
  }
}

/**
 * Prints the address, and takes the one that is pasted, unless the browser comes back by itself.
 *
 * @param timeout - Seconds that the person has, where they are known.
 */
export function showUrl(
  terminal: Terminal,
  timeout?: number,
): (url: URL, options: { readonly signal: AbortSignal }) => Promise<URL | undefined> {
  return async (url, { signal }) => {
    const limit = timeout === undefined ? '' : ` within ${spanWords(timeout * 1000)}`
    terminal.note(`Open this address in a browser, and log in${limit}:`)
    terminal.note('')
    terminal.note(url.href)
    terminal.note('')
    return pastedCallback(terminal, url, signal)
  }
}

/** Reads lines until one is the address that the browser was sent back to; `undefined`: there are no more. */
async function pastedCallback(
  { stdin, note }: Terminal,
  url: URL,
  signal: AbortSignal,
): Promise<URL | undefined> {
  const lines = createInterface({ input: stdin, terminal: false })
  // The process ends although nobody has pasted anything.
  const stop = () => lines.close()
  signal.addEventListener('abort', stop, { once: true })
  // Nothing can be pasted into an input that has ended, such as /dev/null.
  const prompt = setTimeout(() => {
    note(
      'If the browser is on another machine, it ends at a page that it cannot show. Paste the address of that page here:',
    )
  }, endOfInputMs)
  let hasInput = false
  try {
    for await (const line of lines) {
      hasInput = true
      const text = line.trim()
      if (isCallback(text, url)) return new URL(text)
      if (text !== '') {
        note('That is not the address after the login. Copy the whole of it, and paste it here:')
      }
    }
    if (!hasInput && !signal.aborted) {
      note('Use a browser on this machine: there is no input here to paste an address into.')
    }
    return undefined
  } finally {
    clearTimeout(prompt)
    signal.removeEventListener('abort', stop)
    lines.close()
    stdin.pause()
  }
}

/** Whether a text is an answer to this login; the library checks the rest. */
function isCallback(text: string, { searchParams }: URL): boolean {
  const redirectUri = searchParams.get('redirect_uri') ?? ''
  if (!URL.canParse(text) || !URL.canParse(redirectUri)) return false
  const [given, expected] = [new URL(text), new URL(redirectUri)]
  const isHere = given.origin === expected.origin && given.pathname === expected.pathname
  return isHere && given.searchParams.get('state') === searchParams.get('state')
}
