/**
 * Which store was chosen for this user, written down in the folder of the data.
 *
 * @module
 */
import { constants } from 'node:fs'
import { join } from 'node:path'
import { isCredentialError, StoreError } from '../errors.ts'
import { openPrivate, privateDirectory } from './directory.ts'
import { localLock } from './local-lock.ts'
import { replaceFile } from './record-files.ts'

/**
 * Where the records of {@link defaultStore} are.
 *
 * @group The default store
 */
export type StoreKind = 'keychain' | 'file'

/** The environment variable that chooses the kind, whatever is written down. */
export const storeVariable = 'MCP_CREDENTIALS_STORE'
const choiceName = 'store-choice.json'

/** Whether a value is the name of a kind of store. */
export function isKind(kind: unknown): kind is StoreKind {
  return kind === 'keychain' || kind === 'file'
}

/** The choice that an earlier process has written down. */
export async function notedChoice(
  directory: string,
): Promise<{ readonly kind: StoreKind; readonly reason: string } | undefined> {
  const path = join(directory, choiceName)
  const handle = await openPrivate(path, constants.O_RDONLY).catch((error: unknown) => {
    throw unreadable(path, error)
  })
  if (handle === undefined) return undefined
  try {
    const { kind } = JSON.parse(await handle.readFile('utf8')) as { readonly kind?: unknown }
    if (isKind(kind)) {
      return { kind, reason: `it was chosen when the first credential was stored (${path})` }
    }
  } catch {
    // It is damaged as well when it is no JSON.
  } finally {
    await handle.close()
  }
  throw unreadable(path, undefined)
}

function unreadable(path: string, error: unknown): unknown {
  if (isCredentialError(error)) return error
  return new StoreError('open', `${path}, which says where credentials are kept, cannot be read.`, {
    remedy: `Set ${storeVariable} to \`keychain\` or \`file\`, as it was; or delete that file.`,
  })
}

/**
 * Writes the choice down, unless it is.
 *
 * @param isOwn - It was not asked for, so it gives way to that of a process which was faster.
 */
export async function noteChoice(
  directory: string,
  kind: StoreKind,
  isOwn: boolean,
): Promise<void> {
  await privateDirectory(directory)
  const locks = localLock({ directory: join(directory, 'locks') })
  await locks.run('the choice of the default store', async () => {
    const noted = isOwn
      ? await notedChoice(directory)
      : await notedChoice(directory).catch(() => ({ kind }))
    if (noted === undefined) {
      await replaceFile(join(directory, choiceName), `${JSON.stringify({ version: 1, kind })}\n`)
    } else if (isOwn && noted.kind !== kind) {
      const text = `Another process has begun to keep credentials in the ${noted.kind} store meanwhile.`
      throw new StoreError('set', text, { retryable: true, remedy: 'Try again.' })
    }
  })
}
