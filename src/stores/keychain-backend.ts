/**
 * The keychain of the operating system, behind calls that always end.
 *
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { cleanText, StoreError, type StoreOperation } from '../errors.ts'

/** An entry of the keychain. */
export interface KeychainEntry {
  /** The name under which it stands. */
  readonly account: string
  /** What it holds. */
  readonly password: string
}

/** The part of `keytar` that is used; any object of this shape will do. */
export interface KeychainBackend {
  /** Reads a password; `null` when there is none. */
  getPassword(service: string, account: string): Promise<string | null>
  /** Writes a password, or replaces it whole. */
  setPassword(service: string, account: string, password: string): Promise<void>
  /** Deletes a password; `false` when there was none. */
  deletePassword(service: string, account: string): Promise<boolean>
  /** All accounts of a service. */
  findCredentials(service: string): Promise<readonly KeychainEntry[]>
}

/** What the host process is asked. */
export interface HostRequest {
  readonly id: number
  readonly method: keyof KeychainBackend
  readonly args: readonly string[]
}

/** What it answers. */
export interface HostReply {
  readonly id: number
  readonly value?: unknown
  readonly failure?: string
  /** The native module could not be loaded. */
  readonly isMissing?: boolean
}

const operations: Readonly<Record<keyof KeychainBackend, StoreOperation>> = {
  getPassword: 'get',
  setPassword: 'set',
  deletePassword: 'delete',
  findCredentials: 'list',
}

interface Host {
  readonly child: ChildProcess
  readonly waiting: Map<number, Waiting>
}

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  readonly operation: StoreOperation
}

/**
 * The keychain through a process of its own. A call that takes too long ends with an error, and the
 * process with it; the next call starts another.
 */
export function hostedBackend(seconds: number): KeychainBackend {
  let host: Host | undefined
  let count = 0

  const start = (): Host => {
    const child = fork(new URL('./keychain-host.js', import.meta.url), {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: [],
    })
    const waiting = new Map<number, Waiting>()
    child.on('message', (reply: HostReply) => {
      const call = waiting.get(reply.id)
      waiting.delete(reply.id)
      if (waiting.size === 0) rest(child)
      if (reply.failure === undefined) call?.resolve(reply.value)
      else call?.reject(keychainError(call.operation, reply))
    })
    const own = { child, waiting }
    const end = () => {
      if (host === own) host = undefined
      for (const { reject, operation } of waiting.values()) {
        reject(crashed(operation))
      }
      waiting.clear()
    }
    child.on('exit', end)
    child.on('error', end)
    return own
  }
  const call = (method: keyof KeychainBackend, args: readonly string[]): Promise<unknown> => {
    host ??= start()
    const own = host
    const { child, waiting } = own
    count += 1
    const id = count
    const operation = operations[method]
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        if (host === own) host = undefined
        waiting.delete(id)
        // A native call cannot be ended in any other way.
        child.kill('SIGKILL')
        reject(tooLong(operation, seconds))
      }, seconds * 1000)
      const settle =
        <T>(how: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer)
          how(value)
        }
      waiting.set(id, { resolve: settle(resolve), reject: settle(reject), operation })
      child.ref()
      child.channel?.ref()
      // Should it fail, the host has ended, and its end answers for it.
      child.send({ id, method, args }, () => {})
    })
  }
  return {
    getPassword: async (...args) => (await call('getPassword', args)) as string | null,
    setPassword: async (...args) => void (await call('setPassword', args)),
    deletePassword: async (...args) => (await call('deletePassword', args)) === true,
    findCredentials: async (...args) => {
      const found = await call('findCredentials', args)
      return Array.isArray(found) ? found : []
    },
  }
}

/** A backend of the caller's, with the same time limit and errors of ours. */
export function limitedBackend(backend: KeychainBackend, seconds: number): KeychainBackend {
  const limited = async <T>(operation: StoreOperation, call: () => Promise<T>): Promise<T> => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(tooLong(operation, seconds)), seconds * 1000)
    })
    try {
      return await Promise.race([call(), late])
    } catch (error) {
      if (error instanceof StoreError) throw error
      const failure = error instanceof Error ? error.message : 'unknown'
      throw keychainError(operation, { id: 0, failure })
    } finally {
      clearTimeout(timer)
    }
  }
  return {
    getPassword: (...args) => limited('get', async () => backend.getPassword(...args)),
    setPassword: (...args) => limited('set', async () => backend.setPassword(...args)),
    deletePassword: (...args) => limited('delete', async () => backend.deletePassword(...args)),
    findCredentials: (...args) => limited('list', async () => backend.findCredentials(...args)),
  }
}

/** An idle host keeps no process alive. */
function rest(child: ChildProcess): void {
  child.unref()
  child.channel?.unref()
}

function tooLong(operation: StoreOperation, seconds: number): StoreError {
  return new StoreError(operation, `The keychain did not answer within ${seconds} s.`, {
    retryable: true,
    remedy:
      'It may be locked and waiting for somebody to unlock it, or its service may have stopped. Where nobody sits at the screen, use encryptedFileStore().',
  })
}

/** The native code ends its process when it finds an entry that it may not read. */
function crashed(operation: StoreOperation): StoreError {
  return new StoreError(operation, 'The keychain is locked, or its module has crashed.', {
    retryable: true,
    remedy: 'Unlock the keychain and try again.',
  })
}

const causes: readonly (readonly [RegExp, string, string])[] = [
  [
    /locked|dismissed|denied|cancel|-128|-25293|-25308/i,
    'The keychain is locked, or somebody refused to unlock it.',
    'Unlock it and try again.',
  ],
  [
    /autolaunch|DBUS|D-Bus|dbus|ServiceUnknown|not provided by any|No such file|Connection refused/,
    'There is no keychain service on this machine: D-Bus or the Secret Service does not answer.',
    'Start the session with a keyring (gnome-keyring or KWallet), or use encryptedFileStore().',
  ],
  [
    /Object does not exist|no such (?:object|collection)/i,
    'The keychain has no default collection yet.',
    'Unlock or create the login keyring once, for example by logging in to the desktop.',
  ],
]

function keychainError(
  operation: StoreOperation,
  { failure = '', isMissing }: HostReply,
): StoreError {
  if (isMissing === true) {
    const isLinux = process.platform === 'linux'
    return new StoreError('open', 'The keychain module could not be loaded.', {
      remedy: isLinux
        ? 'Install the library it needs: apt-get install libsecret-1-0 (Debian, Ubuntu) or dnf install libsecret (Fedora); and the optional dependency keytar, if npm left it out. Or use encryptedFileStore().'
        : 'Install the optional dependency keytar, or pass `backend`.',
    })
  }
  const known = causes.find(([pattern]) => pattern.test(failure))
  if (known !== undefined) {
    const [, message, remedy] = known
    return new StoreError(operation, message, { remedy, retryable: true })
  }
  return new StoreError(operation, `The keychain failed: ${cleanText(failure)}.`, {
    retryable: true,
    remedy: 'What was stored before is untouched.',
  })
}
