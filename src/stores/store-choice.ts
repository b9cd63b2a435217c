/**
 * The saved choice of a user's store, in the data folder.
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

/** The environment variable that overrides the saved choice. */
export const storeVariable = 'MCP_CREDENTIALS_STORE'
const choiceName = 'store-choice.json'

/** Whether a value is the name of a kind of store. */
export function isKind(kind: unknown): kind is StoreKind {
  return kind === 'keychain' || kind === 'file'
}

/** The choice that an earlier process has saved. */
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
    // A file that is not JSON is damaged too.
  } finally {
    await handle.close()
  }
  throw unreadable(path, undefined)
}

function unreadable(path: string, error: unknown): unknown {
  if (isCredentialError(error)) return error
  return new StoreError(
    'open',
    `${path}, which contains the choice of the store, cannot be read.`,
    {
      remedy: `Set ${storeVariable} to \`keychain\` or \`file\`, as before; or delete that file.`,
    },
  )
}

/**
 * Saves the choice, unless there is one.
 *
 * @param isOwn - Whether it is the automatic choice, which yields to that of another process.
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
      const text = `Another process has started to use the ${noted.kind} store.`
      throw new StoreError('set', text, { retryable: true, remedy: 'Try again.' })
    }
  })
}
