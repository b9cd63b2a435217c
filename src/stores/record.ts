/**
 * Serializes records, and checks them when they are read.
 *
 * @module
 */
import type { CredentialRecord } from '../credential.ts'
import { isCredentialRecord, recordProblem } from '../credential-record.ts'
import { StoreError } from '../errors.ts'
import { recordLabel } from '../labels.ts'

/**
 * Writes a record as JSON, which {@link parseRecord} reads.
 *
 * @throws {@link StoreError} when it is not a record, or contains values that JSON cannot represent; nothing
 * is written then.
 */
export function serializeRecord(key: string, record: CredentialRecord): string {
  const problem = recordProblem(record)
  if (problem === undefined) return JSON.stringify(record)
  const text = `The record of ${recordLabel(key)} cannot be stored: ${problem}.`
  throw new StoreError('set', text, {
    remedy: 'Nothing was written. Correct the provider that returned it.',
  })
}

/**
 * Reads a record that was written as JSON.
 *
 * @throws {@link StoreError} with the reason `unusable_record` when it is not a record of a known version;
 * the record is not changed.
 */
export function parseRecord(key: string, text: string): CredentialRecord {
  const value = parse(text)
  if (isCredentialRecord(value)) return value
  const version = (value as { version?: unknown } | undefined)?.version
  const isNewer = typeof version === 'number' && version > 1
  throw new StoreError(
    'get',
    isNewer
      ? `The record of ${recordLabel(key)} was written by a newer version of mcp-credentials.`
      : `The record of ${recordLabel(key)} is damaged.`,
    {
      reason: 'unusable_record',
      remedy: isNewer
        ? 'Update mcp-credentials, or use another `account`.'
        : 'Nothing was deleted. Restore it from a backup, or log in again to replace it.',
    },
  )
}

/**
 * The maximum size of an encrypted record in bytes. A larger one is not read, because it could exhaust the
 * memory of its readers.
 */
export const maxRecordBytes = 2_097_152

/** Makes the error for a record that is too large to be read. */
export function oversized(key: string): StoreError {
  return new StoreError('get', `The record of ${recordLabel(key)} is larger than 2 MiB.`, {
    reason: 'unusable_record',
    remedy:
      'It was not read, and nothing was deleted. Find out who wrote it, or log in again to replace it.',
  })
}

/** Whether a record can have this key. */
export function isRecordKey(key: unknown): key is string {
  return typeof key === 'string' && key !== '' && key.length <= 2000 && !/\p{Cc}/u.test(key)
}

/** Checks a key before it becomes part of a file name or of a command. */
export function checkKey(key: string): void {
  if (isRecordKey(key)) return
  throw new StoreError('set', 'The key of a record must be a text without control characters.')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) ?? undefined
  } catch {
    return undefined
  }
}
