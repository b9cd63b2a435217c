/**
 * The keychain of the operating system, with a time limit for all calls.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import { StoreError, type StoreOperation } from '../errors.ts'
import {
  crashed,
  type KeychainFailure,
  keychainError,
  notStarted,
  tooLong,
} from './keychain-errors.ts'
import { canStartHost, startHost } from './keychain-host.ts'
import { loadNativePackage } from './native-package.ts'

/** An entry of the keychain. */
export interface KeychainEntry {
  /** The name of the entry. */
  readonly account: string
  /** The content of the entry. */
  readonly password: string
}

/** The part of `keytar` that is used; any object of this shape is accepted. */
export interface KeychainBackend {
  /** Reads a password; `null` when there is none. */
  getPassword(service: string, account: string): Promise<string | null>
  /** Writes or replaces a password. */
  setPassword(service: string, account: string, password: string): Promise<void>
  /** Deletes a password; `false` when there was none. */
  deletePassword(service: string, account: string): Promise<boolean>
  /** All accounts of a service. */
  findCredentials(service: string): Promise<readonly KeychainEntry[]>
}

/** The response of the host process. */
interface HostReply extends KeychainFailure {
  readonly id: number
  readonly value?: unknown
}

const operations: Readonly<Record<keyof KeychainBackend, StoreOperation>> = {
  getPassword: 'get',
  setPassword: 'set',
  deletePassword: 'delete',
  findCredentials: 'list',
}

interface PendingCall {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  readonly operation: StoreOperation
}

/** Thrown when no host process could be started, so that no request was sent. */
class HostUnavailable extends Error {}

/** A process that runs keychain calls, and the pending calls. */
class KeychainHost {
  readonly #child: ChildProcess
  readonly #pending = new Map<number, PendingCall>()
  #isReady = false
  #count = 0

  /**
   * @param onEnd - Called when the process has ended.
   * @throws `HostUnavailable` when it cannot be started.
   */
  constructor(onEnd: (host: KeychainHost) => void) {
    try {
      this.#child = startHost()
    } catch {
      throw new HostUnavailable()
    }
    this.#child.on('message', (message: HostReply | { readonly isReady: true }) => {
      if ('isReady' in message) this.#isReady = true
      else this.#settle(message)
    })
    const end = () => {
      onEnd(this)
      for (const { reject, operation } of this.#pending.values()) {
        reject(this.#isReady ? crashed(operation) : new HostUnavailable())
      }
      this.#pending.clear()
    }
    this.#child.on('exit', end)
    this.#child.on('error', end)
  }

  /** @param onTimeout - Called before a call that takes too long is rejected. */
  call(
    method: keyof KeychainBackend,
    args: readonly string[],
    seconds: number,
    onTimeout: () => void,
  ): Promise<unknown> {
    this.#count += 1
    const id = this.#count
    const operation = operations[method]
    let timer: ReturnType<typeof setTimeout> | undefined
    const reply = new Promise((resolve, reject) => {
      timer = setTimeout(() => {
        onTimeout()
        this.#pending.delete(id)
        // Ending the process is the only way to cancel a native call.
        this.#child.kill('SIGKILL')
        reject(this.#isReady ? tooLong(operation, seconds) : notStarted(seconds))
      }, seconds * 1000)
      this.#pending.set(id, { resolve, reject, operation })
    })
    this.#child.ref()
    this.#child.channel?.ref()
    // When sending fails, the process has ended, which rejects the call.
    this.#child.send?.({ id, method, args }, () => {})
    return reply.finally(() => clearTimeout(timer))
  }

  #settle(reply: HostReply): void {
    const call = this.#pending.get(reply.id)
    this.#pending.delete(reply.id)
    if (this.#pending.size === 0) this.#unref()
    if (reply.failure === undefined) call?.resolve(reply.value)
    else call?.reject(keychainError(call.operation, reply))
  }

  /** An idle host does not keep this process running. */
  #unref(): void {
    this.#child.unref()
    this.#child.channel?.unref()
  }
}

/**
 * The keychain of the operating system: in a separate process where one can be started, otherwise in this
 * process. In a separate process, a call that takes too long rejects and ends the process; the next call
 * starts another.
 */
export function systemBackend(seconds: number): KeychainBackend {
  let host: KeychainHost | undefined
  let own = canStartHost() ? undefined : inProcessBackend(seconds)
  const discard = (ended: KeychainHost) => {
    if (host === ended) host = undefined
  }
  const call = async (method: keyof KeychainBackend, ...args: readonly string[]) => {
    if (own === undefined) {
      try {
        host ??= new KeychainHost(discard)
        const current = host
        return await current.call(method, args, seconds, () => discard(current))
      } catch (error) {
        if (!(error instanceof HostUnavailable)) throw error
        own ??= inProcessBackend(seconds)
      }
    }
    const run = own[method] as (...values: readonly string[]) => Promise<unknown>
    return run(...args)
  }
  return {
    getPassword: async (...args) => (await call('getPassword', ...args)) as string | null,
    setPassword: async (...args) => void (await call('setPassword', ...args)),
    deletePassword: async (...args) => (await call('deletePassword', ...args)) === true,
    findCredentials: async (...args) => {
      const found = await call('findCredentials', ...args)
      return Array.isArray(found) ? found : []
    },
  }
}

/** The keychain in this process. A call that hangs rejects, but keeps the process running. */
function inProcessBackend(seconds: number): KeychainBackend {
  let loading: Promise<KeychainBackend> | undefined
  const keytar = () => {
    loading ??= loadKeytar()
    return loading
  }
  const backend: KeychainBackend = {
    getPassword: async (...args) => (await keytar()).getPassword(...args),
    setPassword: async (...args) => (await keytar()).setPassword(...args),
    deletePassword: async (...args) => (await keytar()).deletePassword(...args),
    async findCredentials(service) {
      const { setPassword, deletePassword, findCredentials } = await keytar()
      if (process.platform === 'linux') {
        // The native code crashes when it lists entries of a locked keychain; writing fails with an error.
        await setPassword(service, probe, 'unlocked')
        await deletePassword(service, probe)
      }
      const entries = await findCredentials(service)
      return entries.filter(({ account }) => account !== probe)
    },
  }
  return limitedBackend(backend, seconds)
}

const probe = 'mcp-credentials: is the keychain unlocked?'

async function loadKeytar(): Promise<KeychainBackend> {
  try {
    return await loadNativePackage<KeychainBackend>('keytar', () => import('keytar'))
  } catch (error) {
    throw keychainError('open', { failure: String(error), isMissing: true })
  }
}

/** Wraps the caller's backend with the same time limit and errors. */
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
      throw keychainError(operation, { failure })
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
