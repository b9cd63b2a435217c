/**
 * Values that only one authorization server may receive, and the function that reads them.
 *
 * Only the modules that send, store or apply such a value import this one; the others import `bound.ts`,
 * which cannot read a value.
 *
 * @module
 */
import type { Secret } from '../credential.ts'
import { toBase64Url } from '../encoding.ts'
import { CredentialError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import { readSecret } from '../secret.ts'

/**
 * A value with the authorization server that it belongs to: a token, a secret, a code, a scope. It is not
 * shown when it is printed.
 */
export class Bound<T = string> {
  /** Its kind, for messages, such as `refresh token`. */
  readonly kind: string
  /** The authorization server, as it was discovered or configured. */
  readonly issuer: string
  readonly #value: T

  constructor(kind: string, value: T, issuer: string) {
    this.kind = kind
    this.issuer = issuer
    this.#value = value
  }

  /**
   * Returns the value for one authorization server.
   *
   * @throws `CredentialError` with the code `wrong_issuer` when it belongs to another.
   */
  static open<T>(bound: Bound<T>, issuer: string): T {
    if (bound.issuer === issuer) return bound.#value
    throw new CredentialError(
      'wrong_issuer',
      `The ${bound.kind} belongs to ${resourceLabel(bound.issuer)}, and was not sent to ${resourceLabel(issuer)}.`,
      { remedy: 'Set `issuer` to the intended authorization server, or log in again.' },
    )
  }

  /** Whether the value is this one, or that of another bound value of the same issuer. */
  equals(other: unknown): boolean {
    if (!(other instanceof Bound)) return this.#value === other
    return this.issuer === other.issuer && this.#value === other.#value
  }

  toString(): string {
    return `[redacted ${this.kind}]`
  }

  toJSON(): string {
    return this.toString()
  }
}

/** Binds a value to the authorization server that it belongs to. */
export function bind<T>(kind: string, value: T, issuer: string): Bound<T> {
  return new Bound(kind, value, issuer)
}

/** Reads a bound secret from its source; it stays bound. */
export async function readBound(
  option: string,
  secret: Bound<Secret>,
  signal: AbortSignal,
): Promise<Bound> {
  const { kind, issuer } = secret
  return bind(kind, await readSecret(option, Bound.open(secret, issuer), { signal }), issuer)
}

/** Returns a hash that identifies a value without revealing it. Use it for unguessable values only. */
export async function fingerprintOf(bound: Bound): Promise<string> {
  const bytes = new TextEncoder().encode(Bound.open(bound, bound.issuer))
  return toBase64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}

/**
 * Returns a value for one authorization server, or for the record or the token of that server.
 *
 * @throws `CredentialError` with the code `wrong_issuer` when it belongs to another.
 */
export function openAt<T>(bound: Bound<T>, issuer: string): T
export function openAt<T>(bound: Bound<T> | undefined, issuer: string): T | undefined
export function openAt<T>(bound: Bound<T> | undefined, issuer: string): T | undefined {
  return bound === undefined ? undefined : Bound.open(bound, issuer)
}
