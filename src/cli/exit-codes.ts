/**
 * What the command says to the shell. The numbers are documented, and scripts branch on them.
 *
 * @module
 */
import { isCredentialError } from '../index.ts'

/** The exit codes of every command. */
export const exitCodes = {
  success: 0,
  /** Anything that has no code of its own; of `doctor`: it found a problem. */
  failure: 1,
  /** The command line, a config file or an option is wrong. */
  usage: 2,
  /** A person has to log in. */
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
  0    it worked
  1    it failed for another reason than those below
  2    the command line, a config file or an option is wrong
  3    a person has to log in
  4    the server refuses the credential
  5    a server cannot be reached
  6    the keychain or another store cannot be used
  130  it was interrupted`
