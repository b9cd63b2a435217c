/**
 * A bearer token that was issued elsewhere.
 *
 * @module
 */
import type { CredentialProvider, Secret } from '../credential.ts'
import { fromBase64 } from '../encoding.ts'
import { checkSecret, describeSecret, headerValueProblem, readSecret } from '../secret.ts'

/**
 * Sends a token as `Authorization: Bearer`.
 *
 * A token that is read from a source and is a JWT is read again before its `exp`. The claim is used
 * for timing only; nothing is verified.
 *
 * @param token - The token, without the word `Bearer`. For a server whose tokens have other characters
 * than those of RFC 6750, use {@link headers}: `headers({ Authorization: 'Bearer 1|abc' })`.
 * @throws {@link ConfigurationError} when the token is empty or contains characters that RFC 6750
 * does not allow. When a source returns such a token, requests throw `secret_unavailable`.
 * @see RFC 6750, section 2.1
 *
 * @example
 * ```ts
 * import { bearer, env } from 'mcp-credentials'
 *
 * const provider = bearer(env('MCP_TOKEN'))
 * ```
 * @group Keys, tokens and passwords
 */
export function bearer(token: Secret): CredentialProvider {
  checkSecret('bearer.token', token, tokenProblem)
  return {
    name: 'bearer',
    source: describeSecret(token),
    async acquire({ now, signal }) {
      const value = await readSecret('bearer.token', token, { signal, problemOf: tokenProblem })
      const expiresAt = typeof token === 'function' ? jwtExpiry(value, now()) : undefined
      return {
        ...(expiresAt === undefined ? {} : { expiresAt }),
        apply: ({ headers }) => headers.set('Authorization', `Bearer ${value}`),
      }
    },
  }
}

/** Returns why a text is not a `b64token` (RFC 6750, section 2.1); `undefined`: it is one. */
export function tokenProblem(token: string): string | undefined {
  const problem = headerValueProblem(token)
  if (problem !== undefined) return problem
  if (/^bearer\s/i.test(token)) return 'must leave out the word Bearer, which is added'
  return /^[A-Za-z0-9\-._~+/]+=*$/.test(token)
    ? undefined
    : 'contains a character that RFC 6750, section 2.1, does not allow; use `headers` to send it'
}

/**
 * Returns when a JWT expires, in milliseconds since the epoch; `undefined` for anything else.
 */
export function jwtExpiry(token: string, now: number): number | undefined {
  const payload = token.split('.')[1]
  if (payload === undefined) return undefined
  try {
    const claims: unknown = JSON.parse(new TextDecoder().decode(fromBase64(payload)))
    if (typeof claims !== 'object' || claims === null) return undefined
    const { exp } = claims as { exp?: unknown }
    // An expired token is still sent, so that the server's refusal is reported.
    return typeof exp === 'number' && exp * 1000 > now ? exp * 1000 : undefined
  } catch {
    return undefined
  }
}
