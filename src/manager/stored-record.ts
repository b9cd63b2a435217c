/**
 * The keys of stored records, and the rules for using them.
 *
 * @module
 */
import type { CredentialProvider, CredentialRecord } from '../credential.ts'
import { isEmpty } from '../credential-record.ts'
import {
  type CredentialError,
  isCredentialError,
  LoginRequiredError,
  StoreError,
} from '../errors.ts'
import { cleanText, serverKey } from '../labels.ts'
import {
  isEarlier,
  isSameVersion,
  type LoginVersion,
  randomName,
  versionOf,
} from './login-version.ts'

/** The owner of a record. */
export interface RecordOwner {
  /** The URL of the server with its query. */
  readonly resource: URL
  readonly account: string
  readonly tenant: string | undefined
}

/**
 * Returns the key of a record. Accounts and encoded tenants contain no separator, so no account can read the
 * record of a tenant.
 */
export function recordKey({ resource, account, tenant }: RecordOwner): string {
  const parts = [serverKey(resource), account]
  if (tenant !== undefined) parts.push(encodeURIComponent(tenant))
  return parts.join(' | ')
}

/** Marks a record when a single-use grant is about to be sent. */
export type Mark = CredentialRecord['pending']

/** Whether the record is unchanged since it was marked, without comparing clocks. */
export function isSameMark(left: Mark, right: Mark): boolean {
  return left !== undefined && left.at === right?.at && left.by === right.by
}

/** A record that has not been written yet. */
export interface UnsavedRecord {
  readonly record: CredentialRecord
  /** The login that was in the store when it was acquired, if there was one. */
  readonly replaces: LoginVersion | undefined
  /** The mark that was written before it was acquired, if there was one. */
  readonly mark: Mark
}

/**
 * Whether an unwritten record is newer than the stored one.
 *
 * @param wasStored - Whether the login was in the store before.
 */
export function isNewerThanStored(
  { record, replaces, mark }: UnsavedRecord,
  stored: CredentialRecord | undefined,
  wasStored: boolean,
): boolean {
  if (isSameMark(stored?.pending, mark)) return true
  // It or its mark was in the store before, so there was a logout.
  if (stored === undefined || isEmpty(stored)) return mark === undefined && !wasStored
  const present = versionOf(stored)
  const isUnchanged = replaces !== undefined && isSameVersion(present, replaces)
  return isUnchanged || isEarlier(present, versionOf(record))
}

/** Makes a record for the mark of a login that has just begun. */
export function emptyRecord(
  provider: string,
  { login, generation }: LoginVersion,
): CredentialRecord {
  return { version: 1, provider, ...(login === undefined ? {} : { login }), generation, data: {} }
}

/** Makes the mark of a grant that is about to be sent. */
export function markOf(at: number): NonNullable<Mark> {
  const { process } = globalThis as { process?: { pid?: number } }
  // Processes in different containers can have the same ID.
  return { at, by: `${process?.pid ?? 'unknown'} ${randomName()}` }
}

export function isRefusal(error: unknown): boolean {
  return (
    isCredentialError(error, 'invalid_grant') ||
    (isCredentialError(error, 'login_required') && error.reason === 'grant_rejected')
  )
}

/** Whether the store works, but its record cannot be used: `login()` and `logout()` then continue. */
export function isUnusableRecord(error: unknown): boolean {
  return isCredentialError(error, 'store') && error.reason === 'unusable_record'
}

/**
 * Makes the error for a record that the provider cannot use. A login may replace the record of an earlier
 * client of the same application, but not that of a different provider.
 */
export function foreignRecord(
  label: string,
  record: CredentialRecord,
  { name, interactive = false }: Pick<CredentialProvider, 'name' | 'interactive'>,
): StoreError {
  const isSame = record.provider === name
  const owner = isSame ? 'another client' : cleanText(record.provider)
  const message = `The record of ${label} belongs to ${owner}, and ${name} cannot use it.`
  const remedy = 'Nothing was changed. Set `account` to keep both.'
  if (!isSame && !interactive) return new StoreError('get', message, { remedy })
  return new StoreError('get', message, {
    reason: 'unusable_record',
    remedy: `${remedy} Or log in again to replace it.`,
  })
}

/** Makes the error for a login whose renewal was interrupted. */
export function rotationLost(provider: string, { resource }: CredentialError): LoginRequiredError {
  return new LoginRequiredError(
    'rotation_lost',
    `${provider}: a process ended while it renewed this login, so the response with the new refresh token was lost.`,
    {
      provider: provider,
      remedy: 'Log in again.',
      ...(resource === undefined ? {} : { resource }),
    },
  )
}

/** Makes the error for a login that another process has removed. */
export function loggedOutElsewhere(provider: string, resource: URL): LoginRequiredError {
  return new LoginRequiredError(
    'no_credential',
    `${provider}: the login is no longer in the store, because another process has logged out.`,
    { provider, resource, remedy: 'Call `login()` when the user can log in.' },
  )
}
