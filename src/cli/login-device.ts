/**
 * A login with a code on another device.
 *
 * @module
 */
import { renderUnicodeCompact } from 'uqr'
import { ConfigurationError, type CredentialProvider } from '../index.ts'
import { deviceCode } from '../oauth/index.ts'
import type { Invocation } from './command.ts'
import type { ClientOptions, LoginOptions } from './login-options.ts'
import type { Terminal } from './terminal.ts'
import { formatDuration } from './times.ts'

type ShowCode = Parameters<typeof deviceCode>[0]['onUserCode']

/** Creates the provider. */
export function loginProvider(
  { redirectUri: _, ...client }: ClientOptions,
  _options: LoginOptions,
  { terminal }: Invocation,
): CredentialProvider {
  const { clientId } = client
  if (clientId === undefined) throw new ConfigurationError('client-id', 'Add --client-id.')
  return deviceCode({ ...client, clientId, onUserCode: showCode(terminal) })
}

/** Prints the code, on a terminal with a QR code. */
export function showCode({ note, stderr, style }: Terminal): ShowCode {
  return ({ userCode, verificationUri, verificationUriComplete, expiresIn }) => {
    if (stderr.isTTY === true) {
      note(renderUnicodeCompact((verificationUriComplete ?? verificationUri).href))
    }
    note(`Open ${verificationUri.href} on any device, and enter the code ${style.bold(userCode)}.`)
    note(`The code is valid for ${formatDuration(expiresIn * 1000)}.`)
  }
}
