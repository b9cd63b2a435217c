/**
 * The options of the command `login`, and what this machine can do about them.
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

/** What both ways to log in are told about the client. */
export interface ClientOptions {
  readonly clientId?: string
  readonly clientSecret?: string
  readonly issuer?: string
  readonly scope?: string
  readonly dpop?: boolean
  readonly allowPrivateNetwork?: boolean
  readonly redirectUri?: string
}

/** Whether a browser on this machine would be seen by whoever typed the command. */
export function hasDisplay({ terminal: { env } }: Pick<Invocation, 'terminal'>): boolean {
  const isSet = (name: string) => (env[name] ?? '') !== ''
  if (isSet('SSH_CONNECTION')) return false
  return process.platform !== 'linux' || isSet('DISPLAY') || isSet('WAYLAND_DISPLAY')
}

/** Whether a browser is opened. */
export function mayOpen(options: Pick<LoginOptions, 'browser'>, invocation: Invocation): boolean {
  return options.browser && hasDisplay(invocation)
}
