/**
 * Converts methods of client authentication for openid-client.
 *
 * @module
 */
import * as client from 'openid-client'
import type { Secret } from '../credential.ts'
import { readSecret } from '../secret.ts'
import { type ClientAssertion, signedBySecret } from './client-assertion.ts'
import type { SecretMethod } from './client-auth.ts'

/** The method and the secret of a client at one server. */
export interface ClientAuthParts {
  readonly provider: string
  /** The method that was chosen for this client. */
  readonly method: SecretMethod | ClientAssertion
  readonly secret: Secret | undefined
  readonly signal: AbortSignal
  /** The time in milliseconds since the epoch, by the server's clock where its offset is known. */
  readonly now: () => number
}

/** Makes the form of a method for openid-client. */
export async function prepareClientAuth(parts: ClientAuthParts): Promise<client.ClientAuth> {
  const { provider, method, secret, signal, now } = parts
  if (typeof method === 'object') return method.prepare({ signal, now })
  if (method === 'tls_client_auth') return client.TlsClientAuth()
  if (method === 'none' || secret === undefined) return client.None()
  const value = await readSecret(`${provider}.clientSecret`, secret, { signal })
  if (method === 'client_secret_post') return client.ClientSecretPost(value)
  if (method === 'client_secret_jwt') return signedBySecret(value, 'issuer', now)
  const encode = method === 'client_secret_basic' ? formEncoded : (text: string) => text
  return (_as, { client_id }, _body, headers) => {
    headers.set('Authorization', `Basic ${btoa(`${encode(client_id)}:${encode(value)}`)}`)
  }
}

// openid-client also escapes `-`, `_` and `.`, which the encoding does not require; servers that do not
// decode then recognize neither client nor secret (RFC 6749, section 2.3.1 and appendix B).
function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}
