/**
 * Checks that requests on a loopback address come from the local client.
 *
 * @module
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** The refusal of a request. */
export interface Refused {
  readonly status: number
  readonly reason: string
}

const loopbackHost = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i

/**
 * Checks that a request comes from a program on this machine that knows the URL. A web page can send
 * requests to loopback addresses, and to host names that resolve to them (DNS rebinding).
 *
 * @param path - The secret path.
 * @returns `undefined`: the request is accepted.
 * @see MCP 2025-11-25, Transports, Security Warning
 */
export function checkLocalRequest(
  { headers: { origin }, headersDistinct, url = '' }: IncomingMessage,
  path: string,
): Refused | undefined {
  const [host = '', ...others] = headersDistinct['host'] ?? []
  if (others.length > 0 || !loopbackHost.test(host))
    return { status: 403, reason: 'The Host header is not valid.' }
  if (origin !== undefined && !loopbackHost.test(origin.replace(/^https?:\/\//, ''))) {
    return { status: 403, reason: 'The Origin header is not valid.' }
  }
  return isSameText(url, path) ? undefined : { status: 404, reason: 'Not found.' }
}

/** Compares texts in constant time. */
function isSameText(left: string, right: string): boolean {
  const [a, b] = [left, right].map((text) => createHash('sha256').update(text).digest())
  return a !== undefined && b !== undefined && timingSafeEqual(a, b)
}

/**
 * Reads the body of a request as text.
 *
 * @returns `undefined`: it is longer than allowed.
 */
export async function readBody(
  request: IncomingMessage,
  maxBytes: number,
): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > maxBytes) return undefined
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}
