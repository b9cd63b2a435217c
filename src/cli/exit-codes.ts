/**
 * The exit codes of the command. They are documented, and scripts depend on them.
 *
 * @module
 */
import { isCredentialError } from '../index.ts'

/** The exit codes of every command. */
export const exitCodes = {
  success: 0,
  /** Any other failure; with `doctor`: a problem was found. */
  failure: 1,
  /** The command line, a config file or an option is wrong. */
  usage: 2,
  /** The user must log in. */
  loginRequired: 3,
  /** The server refuses the credential. */
  refused: 4,
  /** A server cannot be reached. */
  unreachable: 5,
  /** The keychain or another store cannot be used. */
  store: 6,
  /** Ctrl-C, as shells expect it. */
  interrupted: 130,
} as const

/** One of {@link exitCodes}. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

const byErrorCode: Readonly<Record<string, ExitCode>> = {
  configuration: exitCodes.usage,
  no_tenant: exitCodes.usage,
  login_required: exitCodes.loginRequired,
  store: exitCodes.store,
  lock_timeout: exitCodes.store,
  network: exitCodes.unreachable,
  timeout: exitCodes.unreachable,
  server_error: exitCodes.unreachable,
  invalid_client: exitCodes.refused,
  invalid_grant: exitCodes.refused,
  invalid_scope: exitCodes.refused,
  access_denied: exitCodes.refused,
}

/** The exit code for an error. */
export function exitCodeOf(error: unknown): ExitCode {
  if (!isCredentialError(error)) return exitCodes.failure
  return byErrorCode[error.code] ?? exitCodes.failure
}

/** The exit codes, for the help of every command. */
export const exitCodesHelp = `
Exit codes:
  0    success
  1    failure for any other reason
  2    the command line, a config file or an option is wrong
  3    the user must log in
  4    the server refuses the credential
  5    a server cannot be reached
  6    the keychain or another store cannot be used
  130  interrupted`
