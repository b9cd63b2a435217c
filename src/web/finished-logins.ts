/**
 * Records finished logins, so that none is finished twice.
 *
 * @module
 */
import type { AcquireContext, CredentialRecord, CredentialStore } from '../credential.ts'
import { CredentialError } from '../errors.ts'
import { name } from './options.ts'

type Records = AcquireContext['records']

const prefix = 'finished logins | '
/** The most records to remove at once, because the start of a login waits for it. */
const maxRemovals = 50
/**
 * How long a mark is kept after its login has expired, in milliseconds: the clocks of other processes may
 * differ.
 */
const clockToleranceMs = 300_000

/** A login in the records. */
export interface LoginMark {
  /** The key of the record under which the login will be stored. */
  readonly recordKey: string
  /** The value of its parameter `state`, which is unique. */
  readonly id: string
  /** When the login expires, in milliseconds since the epoch. */
  readonly expiresAt: number
}

/**
 * Checks that a login has not been finished. The caller holds the lock of its record.
 *
 * @throws {@link CredentialError} with the code `login_used` when it has.
 */
export async function checkUnused(records: Records, { recordKey, id }: LoginMark): Promise<void> {
  if (!Object.hasOwn((await records.get(marksKey(recordKey)))?.data ?? {}, id)) return
  throw new CredentialError(
    'login_used',
    `${name}: the code of this login has already been redeemed.`,
    {
      provider: name,
      remedy: 'Call beginLogin() again, unless the login succeeded; then its tokens are stored.',
    },
  )
}

/** Marks a login as finished, and removes expired marks. */
export function markUsed(records: Records, mark: LoginMark, now: number): Promise<void> {
  return replaceMarks(records, mark, now, [[mark.id, mark.expiresAt]])
}

/** Removes the mark of a login whose code was not sent. */
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
    other !== id && !isExpired(end, now)
  const data = Object.fromEntries([...before.filter(isCurrent), ...own])
  const record: CredentialRecord = { version: 1, provider: name, data }
  await records.set(marksKey(recordKey), record)
}

/**
 * Removes records whose marks have all expired, for all users of a store.
 *
 * @param now - The current time, in milliseconds since the epoch.
 * @throws The error of the store. The remaining records are removed the next time.
 */
export async function removeExpiredMarks(store: CredentialStore, now: number): Promise<void> {
  const all = await store.list()
  const keys = all.filter((key) => key.startsWith(prefix)).slice(0, maxRemovals)
  for (const key of keys) {
    const remove = async () => {
      if (areAllExpired(await store.get(key), now)) await store.delete(key)
    }
    // Marks are written with this lock held, so none can be written in between.
    if (areAllExpired(await store.get(key), now)) await store.lock(key.slice(prefix.length), remove)
  }
}

function areAllExpired(record: CredentialRecord | undefined, now: number): boolean {
  if (record?.provider !== name) return false
  return Object.values(record.data).every((end) => isExpired(end, now))
}

/** Whether a mark has expired. */
function isExpired(end: unknown, now: number): boolean {
  return typeof end !== 'number' || end + clockToleranceMs <= now
}

function marksKey(recordKey: string): string {
  return `${prefix}${recordKey}`
}
