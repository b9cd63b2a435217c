/**
 * What a record of a store is called, and when it counts.
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

/** Whose record it is. */
export interface RecordOwner {
  /** The URL of the server; its query counts. */
  readonly resource: URL
  readonly account: string
  readonly tenant: string | undefined
}

/** Accounts and encoded tenants hold no separator, so that no account reads the record of a tenant. */
export function recordKey({ resource, account, tenant }: RecordOwner): string {
  const parts = [serverKey(resource), account]
  if (tenant !== undefined) parts.push(encodeURIComponent(tenant))
  return parts.join(' | ')
}

/** Notes that a single-use grant is about to be sent. */
export type Mark = CredentialRecord['pending']

/** Whether the record is unchanged since it was marked, whatever the clocks say. */
export function isSameMark(left: Mark, right: Mark): boolean {
  return left !== undefined && left.at === right?.at && left.by === right.by
}

/** What could not be written yet. */
export interface UnsavedRecord {
  readonly record: CredentialRecord
  /** The login that was in the store when it was acquired, if there was one. */
  readonly replaces: LoginVersion | undefined
  /** The mark that was made before it was acquired, if it was. */
  readonly mark: Mark
}

/**
 * Whether what could not be written yet is newer than what is stored.
 *
 * @param wasStored - The login was in the store before.
 */
export function isWorthMore(
  { record, replaces, mark }: UnsavedRecord,
  stored: CredentialRecord | undefined,
  wasStored: boolean,
): boolean {
  if (isSameMark(stored?.pending, mark)) return true
  // It was there before, or its mark was, so there was a logout.
  if (stored === undefined || isEmpty(stored)) return mark === undefined && !wasStored
  const present = versionOf(stored)
  const isUnchanged = replaces !== undefined && isSameVersion(present, replaces)
  return isUnchanged || isEarlier(present, versionOf(record))
}

/** What carries the mark of a login that has just begun. */
export function emptyRecord(
  provider: string,
  { login, generation }: LoginVersion,
): CredentialRecord {
  return { version: 1, provider, ...(login === undefined ? {} : { login }), generation, data: {} }
}

/** The mark of a grant that is about to be sent. */
export function markOf(at: number): NonNullable<Mark> {
  const { process } = globalThis as { process?: { pid?: number } }
  // Processes in containers have the same number.
  return { at, by: `${process?.pid ?? 'unknown'} ${randomName()}` }
}

export function isRefusal(error: unknown): boolean {
  return (
    isCredentialError(error, 'invalid_grant') ||
    (isCredentialError(error, 'login_required') && error.reason === 'grant_rejected')
  )
}

/** Whether the store works, but its record cannot be used: `login()` and `logout()` go on all the same. */
export function isUnusableRecord(error: unknown): boolean {
  return isCredentialError(error, 'store') && error.reason === 'unusable_record'
}

/**
 * The error of a record that the provider cannot use. The user may replace what an earlier client of the same
 * application obtained, but not what a provider of another kind did.
 */
export function foreignRecord(
  label: string,
  record: CredentialRecord,
  { name, interactive = false }: Pick<CredentialProvider, 'name' | 'interactive'>,
): StoreError {
  const isSame = record.provider === name
  const owner = isSame ? 'another client' : cleanText(record.provider)
  const message = `The record of ${label} belongs to ${owner}, and ${name} cannot use it.`
  const remedy = 'Set `account` to tell the two apart; nothing was changed.'
  if (!isSame && !interactive) return new StoreError('get', message, { remedy })
  return new StoreError('get', message, {
    reason: 'unusable_record',
    remedy: `${remedy} Or replace it: log in again.`,
  })
}

/** The error of a login whose renewal was interrupted. */
export function rotationLost(provider: string, { resource }: CredentialError): LoginRequiredError {
  return new LoginRequiredError(
    'rotation_lost',
    `${provider}: a process ended while it renewed this login, so the answer with the new refresh token was lost.`,
    {
      provider: provider,
      remedy: 'Log in again.',
      ...(resource === undefined ? {} : { resource }),
    },
  )
}

/** The error when another process has removed the login. */
export function loggedOutElsewhere(provider: string, resource: URL): LoginRequiredError {
  return new LoginRequiredError(
    'no_credential',
    `${provider}: the login is not in the store any more, because another process has logged out.`,
    { provider, resource, remedy: 'Call `login()` where the user can log in.' },
  )
}
