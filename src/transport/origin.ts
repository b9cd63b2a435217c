/**
 * Which requests a credential may travel on.
 *
 * @module
 */
import { ConfigurationError, resourceLabel } from '../errors.ts'

/** Whether a host is this machine: `localhost`, `127.0.0.0/8` or `::1`. */
export function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    // URL has normalised every other spelling of an IPv4 address to four decimal numbers.
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
  )
}

/**
 * Refuses to send a credential in the clear.
 *
 * @throws {@link ConfigurationError} when the URL is neither https nor on this machine.
 */
export function checkTransportSecurity(url: URL, allowInsecure: boolean): void {
  if (url.protocol === 'https:' || allowInsecure || isLoopback(url.hostname)) return
  throw new ConfigurationError(
    'resource',
    `${resourceLabel(url)} is not https, so the credential would travel in the clear.`,
    {
      resource: url,
      remedy: 'Use https, or set `allowInsecure: true` on a network that you trust.',
    },
  )
}

/**
 * Whether a request within the bound origin is one of the MCP server's, and not one to an
 * authorization server that happens to share the origin: its discovery documents, its form-encoded
 * endpoints (RFC 6749) and its JSON registration endpoint (RFC 7591) must not see the credential.
 */
export function isServerRequest(url: URL, headers: Headers, body: unknown): boolean {
  if (url.pathname.includes('/.well-known/')) return false
  if (body === undefined || body === null) return true
  if (body instanceof URLSearchParams) return false
  const type = headers.get('Content-Type')?.toLowerCase()
  if (type?.startsWith('application/x-www-form-urlencoded') === true) return false
  const text =
    body instanceof Uint8Array || body instanceof ArrayBuffer
      ? new TextDecoder().decode(body)
      : body
  const isRegistration =
    typeof text === 'string' && text.includes('"redirect_uris"') && !text.includes('"jsonrpc"')
  return !isRegistration
}
