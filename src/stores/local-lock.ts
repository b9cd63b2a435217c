/**
 * A lock between the processes of one machine, which the kernel releases when its holder dies.
 *
 * @module
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { StoreError, type StoreOperation } from '../errors.ts'
import { recordLabel } from '../labels.ts'
import { openPrivate, privateDirectory, unusable } from './directory.ts'
import { loadNativePackage } from './native-package.ts'

/** Runs tasks exclusively for a key on this machine. */
export interface LocalLock {
  /**
   * @throws {@link StoreError} with the code `lock_timeout` when another task or process holds it for too
   * long; the signal's reason when the caller aborts.
   */
  run<T>(key: string, task: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>
  /**
   * Returns the function through which the current task makes changes. The task's lock is held until the
   * change is made; after the lock has ended, changes are refused. A task without a lock may always make
   * them.
   */
  permit(operation: StoreOperation, key: string): Permit
}

/**
 * Makes a change.
 *
 * @throws {@link StoreError} when the lock of the task has ended; nothing is then changed.
 */
export type Permit = <T>(change: () => Promise<T>) => Promise<T>

/** A lock that a task holds, or has held. */
interface Lease {
  readonly path: string
  readonly handle: FileHandle
  readonly changes: Set<Promise<unknown>>
  ended: boolean
}

/** The location of the lock, and how long to wait for it. */
export interface LocalLockOptions {
  /** The folder of the lock files, which contain only the process ID of their holder. */
  readonly directory: string
  /** Maximum seconds to wait. Default 15. */
  readonly timeout?: number
}

/** The lock to wait for, and for how many seconds. */
interface Wait {
  readonly key: string
  readonly timeout: number
  readonly signal: AbortSignal | undefined
}

/** The two functions of `fs-native-extensions` that are needed here. */
interface NativeLock {
  tryLock(fd: number): boolean
  unlock(fd: number): void
}

const held = new AsyncLocalStorage<readonly Lease[]>()
const shortestPollMs = 5
/** Characters for a process ID. */
const holderLength = 20

/** Makes the lock of a folder. */
export function localLock({ directory, timeout = 15 }: LocalLockOptions): LocalLock {
  const pathOf = (key: string) =>
    join(directory, `${createHash('sha256').update(key).digest('hex')}.lock`)
  return {
    permit(operation, key) {
      const path = pathOf(key)
      const lease = held.getStore()?.find((each) => each.path === path)
      return async (change) => {
        if (lease === undefined) return change()
        if (lease.ended) throw leaseLost(operation, key)
        const changing = (async () => {
          if (!(await isAt(lease.handle, path))) throw removed(operation, key, directory)
          return change()
        })()
        lease.changes.add(changing)
        return changing.finally(() => lease.changes.delete(changing))
      }
    },
    async run(key, task, signal) {
      const path = pathOf(key)
      const outer = held.getStore() ?? []
      if (outer.some((each) => each.path === path && !each.ended)) {
        throw new StoreError(
          'lock',
          `The lock of ${recordLabel(key)} is already held by this task.`,
          {
            remedy: 'Do not lock a key inside a task that holds it.',
          },
        )
      }
      const native = await loadNative()
      const handle = await lockFile(native, directory, path, { key, timeout, signal })
      try {
        const lease: Lease = { path, handle, changes: new Set(), ended: false }
        try {
          await writeHolder(handle)
          // Work that an ended task left running may lock again.
          const inside = [...outer.filter((each) => each.path !== path), lease]
          return await held.run(inside, () => task(new AbortController().signal))
        } finally {
          lease.ended = true
          await Promise.allSettled(lease.changes)
          native.unlock(handle.fd)
        }
      } finally {
        await handle.close()
      }
    },
  }
}

/** Makes the error for a task that continues after its lock has ended. */
function leaseLost(operation: StoreOperation, key: string): StoreError {
  return new StoreError(
    operation,
    `The lock of ${recordLabel(key)} ended before the change was made.`,
    {
      retryable: true,
      remedy: 'Nothing was written. Await all writes in the task inside the lock.',
    },
  )
}

/** Makes the error for a holder whose lock is no longer exclusive. */
function removed(operation: StoreOperation, key: string, directory: string): StoreError {
  return new StoreError(
    operation,
    `The lock of ${recordLabel(key)} was lost: its file was removed.`,
    {
      retryable: true,
      remedy: `Nothing was written. Make sure that no program removes files from ${directory}.`,
    },
  )
}

/**
 * Opens a lock file and locks it. If the file is removed in the meantime, the lock has no effect, so another
 * file is created.
 */
async function lockFile(
  native: NativeLock,
  directory: string,
  path: string,
  wait: Wait,
): Promise<FileHandle> {
  for (;;) {
    const handle = await openLockFile(directory, path)
    try {
      await acquire(native, handle, wait)
      if (await isAt(handle, path)) return handle
    } catch (error) {
      await handle.close()
      throw error
    }
    await handle.close()
  }
}

/** Whether a path still refers to an open file. */
async function isAt(handle: FileHandle, path: string): Promise<boolean> {
  const present = await lstat(path, { bigint: true }).catch(() => undefined)
  const { dev, ino } = await handle.stat({ bigint: true })
  return present?.dev === dev && present.ino === ino
}

/** Lock files are never removed: another process may just have locked the file. */
async function openLockFile(directory: string, path: string): Promise<FileHandle> {
  await privateDirectory(directory)
  try {
    const handle = await openPrivate(path, constants.O_RDWR | constants.O_CREAT)
    if (handle !== undefined) return handle
  } catch (error) {
    throw unusable(directory, error)
  }
  throw new StoreError('open', `The lock file ${path} could not be created.`, { retryable: true })
}

/** Writes the process ID for the error of waiting processes. The lock works without it, also on a full disk. */
async function writeHolder(handle: FileHandle): Promise<void> {
  // Overwrites the ID of the last holder: the file is never truncated.
  const text = `${process.pid}`.padEnd(holderLength)
  await handle.write(text, 0).catch(() => {})
}

async function readHolder(handle: FileHandle): Promise<string> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(holderLength), 0, holderLength, 0)
  const text = buffer.toString('latin1', 0, bytesRead).trim()
  return /^\d+$/.test(text) ? text : 'unknown'
}

