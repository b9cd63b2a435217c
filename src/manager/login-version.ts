/**
 * Orders the records of a login without clocks, which differ between machines and may be set back.
 *
 * @module
 */
import type { CredentialRecord } from '../credential.ts'
import { toBase64Url } from '../encoding.ts'

/** A login, and how often it was renewed. */
export interface LoginVersion {
  /** `undefined`: records without one belong to one login. */
  readonly login: string | undefined
  readonly generation: number
}

/** The version of a process without a login. */
export const noVersion: LoginVersion = { login: undefined, generation: 0 }

/** Returns the version of a record; {@link noVersion} without a record. */
export function versionOf(record: CredentialRecord | undefined): LoginVersion {
  return { login: record?.login, generation: record?.generation ?? 0 }
}

/** Returns a unique name. */
export function randomName(): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(16)))
}

/** Returns the next version: of the same login after a renewal, otherwise of a new login. */
export function nextVersion(
  { login, generation }: LoginVersion,
  isRenewal: boolean,
): LoginVersion & { readonly login: string } {
  return { login: (isRenewal ? login : undefined) ?? randomName(), generation: generation + 1 }
}

/** Whether two versions are the same. */
export function isSameVersion(left: LoginVersion, right: LoginVersion): boolean {
  return left.login === right.login && left.generation === right.generation
}

/** Whether one version came before another of the same login; different logins cannot be compared. */
export function isEarlier(version: LoginVersion, other: LoginVersion): boolean {
  return version.login === other.login && version.generation < other.generation
}
