/**
 * Bytes as text, and the parts of Node that the core asks for at run time.
 *
 * @module
 */

/** Bytes that own their buffer, which is what WebCrypto takes. */
export type Bytes = Uint8Array<ArrayBuffer>

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Bytes of hex in either case; `undefined` when the text is not hex. */
export function fromHex(text: string): Bytes | undefined {
  if (!/^(?:[0-9a-f]{2})*$/i.test(text)) return undefined
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

/** Base64 with its padding (RFC 4648, section 4). */
export function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}

/** Base64 for URLs, without padding (RFC 4648, section 5). */
export function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** Bytes of base64 in either alphabet, with or without padding; `undefined` when the text is not base64. */
export function fromBase64(text: string): Bytes | undefined {
  try {
    const standard = text.replaceAll('-', '+').replaceAll('_', '/')
    return Uint8Array.from(atob(standard), (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}

/** A module of Node, where there is one; the core imports none, so that it bundles for every platform. */
export function nodeBuiltin<T>(name: string): T | undefined {
  const { process } = globalThis as {
    process?: { getBuiltinModule?(name: string): T | undefined }
  }
  return process?.getBuiltinModule?.(name)
}