/** Polls, because a blocking native call would prevent the process from exiting. */
async function acquire(
  native: NativeLock,
  handle: FileHandle,
  { key, timeout, signal }: Wait,
): Promise<void> {
  const deadline = performance.now() + timeout * 1000
  for (let wait = shortestPollMs; ; wait = Math.min(wait * 1.5, 50)) {
    signal?.throwIfAborted()
    if (native.tryLock(handle.fd)) return
    if (performance.now() >= deadline) {
      const holder = await readHolder(handle).catch(() => 'unknown')
      throw new StoreError(
        'lock',
        `Process ${holder} has held the lock of ${recordLabel(key)} for ${timeout} s.`,
        {
          retryable: true,
          remedy:
            'Try again, or end that process: it may be suspended, or waiting for the user to log in.',
        },
      )
    }
    await pause(
      wait + Math.random() * wait,
      undefined,
      signal === undefined ? {} : { signal },
    ).catch(() => {})
  }
}

let loaded: Promise<NativeLock> | undefined

function loadNative(): Promise<NativeLock> {
  loaded ??= loadNativePackage<NativeLock>(
    'fs-native-extensions',
    () => import('fs-native-extensions'),
  ).catch(() => {
    throw new StoreError(
      'open',
      `There is no lock between processes for this platform (${process.platform}-${process.arch}).`,
      {
        remedy:
          'Install the optional dependency fs-native-extensions, or use redisStore(), postgresStore() or memoryStore().',
      },
    )
  })
  return loaded
}
