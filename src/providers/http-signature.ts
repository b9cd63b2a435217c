/**
 * HTTP Message Signatures: each request carries a signature over itself.
 *
 * @module
 */
import type { CredentialProvider, OutgoingRequest, Secret } from '../credential.ts'
import { fromBase64, fromHex, toBase64 } from '../encoding.ts'
import { ConfigurationError, CredentialError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { checkSecret, readSecret } from '../secret.ts'
import {
  type AsymmetricAlgorithm,
  checkPrivateKey,
  importPrivateKey,
  type PrivateKey,
  signatureParameters,
} from '../signing-key.ts'
import { checkComponent, signatureBase } from './signature-base.ts'
import { isKey, isStringContent, serializeBytes } from './structured-fields.ts'

/** What a signature covers and says about itself. */
export interface HttpSignatureSettings {
  /** The name by which the server knows the key (`keyid`). */
  readonly keyId: string
  /**
   * What is signed on every request: header names, and the derived components `@method`,
   * `@target-uri`, `@authority`, `@scheme`, `@request-target`, `@path`, `@query` and
   * `@query-param;name="…"`. `content-digest` is added to the requests that have a body, and may be
   * listed here to be on all of them. A request without a listed header is not sent.
   *
   * Default `@method`, `@authority`, `@path` and `@query`. Unlike `@target-uri` these hold no scheme,
   * which differs behind a proxy that ends TLS.
   */
  readonly components?: readonly string[]
  /**
   * Headers that are signed on the requests that carry them, such as `content-type` and
   * `mcp-session-id`. Default none.
   */
  readonly optionalComponents?: readonly string[]
  /**
   * The hash of the body in `Content-Digest`. With `false` there is none, and whoever can change a
   * request on its way can change its body. Default `sha-256`.
   */
  readonly digest?: 'sha-256' | 'sha-512' | false
  /** Whether to say when the signature was made. Default `true`. */
  readonly created?: boolean
  /** Seconds until the signature expires. Default: it is left to the server. */
  readonly expiresIn?: number
  /** Whether each attempt has a fresh random value of 128 bits, against replay. Default `true`. */
  readonly nonce?: boolean
  /** What the signature is for, where the server asks for it. */
  readonly tag?: string
  /** The name of the signature in its headers. Default `sig1`. */
  readonly label?: string
  /** Whether to name the algorithm (`alg`). A server knows it from the key. Default `false`. */
  readonly includeAlgorithm?: boolean
}

/** How to sign: with a shared secret or a private key, and what. */
export type HttpSignatureOptions = HttpSignatureSettings &
  (
    | {
        /** HMAC with a secret that the server knows too. */
        readonly algorithm: 'hmac-sha256'
        /** The secret, of at least 32 bytes. */
        readonly secret: Secret
        /** How the secret is written. Default `utf8`: its characters are its bytes. */
        readonly secretEncoding?: 'utf8' | 'base64' | 'hex'
        /** Not together with `secret`. */
        readonly key?: never
        /** Not together with `secret`. */
        readonly sign?: never
      }
    | {
        /** A signature of which the server needs only the public key. */
        readonly algorithm:
          | 'ed25519'
          | 'ecdsa-p256-sha256'
          | 'ecdsa-p384-sha384'
          | 'rsa-pss-sha512'
          | 'rsa-v1_5-sha256'
        /** The private key. */
        readonly key?: PrivateKey
        /**
         * Signs bytes with a key that cannot be read, in an HSM, an agent process or a cloud's key
         * service; instead of `key`. Resolves to the raw signature: for ECDSA that is r and s one after
         * the other, not DER.
         */
        readonly sign?: (data: Uint8Array) => Promise<Uint8Array>
        /** Not together with `key`. */
        readonly secret?: never
        /** Only together with `secret`. */
        readonly secretEncoding?: never
      }
  )

const joseNames: Readonly<Record<string, AsymmetricAlgorithm>> = {
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
 * Signs each request with HTTP Message Signatures, and its body by way of `Content-Digest`. Each
 * attempt is signed anew. The key is read when it is needed, and again after the server refused it.
 *
 * Put it last in {@link all} to cover what the other parts set, such as `authorization`. Bodies
 * whose bytes are not known before they are sent are refused with the code `unsignable_body`, and
 * requests without a component that is to be covered with `unsignable_request`.
 *
 * @see RFC 9421
 * @see RFC 9530
 *
 * @example
 * ```ts
 * import { file, httpSignature } from 'mcp-credentials'
 *
 * const provider = httpSignature({
 *   algorithm: 'ed25519',
 *   key: file('/run/secrets/mcp-signing-key.pem'),
 *   keyId: 'client-2026',
 *   optionalComponents: ['content-type', 'mcp-session-id'],
 * })
 * ```
 *
 * @throws {@link ConfigurationError} when the algorithm is unknown, the key does not fit it, not exactly
 * one of `key` and `sign` is given for a private key, the secret has fewer than 32 bytes, a component is unknown or listed twice, or a parameter cannot be
 * written in a header.
 */
export function httpSignature(options: HttpSignatureOptions): CredentialProvider {
  checkOptions('httpSignature', options, optionNames)
  checkKey(options)
  checkParameters(options)
  const required = checkComponents('components', options.components ?? defaultComponents)
  const optional = checkOptionalComponents(options.optionalComponents ?? [], required)
  const { digest = 'sha-256', label = 'sig1' } = options
  return {
    name: 'httpSignature',
    async acquire() {
      const sign = await signerOf(options)
      return {
        async apply(request) {
          const { headers } = request
          const components = [...required, ...optional.filter((name) => headers.has(name))]
          const digestIsCovered = components.includes('content-digest')
          const hasBody = request.streamed || request.body !== undefined
          if (digest !== false && (hasBody || digestIsCovered)) {
            headers.set('Content-Digest', await contentDigest(request, digest))
            if (!digestIsCovered) components.push('content-digest')
          }
          const parameters = parametersOf(options, request.now)
          const { base, input } = signatureBase(request, components, parameters)
          const signature = await sign(new TextEncoder().encode(base))
          addMember(headers, 'Signature-Input', label, input)
          addMember(headers, 'Signature', label, serializeBytes(signature))
        },
      }
    },
  }
}

const defaultComponents = ['@method', '@authority', '@path', '@query']

type Sign = (data: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>

async function signerOf(options: HttpSignatureOptions): Promise<Sign> {
  if (options.sign !== undefined) return options.sign
  const [key, parameters] =
    options.algorithm === 'hmac-sha256'
      ? ([await importSecret(options.secret, options.secretEncoding), { name: 'HMAC' }] as const)
      : await importKey(options.key, joseNames[options.algorithm] ?? 'EdDSA')
  return async (data) => new Uint8Array(await crypto.subtle.sign(parameters, key, data))
}

async function importKey(key: PrivateKey | undefined, algorithm: AsymmetricAlgorithm) {
  if (key === undefined) throw new Error('unreachable')
  const imported = await importPrivateKey('httpSignature.key', key, algorithm)
  return [imported, signatureParameters(algorithm)] as const
}

async function importSecret(secret: Secret, encoding: string | undefined): Promise<CryptoKey> {
  const text = await readSecret('httpSignature.secret', secret, (value) =>
    secretProblem(value, encoding),
  )
  const bytes = decoded(text, encoding) ?? new Uint8Array()
  return crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
}

// In the order in which the examples of RFC 9421 have them.
function parametersOf(
  options: HttpSignatureOptions,
  now: number,
): Readonly<Record<string, string | number>> {
  const { created = true, expiresIn, keyId, nonce = true, tag } = options
  const seconds = Math.floor(now / 1000)
  return {
    ...(created ? { created: seconds } : {}),
    ...(expiresIn === undefined ? {} : { expires: seconds + expiresIn }),
    keyid: keyId,
    ...(options.includeAlgorithm === true ? { alg: options.algorithm } : {}),
    ...(nonce ? { nonce: toBase64(crypto.getRandomValues(new Uint8Array(16))) } : {}),
    ...(tag === undefined ? {} : { tag }),
  }
}

/** The value of `Content-Digest` (RFC 9530, section 2). */
async function contentDigest(
  { body, streamed }: OutgoingRequest,
  algorithm: 'sha-256' | 'sha-512',
): Promise<string> {
  if (streamed) {
    throw new CredentialError(
      'unsignable_body',
      'httpSignature: the body is a stream, a blob or a form, so its digest is not known before it is sent.',
      {
        provider: 'httpSignature',
        remedy: 'Send a string or bytes, or leave the body unsigned with `digest: false`.',
      },
    )
  }
  // `fetch` takes no shared memory, so there is none here.
  const bytes = (body ?? new Uint8Array()) as Uint8Array<ArrayBuffer>
  const hash = await crypto.subtle.digest(algorithm.toUpperCase(), bytes)
  return `${algorithm}=${serializeBytes(new Uint8Array(hash))}`
}

function checkKey(options: HttpSignatureOptions): void {
  const { algorithm, key, sign, secret, secretEncoding } = options
  const isHmac = algorithm === 'hmac-sha256'
  if (!isHmac && !(typeof algorithm === 'string' && Object.hasOwn(joseNames, algorithm))) {
    const known = ['hmac-sha256', ...Object.keys(joseNames)].join(', ')
    throw wrong('algorithm', `is unknown; write one of ${known}.`)
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

function checkComponents(name: string, components: readonly string[]): readonly string[] {
  if (!Array.isArray(components)) throw wrong(name, "must be a list, such as ['@method'].")
  return components.map((component) => checkComponent(`httpSignature.${name}`, component))
}

function checkOptionalComponents(
  components: readonly string[],
  required: readonly string[],
): readonly string[] {
  const checked = checkComponents('optionalComponents', components)
  const all = [...required, ...checked]
  const twice = all.find((component, index) => all.indexOf(component) !== index)
  if (twice !== undefined) throw wrong('components', `has ${twice} twice; leave one out.`)
  if (!checked.some((component) => component.startsWith('@'))) return checked
  throw wrong('optionalComponents', 'holds headers only; list the others in `components`.')
}

/** Several signatures may stand side by side, each under a label of its own (RFC 9421, section 4). */
function addMember(headers: Headers, name: string, label: string, value: string): void {
  const others = headers.get(name)
  if (others?.split(/,\s*/).some((member) => member.startsWith(`${label}=`))) {
    throw new CredentialError(
      'unsignable_request',
      `httpSignature: the request already has a signature with the label ${label}.`,
      { provider: 'httpSignature', remedy: 'Give each signature a `label` of its own.' },
    )
  }
  headers.set(name, others === null ? `${label}=${value}` : `${others}, ${label}=${value}`)
}

/** What is wrong with a shared secret (RFC 2104, section 3); `undefined`: nothing. */
function secretProblem(text: string, encoding: string | undefined): string | undefined {
  const bytes = decoded(text, encoding)
  if (bytes === undefined) return `is not ${encoding}; correct it or \`secretEncoding\``
  if (bytes.length >= minimumSecretBytes) return undefined
  return `is shorter than ${minimumSecretBytes} bytes; make one with: openssl rand -base64 32`
}

function decoded(text: string, encoding = 'utf8'): Uint8Array<ArrayBuffer> | undefined {
  if (encoding === 'utf8') return new TextEncoder().encode(text)
  return encoding === 'hex' ? fromHex(text) : fromBase64(text)
}

function wrong(name: string, problem: string): ConfigurationError {
  const option = `httpSignature.${name}`
  return new ConfigurationError(option, `${option} ${problem}`)
}
