/**
 * Signs every request with a shared secret (RFC 2104). The secret is not sent, and the request cannot be
 * altered.
 *
 * @module
 */
import type { CredentialProvider } from '../credential.ts'
import { checkOptions } from '../options.ts'
import { checkSecret, describeSecret, readSecret } from '../secret.ts'
import type { HmacOptions } from './hmac-options.ts'
import { makePlan } from './hmac-scheme.ts'
import { signingCredential } from './hmac-signing.ts'

export type { HmacOptions } from './hmac-options.ts'

const knownOptions: readonly (keyof HmacOptions)[] = [
  'secret',
  'secretEncoding',
  'scheme',
  'message',
  'hash',
  'encoding',
  'prefix',
  'signatureHeader',
  'timestampHeader',
  'nonceHeader',
  'keyId',
  'keyIdHeader',
]

/**
 * Signs each request, and each retry anew, with a shared secret that is never sent. It uses the server's time
 * where its offset is known, so a client whose clock is wrong recovers after one 401.
 *
 * With the default scheme, equal bodies within the same second have equal signatures. For a server
 * that rejects repeated signatures, sign a nonce as well, or use `standard-webhooks`.
 *
 * @returns A provider whose credentials throw {@link CredentialError} with the code
 * `unsignable_body` for a body whose bytes are not known before they are sent: a stream, a blob or
 * a multipart form.
 * @throws {@link ConfigurationError} when the secret is empty or not in `secretEncoding`, when a header name is
 * invalid, belongs to the transport or is given twice, when both `scheme` and `message` are given, when the template
 * is wrong, or when the message and the headers of time and nonce contradict each other.
 * @see RFC 2104
 *
 * @example
 * ```ts
 * import { env, hmac } from 'mcp-credentials'
 *
 * const simple = hmac({ secret: env('MCP_SECRET') })
 * const webhook = hmac({ secret: env('MCP_WEBHOOK_SECRET'), scheme: 'standard-webhooks' })
 * const own = hmac({
 *   secret: env('MCP_SECRET'),
 *   keyId: 'agent-1',
 *   nonceHeader: 'X-Nonce',
 *   message: '{method}\n{path}\n{query}\n{timestamp}\n{nonce}\n{header:x-tenant-id}\n{body-sha256}',
 *   hash: 'sha512',
 *   prefix: 'sha512=',
 * })
 * ```
 * @group Signatures and signed tokens
 */
export function hmac(options: HmacOptions): CredentialProvider {
  checkOptions('hmac', options, knownOptions)
  const plan = makePlan(options)
  const { secret, keyId } = options
  checkSecret('hmac.secret', secret, plan.secretProblem)
  if (keyId !== undefined) checkSecret('hmac.keyId', keyId)
  return {
    name: 'hmac',
    source: describeSecret(secret),
    async acquire({ signal }) {
      const [text, id] = await Promise.all([
        readSecret('hmac.secret', secret, { signal, problemOf: plan.secretProblem }),
        keyId === undefined ? undefined : readSecret('hmac.keyId', keyId, { signal }),
      ])
      return signingCredential(plan, plan.decodeSecret(text), id)
    },
  }
}
