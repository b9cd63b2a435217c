/**
 * Detects requests to an authorization server on the origin of the MCP server.
 *
 * @module
 */
import type { Call } from './call.ts'

// RFC 9728 section 3.1, RFC 8414 section 3.1; OpenID Connect Discovery section 4 puts the path in front.
const metadataPath =
  /^\/\.well-known\/(?:oauth-protected-resource|oauth-authorization-server|openid-configuration)(?:\/|$)|\/\.well-known\/openid-configuration$/

// Each request to a token, revocation, introspection, device or pushed authorization endpoint has one of these.
const oauthParameters = [
  'grant_type',
  'token',
  'client_id',
  'client_assertion',
  'response_type',
] as const

/**
 * Whether a request goes to an authorization server on the same origin, which must not see the credential: it
 * reads metadata, posts an OAuth form (RFC 6749, 7009, 7662, 8628, 9126), or registers a client (RFC 7591).
 *
 * The MCP server's own path is never one of these. A form that cannot be read, such as a stream, counts as one.
 *
 * @param resourcePath - The path of the MCP server; `undefined` while it is not known.
 */
export function isOAuthRequest(call: Call, url: URL, resourcePath: string | undefined): boolean {
  const path = url.pathname
  if (path === resourcePath) return false
  // Servers treat several slashes as one.
  if (call.method === 'GET' || call.method === 'HEAD') {
    return metadataPath.test(path.replace(/\/{2,}/g, '/'))
  }
  if (call.method !== 'POST') return false
  const { body } = call.init
  // For a `Request`, only the type decides: the binding cannot wait for the body, and is permanent.
  if (call.pendingBody !== undefined) return resourcePath === undefined && isForm(call, body)
  if (body === undefined || body === null) return false
  if (body instanceof URLSearchParams) return isOAuthForm(body)
  const text = textOf(body)
  // No MCP server accepts forms, but every token endpoint does.
  if (text === undefined) return isForm(call, body)
  if (isForm(call, body)) return isOAuthForm(new URLSearchParams(text))
  return text.includes('"redirect_uris"') && isRegistration(text)
}

function isForm({ headers }: Call, body: unknown): boolean {
  const type = headers.get('Content-Type') ?? (body instanceof Blob ? body.type : '')
  return type.trim().toLowerCase().startsWith('application/x-www-form-urlencoded')
}

function isOAuthForm(form: URLSearchParams): boolean {
  return oauthParameters.some((name) => form.has(name))
}

function isRegistration(text: string): boolean {
  const message = parseObject(text)
  return message !== undefined && Array.isArray(message['redirect_uris']) && !('jsonrpc' in message)
}

function textOf(body: unknown): string | undefined {
  if (typeof body === 'string') return body
  const isBytes = body instanceof ArrayBuffer || ArrayBuffer.isView(body)
  return isBytes ? new TextDecoder().decode(body) : undefined
}

/** Parses a text that is one JSON object; `undefined` for anything else. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
