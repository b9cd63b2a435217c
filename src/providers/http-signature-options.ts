/**
 * The options of {@link httpSignature}, and their checks.
 *
 * @module
 */
import type { Secret } from '../credential.ts'
import { fromBase64, fromHex } from '../encoding.ts'
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { checkSecret } from '../secret.ts'
import { type AsymmetricAlgorithm, checkPrivateKey, type PrivateKey } from '../signing-key.ts'
import { checkComponent } from './signature-base.ts'
import { isKey, isStringContent } from './structured-fields.ts'

/**
 * What {@link httpSignature} signs, with a shared secret or a private key.
 *
 * @group Signatures and signed tokens
 */
export type HttpSignatureOptions = {
  /** The identifier of the key at the server (`keyid`). */
  readonly keyId: string
  /**
   * What is signed on every request: header names, and the derived components `@method`,
   * `@target-uri`, `@authority`, `@scheme`, `@request-target`, `@path`, `@query` and
   * `@query-param;name="…"`. `content-digest` is added to the requests that have a body, and may be
   * listed here to be on all of them. A request without a listed header is not sent.
   *
   * Default `@method`, `@authority`, `@path` and `@query`. Unlike `@target-uri` they do not contain the
   * scheme, which differs behind a proxy that terminates TLS.
   */
  readonly components?: readonly string[]
  /**
   * Headers that are signed on the requests that carry them, such as `content-type` and
   * `mcp-session-id`. Default none.
   */
  readonly optionalComponents?: readonly string[]
  /**
   * The hash of the body in `Content-Digest`. With `false` there is none, and the body can be changed in
   * transit. Default `sha-256`.
   */
  readonly digest?: 'sha-256' | 'sha-512' | false
  /** Whether to include the time of the signature. Default `true`. */
  readonly created?: boolean
  /** Seconds until the signature expires. Default: the server decides. */
  readonly expiresIn?: number
  /** Whether each attempt has a fresh random value of 128 bits, against replay. Default `true`. */
  readonly nonce?: boolean
  /** The application tag of the signature, where the server requires one. */
  readonly tag?: string
  /** The name of the signature in its headers. Default `sig1`. */
  readonly label?: string
  /** Whether to name the algorithm (`alg`). Servers usually derive it from the key. Default `false`. */
  readonly includeAlgorithm?: boolean
} & (
  | {
      /** HMAC with a secret that the server knows too. */
      readonly algorithm: 'hmac-sha256'
      /** The secret, of at least 32 bytes. */
      readonly secret: Secret
      /** The encoding of the secret. Default `utf8`: its characters are its bytes. */
      readonly secretEncoding?: 'utf8' | 'base64' | 'hex'
      /** Not together with `secret`. */
      readonly key?: never
      /** Not together with `secret`. */
      readonly sign?: never
    }
  | {
      /** An asymmetric signature: the server needs only the public key. */
      readonly algorithm:
        | 'ed25519'
        | 'ecdsa-p256-sha256'
        | 'ecdsa-p384-sha384'
        | 'rsa-pss-sha512'
        | 'rsa-v1_5-sha256'
      /** The private key. */
      readonly key: PrivateKey
      /** Not together with `key`. */
      readonly sign?: never
      /** Not together with `key`. */
      readonly secret?: never
      /** Only together with `secret`. */
      readonly secretEncoding?: never
    }
  | {
      /** An asymmetric signature: the server needs only the public key. */
      readonly algorithm:
        | 'ed25519'
        | 'ecdsa-p256-sha256'
        | 'ecdsa-p384-sha384'
        | 'rsa-pss-sha512'
        | 'rsa-v1_5-sha256'
      /**
       * Signs bytes with a key that cannot be read, in an HSM, an agent process or a cloud's key
       * service. Resolves to the raw signature: for ECDSA that is r and s one after the other, not DER.
       */
      readonly sign: (data: Uint8Array) => Promise<Uint8Array>
      /** Not together with `sign`. */
      readonly key?: never
      /** Not together with `sign`. */
      readonly secret?: never
      /** Only together with `secret`. */
      readonly secretEncoding?: never
    }
)

/** The JOSE names of the algorithms with private keys. */
export const joseNames: Readonly<Record<string, AsymmetricAlgorithm>> = {
  ed25519: 'EdDSA',
  'ecdsa-p256-sha256': 'ES256',
  'ecdsa-p384-sha384': 'ES384',
  'rsa-pss-sha512': 'PS512',
  'rsa-v1_5-sha256': 'RS256',
}
const optionNames: readonly (keyof HttpSignatureOptions)[] = [
  'algorithm',
  'key',
  'sign',
  'secret',
  'secretEncoding',
  'keyId',
  'components',
  'optionalComponents',
  'digest',
  'created',
  'expiresIn',
  'nonce',
  'tag',
  'label',
  'includeAlgorithm',
]
const minimumSecretBytes = 32

/**
 * Checks everything that can be known before a source is read.
 *
 * @throws {@link ConfigurationError} that names the option.
 */
