/**
 * The options of the command `login`, and whether this machine can open a browser.
 *
 * @module
 */
import type { Invocation } from './command.ts'

/** The options of the command. */
export interface LoginOptions {
  readonly browser: boolean
  readonly clientId?: string
  readonly clientSecret?: boolean
  readonly port?: string
  readonly redirectUri?: string
  readonly scope?: string
  readonly issuer?: string
  readonly device?: boolean
  readonly dpop?: boolean
  readonly grant?: string
  readonly allowPrivateNetwork?: boolean
}

/** The client options that all login methods share. */
export interface ClientOptions {
  readonly clientId?: string
  readonly clientSecret?: string
  readonly issuer?: string
  readonly scope?: string
  readonly dpop?: boolean
  readonly allowPrivateNetwork?: boolean
  readonly redirectUri?: string
}

/** Whether the user would see a browser that opens on this machine. */
export function hasDisplay({ terminal: { env } }: Pick<Invocation, 'terminal'>): boolean {
  const isSet = (name: string) => (env[name] ?? '') !== ''
  if (isSet('SSH_CONNECTION')) return false
  return process.platform !== 'linux' || isSet('DISPLAY') || isSet('WAYLAND_DISPLAY')
}

/** Whether to open a browser. */
export function opensBrowser(
  options: Pick<LoginOptions, 'browser'>,
  invocation: Invocation,
): boolean {
  return options.browser && hasDisplay(invocation)
}
