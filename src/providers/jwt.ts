/**
 * Tokens that the client mints itself.
 *
 * @module
 */
import type { Credential, CredentialProvider } from '../credential.ts'
import { CredentialError } from '../errors.ts'
import { describeSecret, readSecret } from '../secret.ts'
import {
  type AsymmetricAlgorithm,
  importSigningKey,
  isAsymmetricAlgorithm,
  type PrivateKey,
} from '../signing-key.ts'
import {
  bytesOf,
  checkJwtOptions,
  collisionOf,
  type JwtClaims,
  type JwtOptions,
  secretProblem,
} from './jwt-options.ts'

export type { JwtOptions } from './jwt-options.ts'

type Sign = (data: Uint8Array) => Promise<Uint8Array>

/** The key, and how the header names it. */
interface Signer {
  readonly key: CryptoKey | Sign
  readonly algorithm: NonNullable<JwtOptions['algorithm']>
  readonly keyId: string | undefined
}

/**
 * Mints JSON Web Tokens and sends them as `Authorization: Bearer`. A new one is minted before the old
 * one expires; the key is imported once, and again only when its source returns another.
 *
 * @throws {@link ConfigurationError} when the algorithm is unknown or `none`, when not exactly one of
 * `secret`, `key` and `sign` is given, when a key is too short or does not fit the algorithm, or when
 * claims or header fields collide with those that the library sets.
 * @see RFC 7519; RFC 8725, section 3
 *
 * @example
 * ```ts
 * import { file, jwt } from 'mcp-credentials'
 *
 * const provider = jwt({
 *   algorithm: 'ES256',
 *   key: file('/run/secrets/signing-key.pem'),
 *   keyId: '2026-11',
 *   issuer: 'https://agents.example.com',
 *   subject: 'nightly-report',
 *   audience: 'https://mcp.example.com/mcp',
 *   claims: { roles: ['reader'] },
 * })
 * ```
 * @group Signatures and signed tokens
 */
export function jwt(options: JwtOptions): CredentialProvider {
  checkJwtOptions(options)
  const { perRequest = false, expiresIn = 300 } = options
  const keys = signingKeys(options)
  const mint = minter(options)
  return {
    name: 'jwt',
    source: describeSecret(options.secret, options.key, options.sign),
    async acquire(context): Promise<Credential> {
      const key = await keys(context.signal)
      // Imported once for all tokens of this key: even a cached import costs more than a signature.
      const jose = await import('jose')
      const { resource } = context
      if (perRequest) {
        return {
          async apply({ headers, now }) {
            headers.set('Authorization', `Bearer ${await mint(jose, key, { resource, now })}`)
          },
        }
      }
      const now = context.serverNow()
      // Claims use the server's clock; the manager compares with this machine's.
      const obtainedAt = wholeSecond(now) - (now - context.now())
      const token = await mint(jose, key, { resource, now })
      return {
        obtainedAt,
        expiresAt: obtainedAt + expiresIn * 1000,
        apply: ({ headers }) => headers.set('Authorization', `Bearer ${token}`),
      }
    },
  }
}

type Mint = (
  jose: typeof import('jose'),
  signer: Signer,
  context: { readonly resource: URL; readonly now: number },
) => Promise<string>

/** Prepares once what all tokens have in common. */
function minter(options: JwtOptions): Mint {
  const { header, issuer, subject, audience, claims, expiresIn = 300 } = options
  const { jwtId = true, notBefore = false } = options
  const common = {
    ...(typeof claims === 'function' ? {} : structuredClone(claims)),
    ...(issuer === undefined ? {} : { iss: issuer }),
    ...(subject === undefined ? {} : { sub: subject }),
    ...(audience === undefined
      ? {}
      : { aud: typeof audience === 'string' ? audience : [...audience] }),
  }
  const encoder = new TextEncoder()
  return async (jose, { key, algorithm, keyId }, context) => {
    const protectedHeader = {
      typ: 'JWT',
      ...header,
      alg: algorithm,
      ...(keyId === undefined ? {} : { kid: keyId }),
    }
    const issuedAt = wholeSecond(context.now) / 1000
    const payload = {
      ...(typeof claims === 'function' ? checkedClaims(await claims(context)) : {}),
      ...common,
      ...(jwtId ? { jti: crypto.randomUUID() } : {}),
      ...(notBefore ? { nbf: issuedAt } : {}),
      iat: issuedAt,
      exp: issuedAt + expiresIn,
    }
    const bytes = encoder.encode(JSON.stringify(payload))
    if (typeof key !== 'function') {
      return new jose.CompactSign(bytes).setProtectedHeader(protectedHeader).sign(key)
    }
    // jose has no hook for a signer outside the process, so the compact form is assembled here.
    const { encode } = jose.base64url
    const input = `${encode(JSON.stringify(protectedHeader))}.${encode(bytes)}`
    return `${input}.${encode(await key(encoder.encode(input)))}`
  }
}

function checkedClaims(claims: JwtClaims): JwtClaims {
  const collision = collisionOf(claims)
  if (collision === undefined) return claims
  throw new CredentialError('invalid_claims', `jwt.claims ${collision}`, { provider: 'jwt' })
}

/** Reads the key's source, and imports the key when it has changed. */
function signingKeys(options: JwtOptions): (signal: AbortSignal) => Promise<Signer> {
  const { secret, key, sign, keyId } = options
  let imported: { readonly material: unknown; readonly signer: Signer } | undefined
  return async (signal) => {
    if (sign !== undefined) return { key: sign, algorithm: options.algorithm, keyId }
    const source = secret ?? key
    const option = secret === undefined ? 'jwt.key' : 'jwt.secret'
    const unchecked = { signal, problemOf: () => undefined }
    const material =
      typeof source === 'function' ? await readSecret(option, source, unchecked) : source
    if (imported === undefined || imported.material !== material) {
      const signer = await importKey(options.algorithm, option, material, signal)
      imported = { material, signer: { ...signer, keyId: keyId ?? signer.keyId } }
    }
    return imported.signer
  }
}

async function importKey(
  algorithm: JwtOptions['algorithm'],
  option: string,
  material: unknown,
  signal: AbortSignal,
): Promise<Signer> {
  if (algorithm === undefined || isAsymmetricAlgorithm(algorithm)) {
    const chosen: AsymmetricAlgorithm | undefined = algorithm
    const choice = { chosen, fallback: undefined }
    return importSigningKey(option, material as PrivateKey, choice, signal)
  }
  const bytes = bytesOf(material as string | Uint8Array)
  const problem = secretProblem(algorithm, bytes)
  if (problem !== undefined) {
    throw new CredentialError('secret_unavailable', `${option} ${problem}`, {
      provider: 'jwt',
      retryable: true,
    })
  }
  const hash = `SHA-${algorithm.slice(2)}`
  const parameters = { name: 'HMAC', hash }
  const key = await crypto.subtle.importKey('raw', bytes, parameters, false, ['sign'])
  return { key, algorithm, keyId: undefined }
}

function wholeSecond(time: number): number {
  return Math.floor(time / 1000) * 1000
}
