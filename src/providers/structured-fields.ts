/**
 * The part of Structured Field Values (RFC 9651, section 4.1) that signatures and digests need.
 *
 * @module
 */
import { toBase64 } from '../encoding.ts'

/** Whether a text can be the key of a dictionary member or parameter (RFC 9651, section 3.1.2). */
export function isKey(text: string): boolean {
  return /^[a-z*][a-z0-9_\-.*]*$/.test(text)
}

/** Whether a text can be a String: printable ASCII only (RFC 9651, section 3.3.3). */
export function isStringContent(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text)
}

/** A String, in its quotes. */
export function serializeString(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** A Byte Sequence: base64 between colons. */
export function serializeBytes(bytes: Uint8Array): string {
  return `:${toBase64(bytes)}:`
}

/** Parameters, in the order given: Strings and Integers. */
export function serializeParameters(parameters: Readonly<Record<string, string | number>>): string {
  return Object.entries(parameters)
    .map(([key, value]) => `;${key}=${typeof value === 'string' ? serializeString(value) : value}`)
    .join('')
}
