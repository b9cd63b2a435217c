/**
 * Tokens that the client mints itself.
 *
 * @module
 */
import type { Credential, CredentialProvider, Secret } from '../credential.ts'
import { ConfigurationError, CredentialError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { readSecret } from '../secret.ts'
import {
  type AsymmetricAlgorithm,
  checkPrivateKey,
  importPrivateKey,
  isAsymmetricAlgorithm,
  type PrivateKey,
} from '../signing-key.ts'

/** The algorithms of tokens that are signed with a shared secret (RFC 7518, section 3.2). */
export type SharedSecretAlgorithm = 'HS256' | 'HS384' | 'HS512'

/** The claims of a token besides the registered ones; JSON values only. */
export type JwtClaims = Readonly<Record<string, unknown>>

/** What a function that computes claims is told. */
export interface JwtClaimsContext {
  /** The MCP server that the token is for. */
  readonly resource: URL
  /** The server's time in milliseconds since the epoch, as far as known. */
  readonly now: number
}

/** What {@link jwt} puts into its tokens. */
export interface JwtOptions {
  /** The JOSE name of the signature algorithm. `none` does not exist here. */
  readonly algorithm: SharedSecretAlgorithm | AsymmetricAlgorithm
  /** The shared secret of an HS algorithm, at least as long as the hash: 32, 48 or 64 bytes. */
  readonly secret?: Secret | Uint8Array
  /** The private key of any other algorithm; RSA keys have at least 2048 bits. */
  readonly key?: PrivateKey
  /**
   * Signs bytes with a key that cannot be read, in an HSM or a cloud's key service. Resolves to the
   * raw signature; for ES256 and its siblings that is r and s one after the other, not DER.
   */
  readonly sign?: (data: Uint8Array) => Promise<Uint8Array>
  /** The `kid` header, by which the server finds the key. */
  readonly keyId?: string
  /** Further header fields, such as `typ: 'at+jwt'`. */
  readonly header?: Readonly<Record<string, string>>
  /** The `iss` claim. */
  readonly issuer?: string
  /** The `sub` claim. */
  readonly subject?: string
  /** The `aud` claim. */
  readonly audience?: string | readonly string[]
  /** Seconds that a token lives. Default 300. */
  readonly expiresIn?: number
  /** Whether tokens carry the `nbf` claim, the same as `iat`. Default `false`. */
  readonly notBefore?: boolean
  /** Whether tokens carry a `jti` claim, a random UUID. Default `true`. */
  readonly jwtId?: boolean
  /** Further claims: roles, a tenant, permissions; an object, or a function called at each minting. */
  readonly claims?: JwtClaims | ((context: JwtClaimsContext) => JwtClaims | Promise<JwtClaims>)
  /**
   * Mint a token for every single request, for servers that accept each `jti` once. Default `false`:
   * a token is used until shortly before it expires.
   */
  readonly perRequest?: boolean
}

type Sign = (data: Uint8Array) => Promise<Uint8Array>
type SigningKey = CryptoKey | Sign

const hashBytes: Readonly<Record<SharedSecretAlgorithm, number>> = {
  HS256: 32,
  HS384: 48,
  HS512: 64,
}
const known = [
  'algorithm',
  'secret',
  'key',
  'sign',
  'keyId',
  'header',
  'issuer',
  'subject',
  'audience',
  'expiresIn',
  'notBefore',
  'jwtId',
  'claims',
  'perRequest',
]
// Claims that have an option of their own, or that the library computes (RFC 7519, section 4.1).
const registered: Readonly<Record<string, string>> = {
  iss: 'issuer',
  sub: 'subject',
  aud: 'audience',
  exp: 'expiresIn',
  nbf: 'notBefore',
  iat: 'nothing: it is the time of minting',
  jti: 'jwtId',
}

/**
 * Mints JSON Web Tokens and sends them as `Authorization: Bearer`. A new one is minted before the old
 * one expires; the key is imported once, and again only when its source delivers another.
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
 */
export function jwt(options: JwtOptions): CredentialProvider {
  checkJwtOptions(options)
  const { perRequest = false, expiresIn = 300 } = options
  const keys = signingKeys(options)
  const mint = minter(options)
  return {
    name: 'jwt',
    async acquire(context): Promise<Credential> {
      const key = await keys()
      // Loaded once for all tokens of this key: even a module that is there costs more than a signature.
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
      // The claims are in the server's time; the manager compares with this machine's.
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

/** A key pair for those who start; see {@link generateSigningKey}. */
export interface GeneratedSigningKey {
  /** The private key as PKCS #8 PEM. Keep it secret. */
  readonly privateKey: string
  /** The public key as SPKI PEM. */
  readonly publicKey: string
  /** The public key as a JWK set, to publish for servers. */
  readonly jwks: {
    /** The one key. */
    readonly keys: readonly JsonWebKey[]
  }
  /** The key's identifier in the set: its thumbprint (RFC 7638). */
  readonly keyId: string
}

/**
 * Generates a key pair.
 *
 * @param algorithm - What it will sign with. Default `ES256`.
 * @throws {@link ConfigurationError} when the algorithm has no key pairs. For a shared secret take
 * `openssl rand -base64 64`.
 */
export async function generateSigningKey(
  algorithm: AsymmetricAlgorithm = 'ES256',
): Promise<GeneratedSigningKey> {
  if (!isAsymmetricAlgorithm(algorithm)) {
    throw new ConfigurationError(
      'algorithm',
      'generateSigningKey: pass the JOSE name of a signature algorithm, such as ES256.',
    )
  }
  const jose = await import('jose')
  const pair = await jose.generateKeyPair(algorithm, { extractable: true })
  const jwk = await jose.exportJWK(pair.publicKey)
  const keyId = await jose.calculateJwkThumbprint(jwk)
  return {
    privateKey: await jose.exportPKCS8(pair.privateKey),
    publicKey: await jose.exportSPKI(pair.publicKey),
    jwks: { keys: [{ ...jwk, alg: algorithm, use: 'sig', kid: keyId } as JsonWebKey] },
    keyId,
  }
}

type Mint = (
  jose: typeof import('jose'),
  key: SigningKey,
  context: JwtClaimsContext,
) => Promise<string>

/** Puts together once what all tokens have in common. */
function minter(options: JwtOptions): Mint {
  const { algorithm, keyId, header, issuer, subject, audience, claims, expiresIn = 300 } = options
  const { jwtId = true, notBefore = false } = options
  const protectedHeader = {
    typ: 'JWT',
    ...header,
    alg: algorithm,
    ...(keyId === undefined ? {} : { kid: keyId }),
  }
  const common = {
    ...(typeof claims === 'function' ? {} : structuredClone(claims)),
    ...(issuer === undefined ? {} : { iss: issuer }),
    ...(subject === undefined ? {} : { sub: subject }),
    ...(audience === undefined
      ? {}
      : { aud: typeof audience === 'string' ? audience : [...audience] }),
  }
  const encoder = new TextEncoder()
  return async (jose, key, context) => {
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
    // jose has no hook for a signer outside the process, so the compact form is put together here.
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

/** Reads the key's source, and imports the key when it is another than before. */
function signingKeys({ algorithm, secret, key, sign }: JwtOptions): () => Promise<SigningKey> {
  let imported: { readonly material: unknown; readonly key: CryptoKey } | undefined
  return async () => {
    if (sign !== undefined) return sign
    const source = secret ?? key
    const option = secret === undefined ? 'jwt.key' : 'jwt.secret'
    const material =
      typeof source === 'function' ? await readSecret(option, source, () => undefined) : source
    if (imported === undefined || imported.material !== material) {
      imported = { material, key: await importKey(algorithm, option, material) }
    }
    return imported.key
  }
}

async function importKey(
  algorithm: JwtOptions['algorithm'],
  option: string,
  material: unknown,
): Promise<CryptoKey> {
  if (isAsymmetricAlgorithm(algorithm)) {
    return importPrivateKey(option, material as PrivateKey, algorithm)
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
  return crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash }, false, ['sign'])
}

function checkJwtOptions(options: JwtOptions): void {
  checkOptions('jwt', options, known)
  const { algorithm, secret, key, sign, expiresIn, claims, header, keyId } = options
  const fail = (option: string, message: string): never => {
    throw new ConfigurationError(`jwt.${option}`, `jwt.${option} ${message}`)
  }
  const shared = Object.hasOwn(hashBytes, String(algorithm))
  if (!shared && !isAsymmetricAlgorithm(algorithm)) {
    fail('algorithm', 'must be HS256, RS256, PS256, ES256, EdDSA or one of their siblings.')
  }
  if ([secret, key, sign].filter((value) => value !== undefined).length !== 1) {
    fail(
      shared ? 'secret' : 'key',
      'is missing or not alone; give one of `secret`, `key` and `sign`.',
    )
  }
  if (shared && key !== undefined) fail('key', `does not fit ${algorithm}; give \`secret\`.`)
  if (!shared && secret !== undefined) fail('secret', `does not fit ${algorithm}; give \`key\`.`)
  if (sign !== undefined && typeof sign !== 'function') fail('sign', 'must be a function.')
  if (isAsymmetricAlgorithm(algorithm)) {
    if (key !== undefined) checkPrivateKey('jwt.key', key, algorithm)
  } else if (secret !== undefined && typeof secret !== 'function') {
    const problem = secretProblem(algorithm, bytesOf(secret))
    if (problem !== undefined) fail('secret', problem)
  }
  if (expiresIn !== undefined && !(Number.isSafeInteger(expiresIn) && expiresIn > 0)) {
    fail('expiresIn', 'must be a whole number of seconds, at least 1.')
  }
  if (keyId !== undefined && (typeof keyId !== 'string' || keyId === '')) {
    fail('keyId', 'is empty; pass the identifier that the server knows.')
  }
  for (const name of Object.keys(header ?? {})) {
    if (name === 'alg' || name === 'kid')
      fail(`header.${name}`, 'is set by `algorithm` and `keyId`.')
    if (name === 'b64' || name === 'crit') fail(`header.${name}`, 'is not supported.')
  }
  if (typeof claims === 'function' || claims === undefined) return
  const collision = collisionOf(claims)
  if (collision !== undefined) fail('claims', collision)
}

function collisionOf(claims: JwtClaims): string | undefined {
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) {
    return 'must be an object.'
  }
  const name = Object.keys(claims).find((claim) => Object.hasOwn(registered, claim))
  if (name !== undefined) return `must not contain \`${name}\`; use ${registered[name]}.`
  return undefined
}

function secretProblem(algorithm: SharedSecretAlgorithm, bytes: Uint8Array): string | undefined {
  const least = hashBytes[algorithm]
  if (bytes.length >= least) return undefined
  return `has ${bytes.length} bytes; ${algorithm} needs at least ${least} (RFC 7518, section 3.2).`
}

function bytesOf(secret: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return typeof secret === 'string' ? new TextEncoder().encode(secret) : new Uint8Array(secret)
}

function wholeSecond(time: number): number {
  return Math.floor(time / 1000) * 1000
}
