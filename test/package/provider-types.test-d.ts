/**
 * What the types refuse, and what they tell. Checked by the compiler alone: a line that is marked as an
 * error and is none fails the check.
 */
import {
  all,
  apiKey,
  basic,
  bearer,
  type ConfigurationError,
  type CredentialEvent,
  type CredentialSelector,
  command,
  type DiscoveryError,
  env,
  file,
  firstAvailable,
  hmac,
  httpSignature,
  isCredentialError,
  jwt,
  type LoginRequiredError,
  rotating,
  type Secret,
  type StoreError,
} from 'mcp-credentials'
import { encryptedFileStore } from 'mcp-credentials/file'
import { privateKeyJwt } from 'mcp-credentials/oauth'
import { postgresStore } from 'mcp-credentials/postgres'
import { redisStore } from 'mcp-credentials/redis'
import type { Pool } from 'pg'

const secret = 'x'.repeat(64)
const sign = async (data: Uint8Array) => data
declare const name: string
declare const thrown: unknown
declare const event: CredentialEvent
declare const selector: CredentialSelector

/** Both must be the same type, not only fit each other. */
function same<T>() {
  return <U>(..._proof: [T] extends [U] ? ([U] extends [T] ? [] : [never]) : [never]) => {}
}

// Sources of secrets fit wherever a secret does.
export const sources: readonly Secret[] = [
  'x',
  env('X'),
  file('/x'),
  command(['x']),
  () => 'x',
  async ({ signal }) => String(signal?.aborted),
]

// apiKey(): a header or a query parameter.
apiKey({ value: 'k' })
apiKey({ value: 'k', header: 'X-Key' })
apiKey({ value: 'k', query: 'key' })
// @ts-expect-error both
apiKey({ value: 'k', header: 'X-Key', query: 'key' })
// @ts-expect-error no key
apiKey({ header: 'X-Key' })
// @ts-expect-error an option that does not exist
apiKey({ value: 'k', heder: 'X-Key' })
// @ts-expect-error no password
basic({ username: 'u' })
// @ts-expect-error a promise is no secret
bearer(Promise.resolve('t'))

// jwt(): each algorithm with its kind of key.
jwt({ algorithm: 'HS256', secret })
jwt({ algorithm: 'ES256', key: secret })
jwt({ algorithm: 'RS256', sign })
jwt({ algorithm: 'HS512', sign })
// @ts-expect-error a private key for a shared secret's algorithm
jwt({ algorithm: 'HS256', key: secret })
// @ts-expect-error a shared secret for a private key's algorithm
jwt({ algorithm: 'ES256', secret })
// @ts-expect-error nothing to sign with
jwt({ algorithm: 'ES256' })
// @ts-expect-error two things to sign with
jwt({ algorithm: 'ES256', key: secret, sign })
// @ts-expect-error unsigned tokens do not exist
jwt({ algorithm: 'none', secret })

// httpSignature(): the same.
httpSignature({ algorithm: 'hmac-sha256', secret, keyId: 'k', secretEncoding: 'hex' })
httpSignature({ algorithm: 'ed25519', key: secret, keyId: 'k' })
httpSignature({ algorithm: 'ed25519', sign, keyId: 'k' })
// @ts-expect-error a private key for a shared secret's algorithm
httpSignature({ algorithm: 'hmac-sha256', key: secret, keyId: 'k' })
// @ts-expect-error a shared secret for a private key's algorithm
httpSignature({ algorithm: 'ed25519', secret, keyId: 'k' })
// @ts-expect-error nothing to sign with
httpSignature({ algorithm: 'ed25519', keyId: 'k' })
// @ts-expect-error two things to sign with
httpSignature({ algorithm: 'ed25519', key: secret, sign, keyId: 'k' })
// @ts-expect-error a private key has no such encoding
httpSignature({ algorithm: 'ed25519', key: secret, secretEncoding: 'hex', keyId: 'k' })

// hmac(): a scheme that is known, or a message of one's own.
hmac({ secret })
hmac({ secret, scheme: 'method-path-body', signatureHeader: 'X-Sig', keyId: 'k' })
hmac({ secret, scheme: 'standard-webhooks', nonceHeader: 'X-Id' })
hmac({ secret, message: '{nonce}.{body}', timestampHeader: false, nonceHeader: 'X-Nonce' })
hmac({ secret, message: ({ body, header }) => [header('X-Tenant'), body] })
// @ts-expect-error a scheme and a message
hmac({ secret, scheme: 'timestamp-body', message: '{body}' })
// @ts-expect-error the scheme signs no nonce
hmac({ secret, scheme: 'timestamp-body', nonceHeader: 'X-Nonce' })
// @ts-expect-error the scheme signs the time
hmac({ secret, timestampHeader: false })
// @ts-expect-error a header for a key id that is not given
hmac({ secret, keyIdHeader: 'X-Key' })
// @ts-expect-error no such part of a request
hmac({ secret, message: ({ url }) => url })
// @ts-expect-error a message is made at once
hmac({ secret, message: async () => 'x' })

// privateKeyJwt() and the stores: one of two.
privateKeyJwt({ key: secret })
privateKeyJwt({ sign, algorithm: 'PS256' })
// @ts-expect-error neither
privateKeyJwt({ algorithm: 'PS256' })
// @ts-expect-error both
privateKeyJwt({ key: secret, sign })
encryptedFileStore({ key: secret })
encryptedFileStore({ keys: [secret], directory: name })
// @ts-expect-error neither
encryptedFileStore({ directory: name })
// @ts-expect-error both
encryptedFileStore({ key: secret, keys: [secret] })
redisStore({ url: name, key: secret })
// A pool of the package pg, which is not imported at run time.
postgresStore({ pool: {} as Pool, key: secret })
// @ts-expect-error no key
postgresStore({ pool: {} as Pool })
// @ts-expect-error neither a client nor where Redis is
redisStore({ key: secret })

// A selector is no provider, so that it cannot end up inside one.
// @ts-expect-error inside all()
all(bearer('t'), selector)
// @ts-expect-error inside firstAvailable()
firstAvailable(selector)
// @ts-expect-error inside rotating()
rotating([bearer('t'), selector])

// Errors and events are told apart by their code and type.
if (isCredentialError(thrown, 'login_required')) same<LoginRequiredError>()<typeof thrown>()
if (isCredentialError(thrown, 'configuration')) same<ConfigurationError>()<typeof thrown>()
if (isCredentialError(thrown, 'store')) same<StoreError>()<typeof thrown>()
if (isCredentialError(thrown, 'lock_timeout')) same<StoreError>()<typeof thrown>()
if (isCredentialError(thrown, 'discovery')) same<DiscoveryError>()<typeof thrown>()
if (isCredentialError(thrown, 'network')) {
  same<string | undefined>()<typeof thrown.tenant>()
  // @ts-expect-error only what asks for a login says why
  same<unknown>()<typeof thrown.reason>()
}
same<boolean>()<Extract<CredentialEvent, { type: 'rejected' }>['late']>()
same<string | undefined>()<CredentialEvent['tenant']>()
if (event.type === 'acquire_failure') same<number>()<typeof event.retryIn>()
// @ts-expect-error no event has this type
if (event.type === 'acquired') same<never>()<typeof event>()
