/**
 * A login with a browser: one that is opened here, or one elsewhere.
 *
 * @module
 */
import { createInterface } from 'node:readline'
import { type CredentialProvider, isCredentialError } from '../index.ts'
import { authorizationCode } from '../oauth/index.ts'
import type { Invocation } from './command.ts'
import { type ClientOptions, type LoginOptions, mayOpen } from './login-options.ts'
import type { Terminal } from './terminal.ts'

/** Makes the provider. */
export function loginProvider(
  client: ClientOptions,
  options: LoginOptions,
  invocation: Invocation,
): CredentialProvider {
  const { terminal } = invocation
  const common = { ...client, clientName: 'mcp-credentials' }
  const shown = authorizationCode({ ...common, onAuthorizationUrl: showUrl(terminal) })
  if (!mayOpen(options, invocation)) return shown
  const opened = authorizationCode(common)
  return {
    ...opened,
    async acquire(context) {
      terminal.note('Log in with the browser that opens. (Add --no-browser to use another one.)')
      try {
        return await opened.acquire(context)
      } catch (error) {
        const isClosed =
          isCredentialError(error, 'login_required') &&
          /no browser could be opened/.test(error.message)
        if (!isClosed) throw error
        terminal.note('No browser could be opened here.')
        return shown.acquire(context)
      }
    },
  }
}

/** Prints the address, and takes the one that is pasted, unless the browser comes back by itself. */
export function showUrl(
  terminal: Terminal,
): (url: URL, options: { readonly signal: AbortSignal }) => Promise<URL | undefined> {
  return async (url, { signal }) => {
    terminal.note('Open this address in a browser, and log in:')
    terminal.note('')
    terminal.note(url.href)
    terminal.note('')
    terminal.note(
      'If the browser is on another machine, it ends at a page that it cannot show. Paste the address of that page here:',
    )
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
  try {
    for await (const line of lines) {
      const text = line.trim()
      if (isCallback(text, url)) return new URL(text)
      if (text !== '') {
        note('That is not the address after the login. Copy the whole of it, and paste it here:')
      }
    }
    return undefined
  } finally {
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
