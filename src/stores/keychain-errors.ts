/**
 * Maps the errors of the keychain's native code.
 *
 * @module
 */
import { StoreError, type StoreOperation } from '../errors.ts'

/** Why a call failed. */
export interface KeychainFailure {
  /** The message of the native code. */
  readonly failure?: string
  /** Whether the native module could not be loaded. */
  readonly isMissing?: boolean
}

/** Makes the error for a call that takes too long. */
export function tooLong(operation: StoreOperation, seconds: number): StoreError {
  return new StoreError(operation, `The keychain did not respond within ${seconds} s.`, {
    retryable: true,
    remedy:
      'It may be locked and waiting for the user to unlock it, or its service may have stopped. On a machine without a user, use encryptedFileStore().',
  })
}

/** Makes the error for a keychain process that neither starts nor fails. */
export function notStarted(seconds: number): StoreError {
  return new StoreError('open', `The keychain process did not start within ${seconds} s.`, {
    retryable: true,
    remedy: `It is started with ${process.execPath}. If that is not Node, pass \`backend\`, which runs in this process.`,
  })
}

/** Makes the error for a process that has ended: the native code crashes at an entry that it may not read. */
export function crashed(operation: StoreOperation): StoreError {
  return new StoreError(operation, 'The keychain is locked, or its module has crashed.', {
    retryable: true,
    remedy: 'Unlock the keychain and try again.',
  })
}

const besideBundle =
  'A bundle or a single executable needs a folder node_modules with keytar beside it.'

const causes: readonly (readonly [RegExp, string, string, reason?: 'no_keychain'])[] = [
  [
    /locked|dismissed|denied|cancel|-128|-25293|-25308/i,
    'The keychain is locked, or the user refused to unlock it.',
    'Unlock it and try again.',
  ],
  [
    /autolaunch|DBUS|D-Bus|dbus|ServiceUnknown|not provided by any|No such file|Connection refused/,
    'There is no keychain service on this machine: D-Bus or the Secret Service does not respond.',
    'Start the session with a keyring (gnome-keyring or KWallet), or use encryptedFileStore().',
    'no_keychain',
  ],
  [
    /Object does not exist|no such (?:object|collection)/i,
    'The keychain has no default collection yet.',
    'Unlock or create the login keyring once, for example by logging in to the desktop.',
  ],
]

/** Codes of macOS, of Windows and of D-Bus. Other parts of a message may quote stored values. */
const codes =
  /(?<![\w.-])(?:-\d{3,6}|0x[\dA-Fa-f]{8})(?![\w-])|org\.freedesktop\.[A-Za-z.]{1,60}[A-Za-z]/

/** Maps the message of the native code. */
export function keychainError(
  operation: StoreOperation,
  { failure = '', isMissing }: KeychainFailure,
): StoreError {
  if (isMissing === true) {
    const isLinux = process.platform === 'linux'
    return new StoreError('open', 'The keychain module could not be loaded.', {
      reason: 'no_keychain',
      remedy: isLinux
        ? `Install the library it needs: apt-get install libsecret-1-0 (Debian, Ubuntu) or dnf install libsecret (Fedora); and the optional dependency keytar, if npm did not install it. ${besideBundle} Or use encryptedFileStore().`
        : `Install the optional dependency keytar, or pass \`backend\`. ${besideBundle}`,
    })
  }
  const cause = causes.find(([pattern]) => pattern.test(failure))
  if (cause !== undefined) {
    const [, message, remedy, reason] = cause
    return new StoreError(operation, message, { remedy, retryable: true, reason })
  }
  const code = codes.exec(failure)?.[0]
  const shown = code === undefined ? '' : ` (${code})`
  return new StoreError(operation, `The keychain failed${shown}.`, {
    retryable: true,
    remedy: 'Stored records are untouched.',
  })
}
