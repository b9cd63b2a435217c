/**
 * Which logins have been finished, so that none is finished twice.
 *
 * @module
 */
import type { AcquireContext, CredentialRecord, CredentialStore } from '../credential.ts'
import { CredentialError } from '../errors.ts'
import { name } from './options.ts'

type Records = AcquireContext['records']

const prefix = 'finished logins | '
/** A login that begins must not wait for the removal of thousands of records. */
const maxRemovals = 50

/** A login, as the records name it. */
export interface LoginMark {
  /** The key of the record that the login will be stored as. */
  readonly recordKey: string
  /** The value of its parameter `state`, which is unique. */
  readonly id: string
  /** When it can no longer be finished anyway, in milliseconds since the epoch. */
  readonly expiresAt: number
}

/**
 * Checks that a login has not been finished. With the lock of its record held, nobody finishes it meanwhile.
 *
 * @throws {@link CredentialError} with the code `login_used` when it has.
 */
export async function checkUnused(records: Records, { recordKey, id }: LoginMark): Promise<void> {
  if (!Object.hasOwn((await records.get(marksKey(recordKey)))?.data ?? {}, id)) return
  throw new CredentialError('login_used', `${name}: the code of this login was redeemed before.`, {
    provider: name,
    remedy: 'Go on with the login that it has stored; if it failed, call beginLogin() again.',
  })
}

/** Marks a login as finished, and drops the marks of those that have expired. */
export function markUsed(records: Records, mark: LoginMark, now: number): Promise<void> {
  return replaceMarks(records, mark, now, [[mark.id, mark.expiresAt]])
}

/** Takes the mark back from a login whose code was not sent after all. */
export function unmark(records: Records, mark: LoginMark, now: number): Promise<void> {
  return replaceMarks(records, mark, now, [])
}

async function replaceMarks(
  records: Records,
  { recordKey, id }: LoginMark,
  now: number,
  own: readonly (readonly [string, number])[],
): Promise<void> {
  const before = Object.entries((await records.get(marksKey(recordKey)))?.data ?? {})
  const isCurrent = ([other, end]: readonly [string, unknown]) =>
    other !== id && typeof end === 'number' && end > now
  const data = Object.fromEntries([...before.filter(isCurrent), ...own])
  const record: CredentialRecord = { version: 1, provider: name, data }
  await records.set(marksKey(recordKey), record)
}

/**
 * Removes records whose marks have all expired, for all users of a store.
 *
 * @param now - The current time, in milliseconds since the epoch.
 * @throws What the store throws. The rest is removed the next time.
 */
export async function removeExpiredMarks(store: CredentialStore, now: number): Promise<void> {
  const all = await store.list()
  const keys = all.filter((key) => key.startsWith(prefix)).slice(0, maxRemovals)
  for (const key of keys) {
    const remove = async () => {
      if (isOver(await store.get(key), now)) await store.delete(key)
    }
    // Marks are written with this lock held, so that none is written in between.
    if (isOver(await store.get(key), now)) await store.lock(key.slice(prefix.length), remove)
  }
}

function isOver(record: CredentialRecord | undefined, now: number): boolean {
  if (record?.provider !== name) return false
  return Object.values(record.data).every((end) => typeof end !== 'number' || end <= now)
}

function marksKey(recordKey: string): string {
  return `${prefix}${recordKey}`
}
