/**
 * The keychain of the operating system, behind calls that always end.
 *
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { StoreError, type StoreOperation } from '../errors.ts'
import { crashed, type KeychainFailure, keychainError, tooLong } from './keychain-errors.ts'

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
export interface HostReply extends KeychainFailure {
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

/** A process that runs keychain calls, and the calls that wait for its replies. */
class KeychainHost {
  readonly #child: ChildProcess
  readonly #pending = new Map<number, PendingCall>()
  #count = 0

  /** @param onEnd - Called when the process has ended. */
  constructor(onEnd: (host: KeychainHost) => void) {
    this.#child = fork(new URL('./keychain-host.js', import.meta.url), {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: [],
    })
    this.#child.on('message', (reply: HostReply) => this.#settle(reply))
    const end = () => {
      onEnd(this)
      for (const { reject, operation } of this.#pending.values()) reject(crashed(operation))
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
        // A native call cannot be cancelled in any other way.
        this.#child.kill('SIGKILL')
        reject(tooLong(operation, seconds))
      }, seconds * 1000)
      this.#pending.set(id, { resolve, reject, operation })
    })
    this.#child.ref()
    this.#child.channel?.ref()
    // Where sending fails, the process has ended, and its end rejects the call.
    this.#child.send({ id, method, args }, () => {})
    return reply.finally(() => clearTimeout(timer))
  }

  #settle(reply: HostReply): void {
    const call = this.#pending.get(reply.id)
    this.#pending.delete(reply.id)
    if (this.#pending.size === 0) this.#unref()
    if (reply.failure === undefined) call?.resolve(reply.value)
    else call?.reject(keychainError(call.operation, reply))
  }

  /** An idle host keeps no process alive. */
  #unref(): void {
    this.#child.unref()
    this.#child.channel?.unref()
  }
}

/**
 * The keychain through a process of its own. A call that takes too long ends with an error, and the
 * process with it; the next call starts another.
 */
export function hostedBackend(seconds: number): KeychainBackend {
  let host: KeychainHost | undefined
  const discard = (ended: KeychainHost) => {
    if (host === ended) host = undefined
  }
  const call = (method: keyof KeychainBackend, args: readonly string[]): Promise<unknown> => {
    host ??= new KeychainHost(discard)
    const current = host
    return current.call(method, args, seconds, () => discard(current))
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

/** A backend of the caller's, with the same time limit and the same errors. */
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
