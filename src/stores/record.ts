/**
 * Records as text, read back with suspicion.
 *
 * @module
 */
import type { CredentialRecord } from '../credential.ts'
import { recordLabel, StoreError } from '../errors.ts'

/**
 * Reads a record that was written as JSON.
 *
 * @throws {@link StoreError} when it is no record of a known version; it is left as it is.
 */
export function parseRecord(key: string, text: string): CredentialRecord {
  const value = parse(text)
  if (isRecord(value)) return value
  const version = (value as { version?: unknown } | undefined)?.version
  const isNewer = typeof version === 'number' && version > 1
  throw new StoreError(
    'get',
    isNewer
      ? `The record of ${recordLabel(key)} was written by a newer version of mcp-credentials.`
      : `The record of ${recordLabel(key)} is damaged.`,
    {
      remedy: isNewer
        ? 'Update mcp-credentials, or use another `account`.'
        : 'Nothing was deleted. Restore it from a backup, or delete it and log in again.',
    },
  )
}

/** Checks a key before it becomes part of a file name or of a command. */
export function checkKey(key: string): void {
  if (typeof key === 'string' && key !== '' && key.length <= 2000 && !/\p{Cc}/u.test(key)) return
  throw new StoreError('set', 'The key of a record must be a text without control characters.')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is CredentialRecord {
  if (typeof value !== 'object' || value === null) return false
  const { version, provider, data, generation, issuer, obtainedAt, expiresAt } = value as Record<
    string,
    unknown
  >
  const isOptional = (member: unknown, type: string) =>
    member === undefined || typeof member === type
  return (
    version === 1 &&
    typeof provider === 'string' &&
    typeof data === 'object' &&
    data !== null &&
    !Array.isArray(data) &&
    isOptional(issuer, 'string') &&
    [generation, obtainedAt, expiresAt].every((member) => isOptional(member, 'number'))
  )
}
