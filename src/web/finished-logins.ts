/**
 * Which logins have been finished, so that none is finished twice.
 *
 * @module
 */
import type { AcquireContext, CredentialRecord } from '../credential.ts'
import { CredentialError } from '../errors.ts'
import { name } from './options.ts'

type Records = AcquireContext['records']

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

function marksKey(recordKey: string): string {
  return `finished logins | ${recordKey}`
}
