/**
 * Private folders and files, which only their owner can read or replace.
 *
 * @module
 */
import { constants, type Stats } from 'node:fs'
import { chmod, type FileHandle, lstat, mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isCredentialError, StoreError } from '../errors.ts'
import { setUpError } from './set-up-error.ts'

// Windows has neither; there, other users have no access to a user's folders by default.
const { O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants

const noFolder = 'is not a folder'

/**
 * Creates the folder where it is missing, and refuses one that other users can access: they could read which
 * servers there are logins for, or replace files with links.
 *
 * @throws {@link StoreError} with the command to run. It is not retryable when the folder must be corrected,
 * but the next call checks the folder again. A full disk and a read-only folder are retryable.
 */
export async function privateDirectory(directory: string): Promise<void> {
  let problem: string | undefined
  try {
    await makeDirectory(directory)
    problem = directoryProblem(await lstat(directory))
  } catch (error) {
    throw unusable(directory, error)
  }
  if (problem === undefined) return
  if (problem === noFolder) throw notAFolder(directory)
  const own = join(directory, 'mcp-credentials')
  throw new StoreError('open', `The folder ${directory} ${problem}.`, {
    ...setUpError,
    remedy: `Choose a separate folder as \`directory\`, such as ${own}; if nothing else uses this one, run \`chmod 700 ${directory}\`.`,
  })
}

/** Creates a folder. With `recursive` alone, Node would report a full or read-only disk as `ENOENT`. */
async function makeDirectory(directory: string): Promise<void> {
  const make = () => mkdir(directory, { mode: 0o700 })
  try {
    await make().catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
      await mkdir(dirname(directory), { recursive: true, mode: 0o700 })
      await make()
    })
    // The umask may have removed required permissions.
    await chmod(directory, 0o700)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/**
 * Opens a file in a private folder. It does not follow links, and does not truncate the file.
 *
 * @param flags - Of `open(2)`, such as `O_RDWR | O_CREAT`.
 * @returns `undefined` when there is no file.
 * @throws {@link StoreError} when it is not a file of this user; otherwise the error of `open` itself.
 */
export async function openPrivate(path: string, flags: number): Promise<FileHandle | undefined> {
  let handle: FileHandle
  try {
    // Opening a named pipe must not block.
    handle = await open(path, flags | O_NOFOLLOW | O_NONBLOCK, 0o600)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && (flags & constants.O_CREAT) === 0) return undefined
    if (code === 'ELOOP' || code === 'EMLINK') throw foreign(path, 'is a symbolic link')
    throw error
  }
  try {
    const problem = fileProblem(await handle.stat())
    if (problem !== undefined) throw foreign(path, problem)
    return handle
  } catch (error) {
    await handle.close().catch(() => {})
    throw error
  }
}

/** Makes the error for a folder that cannot be used; `error` is that of a function of `node:fs`. */
export function unusable(directory: string, error: unknown): unknown {
  if (isCredentialError(error)) return error
  const { code = 'unknown' } = error as NodeJS.ErrnoException
  if (code === 'ENOTDIR') return notAFolder(directory)
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  return new StoreError('open', `The folder ${directory} cannot be used (${code}).`, {
    retryable: true,
    remedy: isFull
      ? 'Free some space; stored records are untouched.'
      : 'Make it writable for this user, or choose another `directory`.',
  })
}

function notAFolder(directory: string): StoreError {
  return new StoreError('open', `${directory}, or a part of that path, is a file.`, {
    ...setUpError,
    remedy: 'Choose another `directory`.',
  })
}

function directoryProblem(stats: Stats): string | undefined {
  if (stats.isSymbolicLink()) return 'is a symbolic link, which is not followed'
  if (!stats.isDirectory()) return noFolder
  if (!isOwn(stats)) return 'belongs to another user'
  if (process.platform === 'win32' || (stats.mode & 0o077) === 0) return undefined
  return (stats.mode & 0o022) === 0 ? 'can be read by others' : 'can be written by others'
}

function fileProblem(stats: Stats): string | undefined {
  if (!stats.isFile()) return 'is not a regular file'
  if (!isOwn(stats)) return 'belongs to another user'
  // A hard link is the same file under another name, whose content another program may use.
  return stats.nlink > 1 ? 'has a second name (a hard link)' : undefined
}

function isOwn({ uid }: Stats): boolean {
  return process.getuid === undefined || process.getuid() === uid
}

function foreign(path: string, problem: string): StoreError {
  return new StoreError('open', `${path} ${problem}, so it is not used.`, {
    ...setUpError,
    remedy: 'Find out who created it, and remove it.',
  })
}