export function checkHttpSignatureOptions(options: HttpSignatureOptions): void {
  checkOptions('httpSignature', options, optionNames)
  checkKey(options)
  checkParameters(options)
}

function checkKey(options: HttpSignatureOptions): void {
  const { algorithm, key, sign, secret, secretEncoding } = options
  const isHmac = algorithm === 'hmac-sha256'
  if (!isHmac && !(typeof algorithm === 'string' && Object.hasOwn(joseNames, algorithm))) {
    const known = ['hmac-sha256', ...Object.keys(joseNames)].join(', ')
    throw wrong('algorithm', `is unknown; pass one of ${known}.`)
  }
  if (isHmac) {
    for (const [name, value] of Object.entries({ key, sign })) {
      if (value !== undefined) throw wrong(name, 'does not fit hmac-sha256; pass `secret` instead.')
    }
    if (![undefined, 'utf8', 'base64', 'hex'].includes(secretEncoding)) {
      throw wrong('secretEncoding', "must be 'utf8', 'base64' or 'hex'.")
    }
    checkSecret('httpSignature.secret', secret)
    if (typeof secret !== 'string') return
    const problem = secretProblem(secret, secretEncoding)
    if (problem !== undefined) throw wrong('secret', `${problem}.`)
    return
  }
  for (const [name, value] of Object.entries({ secret, secretEncoding })) {
    if (value !== undefined) throw wrong(name, `does not fit ${algorithm}; pass \`key\` instead.`)
  }
  if (sign === undefined) {
    checkPrivateKey('httpSignature.key', key, joseNames[algorithm] ?? 'EdDSA')
    return
  }
  if (typeof sign !== 'function') throw wrong('sign', 'must be a function.')
  if (key !== undefined) throw wrong('sign', 'is given together with `key`; leave one out.')
}

function checkParameters(options: HttpSignatureOptions): void {
  const { keyId, tag, label, expiresIn, digest } = options
  const isText = (value: unknown) =>
    typeof value === 'string' && value !== '' && isStringContent(value)
  if (!isText(keyId)) throw wrong('keyId', 'must be printable ASCII, such as client-2026.')
  if (tag !== undefined && !isText(tag)) throw wrong('tag', 'must be printable ASCII.')
  if (label !== undefined && !(typeof label === 'string' && isKey(label))) {
    throw wrong('label', 'must be lower-case letters, digits, _, -, . or *, such as sig1.')
  }
  // The limit keeps the sum with the time within the Integers of RFC 9651, section 3.3.1.
  if (expiresIn !== undefined && !(Number.isInteger(expiresIn) && expiresIn > 0 && expiresIn < 1e9))
    throw wrong('expiresIn', 'must be a positive whole number of seconds, such as 60.')
  if (digest !== undefined && digest !== false && digest !== 'sha-256' && digest !== 'sha-512') {
    throw wrong('digest', "must be 'sha-256', 'sha-512' or false.")
  }
  for (const name of ['created', 'nonce', 'includeAlgorithm'] as const) {
    const value: unknown = options[name]
    if (value !== undefined && typeof value !== 'boolean') throw wrong(name, 'must be a boolean.')
  }
}

/** Checks the components that are signed on every request. */
export function checkComponents(name: string, components: readonly string[]): readonly string[] {
  if (!Array.isArray(components)) throw wrong(name, "must be a list, such as ['@method'].")
  return components.map((component) => checkComponent(`httpSignature.${name}`, component))
}

/** Checks the names of headers that are signed where they are sent. */
export function checkOptionalComponents(
  components: readonly string[],
  required: readonly string[],
): readonly string[] {
  const checked = checkComponents('optionalComponents', components)
  const all = [...required, ...checked]
  const twice = all.find((component, index) => all.indexOf(component) !== index)
  if (twice !== undefined) throw wrong('components', `has ${twice} twice; leave one out.`)
  if (!checked.some((component) => component.startsWith('@'))) return checked
  throw wrong('optionalComponents', 'may contain only headers; list the others in `components`.')
}

/** Returns what is wrong with a shared secret (RFC 2104, section 3); `undefined`: nothing. */
export function secretProblem(text: string, encoding: string | undefined): string | undefined {
  const bytes = decoded(text, encoding)
  if (bytes === undefined) return `is not ${encoding}; correct it or \`secretEncoding\``
  if (bytes.length >= minimumSecretBytes) return undefined
  return `is shorter than ${minimumSecretBytes} bytes; generate one with: openssl rand -base64 32`
}

/** The bytes of a shared secret; `undefined`: it is not in this encoding. */
export function decoded(text: string, encoding = 'utf8'): Uint8Array<ArrayBuffer> | undefined {
  if (encoding === 'utf8') return new TextEncoder().encode(text)
  return encoding === 'hex' ? fromHex(text) : fromBase64(text)
}

function wrong(name: string, problem: string): ConfigurationError {
  const option = `httpSignature.${name}`
  return new ConfigurationError(option, `${option} ${problem}`)
}
