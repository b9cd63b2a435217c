/**
 * Which of two records is the newer one, without a clock: those of several machines differ, and may be set back.
 *
 * @module
 */
import type { CredentialRecord } from '../credential.ts'
import { toBase64Url } from '../encoding.ts'

/** Which login it is, and how often it was renewed. */
export interface LoginVersion {
  /** `undefined`: records without one belong to one login. */
  readonly login: string | undefined
  readonly generation: number
}

/** Of a process that knows no login. */
export const noVersion: LoginVersion = { login: undefined, generation: 0 }

/** The version of a record; without a record that of no login. */
export function versionOf(record: CredentialRecord | undefined): LoginVersion {
  return { login: record?.login, generation: record?.generation ?? 0 }
}

/** A name that nothing else has. */
export function randomName(): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(16)))
}

/** The version that follows: of the same login after a renewal, else of another one. */
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
