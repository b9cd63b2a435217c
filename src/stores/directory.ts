/**
 * The folder that only its owner can read.
 *
 * @module
 */
import { chmod, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import envPaths from 'env-paths'
import { StoreError } from '../errors.ts'

/** The platform's folder for the data of this library. */
export function dataDirectory(): string {
  return envPaths('mcp-credentials', { suffix: '' }).data
}

/**
 * Makes the folder where it is missing, and refuses one into which others could put files.
 *
 * @throws {@link StoreError} with the command that helps.
 */
export async function privateDirectory(directory: string): Promise<void> {
  try {
    const made = await mkdir(directory, { recursive: true, mode: 0o700 })
    // The umask may have taken more than it should, or the folder may have been there before.
    if (made !== undefined) await chmod(directory, 0o700)
    if (process.platform === 'win32') return
    const { mode } = await stat(directory)
    if ((mode & 0o022) === 0) return
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw new StoreError('open', `The folder ${directory} cannot be used (${code}).`, {
      remedy: 'Make it writable for this user, or choose another `directory`.',
    })
  }
  throw new StoreError('open', `Others may write to the folder ${directory}.`, {
    remedy: `Choose a folder of its own as \`directory\`, such as ${join(directory, 'mcp-credentials')}; if nothing else uses this one: chmod 700 ${directory}`,
  })
}
