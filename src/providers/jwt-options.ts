/**
 * The options of {@link jwt}, and their checks.
 *
 * @module
 */
import type { Secret } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import {
  type AsymmetricAlgorithm,
  checkPrivateKey,
  isAsymmetricAlgorithm,
  type PrivateKey,
} from '../signing-key.ts'

/**
 * The claims and the key of {@link jwt}.
 *
 * @group Signatures and signed tokens
 */
export type JwtOptions = {
  /** The `kid` header, by which the server finds the key. Default: the `kid` of a JWK. */
  readonly keyId?: string
  /** Further header fields, such as `typ: 'at+jwt'`. */
  readonly header?: Readonly<Record<string, string>>
  /** The `iss` claim. */
  readonly issuer?: string
  /** The `sub` claim. */
  readonly subject?: string
  /** The `aud` claim. */
  readonly audience?: string | readonly string[]
  /** Lifetime of a token in seconds. Default 300. */
  readonly expiresIn?: number
  /** Whether tokens carry the `nbf` claim, the same as `iat`. Default `false`. */
  readonly notBefore?: boolean
  /** Whether tokens carry a `jti` claim, a random UUID. Default `true`. */
  readonly jwtId?: boolean
  /**
   * Further claims: roles, a tenant, permissions; JSON values only. An object, or a function called at
   * each minting.
   */
  readonly claims?:
    | Readonly<Record<string, unknown>>
    | ((context: {
        /** The MCP server that the token is for. */
        readonly resource: URL
        /** The time in milliseconds since the epoch, by the server's clock where its offset is known. */
        readonly now: number
      }) => Readonly<Record<string, unknown>> | Promise<Readonly<Record<string, unknown>>>)
  /**
   * Whether to mint a token for every request, for servers that accept each `jti` once. Default `false`:
   * a token is used until shortly before it expires.
   */
  readonly perRequest?: boolean
} & (
  | {
      /** HMAC with a secret that the server knows too (RFC 7518, section 3.2). */
      readonly algorithm: 'HS256' | 'HS384' | 'HS512'
      /** The shared secret, at least as long as the hash: 32, 48 or 64 bytes. */
      readonly secret: Secret | Uint8Array
      /** Not together with `secret`. */
      readonly key?: never
      /** Not together with `secret`. */
      readonly sign?: never
    }
  | {
      /**
       * The JOSE name of an asymmetric signature algorithm. Default: the `alg` of a JWK; required for a key
       * that names none.
       */
      readonly algorithm?: AsymmetricAlgorithm
      /** The private key; RSA keys have at least 2048 bits. */
      readonly key: PrivateKey
      /** Not together with `key`. */
      readonly secret?: never
      /** Not together with `key`. */
      readonly sign?: never
    }
  | {
      /** The JOSE name of the signatures of `sign`. `none` is not supported. */
      readonly algorithm: 'HS256' | 'HS384' | 'HS512' | AsymmetricAlgorithm
      /**
       * Signs bytes with a key that cannot be read, in an HSM or a cloud's key service. Resolves to the
       * raw signature; for ES256, ES384 and ES512 that is r and s one after the other, not DER.
       */
      readonly sign: (data: Uint8Array) => Promise<Uint8Array>
      /** Not together with `sign`. */
      readonly secret?: never
      /** Not together with `sign`. */
      readonly key?: never
    }
)

/** The claims of a token besides the registered ones. */
export type JwtClaims = Exclude<NonNullable<JwtOptions['claims']>, (...args: never) => unknown>
type SharedSecretAlgorithm = Exclude<JwtOptions['algorithm'], AsymmetricAlgorithm | undefined>

const hashBytes: Readonly<Record<SharedSecretAlgorithm, number>> = {
  HS256: 32,
  HS384: 48,
  HS512: 64,
}
const knownOptions = [
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
 * Checks everything that is known before a source is read.
 *
 * @throws {@link ConfigurationError} that names the option.
 */
export function checkJwtOptions(options: JwtOptions): void {
  checkOptions('jwt', options, knownOptions)
  checkSigner(options)
  const { expiresIn, claims, header, keyId } = options
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

function checkSigner({ algorithm, secret, key, sign }: JwtOptions): void {
  const shared = Object.hasOwn(hashBytes, String(algorithm))
  const isOpen = algorithm === undefined && key !== undefined
  if (!shared && !isOpen && !isAsymmetricAlgorithm(algorithm)) {
    fail('algorithm', 'must be a JOSE name such as HS256, RS256, PS256, ES256 or EdDSA.')
  }
  if ([secret, key, sign].filter((value) => value !== undefined).length !== 1) {
    fail(
      shared ? 'secret' : 'key',
      'is missing or given with another; pass exactly one of `secret`, `key` and `sign`.',
    )
  }
  if (shared && key !== undefined) fail('key', `does not fit ${algorithm}; pass \`secret\`.`)
  if (!shared && secret !== undefined) fail('secret', `does not fit ${algorithm}; pass \`key\`.`)
  if (sign !== undefined && typeof sign !== 'function') fail('sign', 'must be a function.')
  if (algorithm === undefined || isAsymmetricAlgorithm(algorithm)) {
    const choice = { chosen: algorithm, fallback: undefined }
    if (key !== undefined) checkPrivateKey('jwt.key', key, choice)
  } else if (secret !== undefined && typeof secret !== 'function') {
    const problem = secretProblem(algorithm, bytesOf(secret))
    if (problem !== undefined) fail('secret', problem)
  }
}

function fail(option: string, message: string): never {
  throw new ConfigurationError(`jwt.${option}`, `jwt.${option} ${message}`)
}

/** Returns what is wrong with claims; `undefined`: nothing. */
export function collisionOf(claims: JwtClaims): string | undefined {
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) {
    return 'must be an object.'
  }
  const name = Object.keys(claims).find((claim) => Object.hasOwn(registered, claim))
  if (name !== undefined) return `must not contain \`${name}\`; use ${registered[name]}.`
  return undefined
}

/** Returns what is wrong with a shared secret; `undefined`: nothing. */
export function secretProblem(
  algorithm: SharedSecretAlgorithm,
  bytes: Uint8Array,
): string | undefined {
  const least = hashBytes[algorithm]
  if (bytes.length >= least) return undefined
  return `has ${bytes.length} bytes; ${algorithm} needs at least ${least} (RFC 7518, section 3.2).`
}

/** The bytes of a shared secret. */
export function bytesOf(secret: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return typeof secret === 'string' ? new TextEncoder().encode(secret) : new Uint8Array(secret)
}
