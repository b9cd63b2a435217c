/**
 * Signs every request with a shared secret (RFC 2104), so that neither the secret travels nor can
 * the request be altered.
 *
 * @module
 */
import type { Credential, CredentialProvider, OutgoingRequest, Secret } from '../credential.ts'
import {
  type Bytes,
  fromBase64,
  fromHex,
  nodeBuiltin,
  toBase64,
  toBase64Url,
  toHex,
} from '../encoding.ts'
import { ConfigurationError, CredentialError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { checkSecret, headerValueProblem, readSecret } from '../secret.ts'
import { checkHeaderName } from './checks.ts'
import {
  compileTemplate,
  composeMessage,
  type HmacChunk,
  type HmacMessage,
  type HmacParts,
} from './hmac-template.ts'

/**
 * A set of defaults for the other options of {@link hmac}:
 *
 * - `timestamp-body`: `X-Timestamp`, and `X-Signature` over `{timestamp}.{body}`, SHA-256 in hex.
 * - `method-path-body`: the same headers, over
 *   `{method}\n{path}\n{query}\n{timestamp}\n{body}`, each in a line of its own.
 * - `standard-webhooks`: `webhook-id`, `webhook-timestamp`, and `webhook-signature` with `v1,` and
 *   base64 over `{nonce}.{timestamp}.{body}`; the secret is base64 and may begin with `whsec_`.
 *
 * @see https://www.standardwebhooks.com
 */
export type HmacScheme = 'timestamp-body' | 'method-path-body' | 'standard-webhooks'

/** The hash function beneath the signature. */
export type HmacHash = 'sha256' | 'sha384' | 'sha512'

/** How the signature is written. `hex` is in lower case; `base64url` has no padding. */
export type HmacEncoding = 'hex' | 'base64' | 'base64url'

/** How {@link hmac} signs. */
export interface HmacOptions {
  /** The shared secret. A source is read again after a 401, so that a rotated secret is picked up. */
  readonly secret: Secret
  /** How the secret is written down. Default `utf8`: its characters are the key. */
  readonly secretEncoding?: 'utf8' | 'hex' | 'base64'
  /** The defaults of everything below. Default `timestamp-body`. */
  readonly scheme?: HmacScheme
  /**
   * What is signed: a template, or a function. Default: the scheme's.
   *
   * The placeholders are `{method}`, `{host}`, `{path}`, `{query}`, `{timestamp}`, `{nonce}`,
   * `{header:NAME}`, `{body}` and `{body-sha256}`. A template must sign the body through one of the
   * last two, and whatever time and nonce are sent. What a function leaves out is its own affair.
   */
  readonly message?: string | HmacMessage
  /** The hash function. Default `sha256`. */
  readonly hash?: HmacHash
  /** How the signature is written. Default `hex`, or `base64` for `standard-webhooks`. */
  readonly encoding?: HmacEncoding
  /** What stands before the signature, such as `sha256=`. Default: nothing, or `v1,` for `standard-webhooks`. */
  readonly prefix?: string
  /** The header of the signature. Default `X-Signature`, or `webhook-signature`. */
  readonly signatureHeader?: string
  /**
   * The header of the time, in seconds since the epoch. Default `X-Timestamp`, or
   * `webhook-timestamp`; `false`: none, for servers that sign no time.
   */
  readonly timestampHeader?: string | false
  /**
   * The header of a nonce: 128 random bits, fresh for each attempt, for the message's `{nonce}`.
   * Default: none, or `webhook-id` for `standard-webhooks`.
   */
  readonly nonceHeader?: string
  /** Tells the server which secret was used. Default: not sent. */
  readonly keyId?: Secret
  /** The header of `keyId`. Default `X-Key-Id`. */
  readonly keyIdHeader?: string
}

type Preset = Required<Pick<HmacOptions, 'message' | 'signatureHeader' | 'timestampHeader'>> &
  Pick<HmacOptions, 'encoding' | 'prefix' | 'nonceHeader' | 'secretEncoding'>

const presets: Readonly<Record<HmacScheme, Preset>> = {
  'timestamp-body': {
    message: '{timestamp}.{body}',
    signatureHeader: 'X-Signature',
    timestampHeader: 'X-Timestamp',
  },
  'method-path-body': {
    message: '{method}\n{path}\n{query}\n{timestamp}\n{body}',
    signatureHeader: 'X-Signature',
    timestampHeader: 'X-Timestamp',
  },
  'standard-webhooks': {
    message: '{nonce}.{timestamp}.{body}',
    signatureHeader: 'webhook-signature',
    timestampHeader: 'webhook-timestamp',
    nonceHeader: 'webhook-id',
    encoding: 'base64',
    prefix: 'v1,',
    secretEncoding: 'base64',
  },
}

const subtleHashes: Readonly<Record<HmacHash, string>> = {
  sha256: 'SHA-256',
  sha384: 'SHA-384',
  sha512: 'SHA-512',
}
const encoders = { hex: toHex, base64: toBase64, base64url: toBase64Url }
const secretEncodings = ['utf8', 'hex', 'base64'] as const

/**
 * Signs each request, and each retry anew, with a shared secret that is never sent. The time is the
 * server's, as far as known, so a client whose clock is wrong recovers after one 401.
 *
 * With the default scheme, equal bodies within the same second have equal signatures. For a server
 * that remembers signatures, sign a nonce as well, or use `standard-webhooks`.
 *
 * @returns A provider whose credentials throw {@link CredentialError} with the code
 * `unsignable_body` for a body whose bytes are not known before they are sent: a stream, a blob or
 * a multipart form.
 * @throws {@link ConfigurationError} when the secret is empty or not what `secretEncoding` says,
 * when a header name is none, belongs to the transport or is given twice, when the template is
 * wrong, or when the message and the headers of time and nonce do not fit each other.
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
 */
export function hmac(options: HmacOptions): CredentialProvider {
  checkOptions('hmac', options, known)
  const plan = makePlan(options)
  const { secret, keyId } = options
  checkKey(secret, plan.secretProblem)
  if (keyId !== undefined) checkSecret('hmac.keyId', keyId)
  return {
    name: 'hmac',
    async acquire() {
      const [text, id] = await Promise.all([
        readSecret('hmac.secret', secret, plan.secretProblem),
        keyId === undefined ? undefined : readSecret('hmac.keyId', keyId),
      ])
      return makeCredential(plan, plan.decodeSecret(text), id)
    },
  }
}

const known: readonly (keyof HmacOptions)[] = [
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

/** The options with every default filled in and checked. */
interface Plan {
  readonly message: HmacMessage
  readonly hash: HmacHash
  readonly encoding: HmacEncoding
  readonly prefix: string
  readonly signatureHeader: string
  readonly timestampHeader: string | false
  readonly nonceHeader: string | undefined
  readonly keyIdHeader: string
  readonly secretProblem: (text: string) => string | undefined
  readonly decodeSecret: (text: string) => Bytes
}

function makePlan(options: HmacOptions): Plan {
  const { scheme = 'timestamp-body' } = options
  checkChoice('scheme', scheme, Object.keys(presets))
  const preset = presets[scheme]
  const {
    message = preset.message,
    hash = 'sha256',
    encoding = preset.encoding ?? 'hex',
    prefix = preset.prefix ?? '',
    secretEncoding = preset.secretEncoding ?? 'utf8',
    signatureHeader = preset.signatureHeader,
    timestampHeader = preset.timestampHeader,
    nonceHeader = preset.nonceHeader,
    keyIdHeader = 'X-Key-Id',
  } = options
  checkChoice('hash', hash, Object.keys(subtleHashes))
  checkChoice('encoding', encoding, Object.keys(encoders))
  checkChoice('secretEncoding', secretEncoding, secretEncodings)
  checkPrefix(prefix)
  checkNames({
    signatureHeader,
    ...(timestampHeader === false ? {} : { timestampHeader }),
    ...(nonceHeader === undefined ? {} : { nonceHeader }),
    ...(options.keyId === undefined ? {} : { keyIdHeader }),
  })
  if (options.keyIdHeader !== undefined && options.keyId === undefined) {
    throw new ConfigurationError(
      'hmac.keyId',
      'hmac.keyId is missing; give it, or leave out `keyIdHeader`.',
    )
  }
  const headers = { signatureHeader, timestampHeader, nonceHeader }
  return {
    ...headers,
    message: typeof message === 'function' ? message : compileTemplate(message, headers),
    hash,
    encoding,
    prefix,
    keyIdHeader,
    secretProblem: (text) => secretProblem(text, secretEncoding),
    decodeSecret: (text) => decodeSecret(text, secretEncoding),
  }
}

function checkChoice(option: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return
  throw new ConfigurationError(
    `hmac.${option}`,
    `hmac.${option} must be one of ${choices.join(', ')}.`,
  )
}

function checkPrefix(prefix: string): void {
  // A letter stands in for the signature, because a prefix may end with a space.
  const problem = typeof prefix === 'string' ? headerValueProblem(`${prefix}x`) : 'is not a string'
  if (problem === undefined) return
  throw new ConfigurationError(
    'hmac.prefix',
    `hmac.prefix ${problem}; write what stands before the signature, such as sha256=.`,
  )
}

function checkNames(names: Readonly<Record<string, string>>): void {
  const owners = new Map<string, string>()
  for (const [option, name] of Object.entries(names)) {
    checkHeaderName(`hmac.${option}`, name)
    const owner = owners.get(name.toLowerCase())
    if (owner !== undefined) {
      throw new ConfigurationError(
        `hmac.${option}`,
        `hmac: ${owner} and ${option} name the same header, ${name}; choose another for one of them.`,
      )
    }
    owners.set(name.toLowerCase(), option)
  }
}

function checkKey(secret: Secret, problemOf: (text: string) => string | undefined): void {
  if (typeof secret === 'function') return
  const problem = typeof secret === 'string' ? problemOf(secret) : 'is missing'
  if (problem === undefined) return
  throw new ConfigurationError(
    'hmac.secret',
    `hmac.secret ${problem}; pass the secret, or env('NAME') to read it when it is needed.`,
  )
}

function secretProblem(
  text: string,
  encoding: (typeof secretEncodings)[number],
): string | undefined {
  const digits = encoding === 'base64' ? withoutMark(text) : text
  if (digits === '') return 'is empty'
  if (encoding === 'hex') {
    return /^(?:[0-9A-Fa-f]{2})+$/.test(digits)
      ? undefined
      : 'is not in hex, as secretEncoding says'
  }
  if (encoding === 'base64') {
    const isBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/
    return isBase64.test(digits) ? undefined : 'is not base64, as the scheme or secretEncoding says'
  }
  return undefined
}

function decodeSecret(text: string, encoding: (typeof secretEncodings)[number]): Bytes {
  if (encoding === 'utf8') return new TextEncoder().encode(text)
  const bytes = encoding === 'hex' ? fromHex(text) : fromBase64(withoutMark(text))
  return bytes ?? new Uint8Array()
}

// The underscore is no base64 character, so the mark cannot be part of the secret.
function withoutMark(text: string): string {
  return text.startsWith('whsec_') ? text.slice('whsec_'.length) : text
}

async function makeCredential(
  plan: Plan,
  key: Bytes,
  keyId: string | undefined,
): Promise<Credential> {
  const node = nodeBuiltin<NodeCrypto>('node:crypto')
  if (node !== undefined) {
    return { apply: (request) => signNow(plan, node, key, prepare(plan, keyId, request)) }
  }
  const algorithm = { name: 'HMAC', hash: subtleHashes[plan.hash] }
  const imported = await crypto.subtle.importKey('raw', key, algorithm, false, ['sign'])
  return { apply: async (request) => signSoon(plan, imported, prepare(plan, keyId, request)) }
}

type Prepared = Omit<HmacParts, 'bodySha256'> & { readonly headers: Headers }

/** Sets every header but the signature's, since they can be signed too. */
function prepare(plan: Plan, keyId: string | undefined, request: OutgoingRequest): Prepared {
  const { method, url, headers } = request
  if (request.streamed) {
    throw new CredentialError(
      'unsignable_body',
      'hmac: the body is a stream, a blob or a form, whose bytes are not known before they are sent.',
      { provider: 'hmac', resource: url, remedy: 'Send a string or bytes instead.' },
    )
  }
  const timestamp = String(Math.floor(request.now / 1000))
  const nonce = plan.nonceHeader === undefined ? '' : randomNonce()
  if (plan.timestampHeader !== false) headers.set(plan.timestampHeader, timestamp)
  if (plan.nonceHeader !== undefined) headers.set(plan.nonceHeader, nonce)
  if (keyId !== undefined) headers.set(plan.keyIdHeader, keyId)
  return {
    headers,
    method,
    host: url.host,
    path: url.pathname,
    query: url.search.slice(1),
    timestamp,
    nonce,
    body: request.body ?? new Uint8Array(),
    header: (name) => headers.get(name) ?? '',
  }
}

function randomNonce(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(16)))
}

// The few members of node:crypto that sign without a detour over promises; asked for at run time.
interface NodeCrypto {
  createHmac(hash: string, key: Uint8Array): NodeDigest
  createHash(hash: string): NodeDigest
}
interface NodeDigest {
  update(chunk: HmacChunk): NodeDigest
  digest(encoding: HmacEncoding): string
}

function signNow(plan: Plan, node: NodeCrypto, key: Bytes, prepared: Prepared): void {
  const { headers, ...rest } = prepared
  const parts = {
    ...rest,
    get bodySha256() {
      return node.createHash('sha256').update(rest.body).digest('hex')
    },
  }
  // Piece by piece, so that the body is never copied into one message with the rest.
  const digest = node.createHmac(plan.hash, key)
  for (const chunk of composeMessage(plan.message, parts)) digest.update(chunk)
  headers.set(plan.signatureHeader, plan.prefix + digest.digest(plan.encoding))
}

async function signSoon(plan: Plan, key: CryptoKey, prepared: Prepared): Promise<void> {
  const { headers, ...rest } = prepared
  const hash = await crypto.subtle.digest('SHA-256', joined([rest.body]))
  const parts = { ...rest, bodySha256: toHex(new Uint8Array(hash)) }
  const message = joined(composeMessage(plan.message, parts))
  const signature = new Uint8Array(await crypto.subtle.sign('HMAC', key, message))
  headers.set(plan.signatureHeader, plan.prefix + encoders[plan.encoding](signature))
}

function joined(chunks: readonly HmacChunk[]): Bytes {
  const pieces = chunks.map((chunk) =>
    typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk,
  )
  const bytes = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0))
  let offset = 0
  for (const piece of pieces) {
    bytes.set(piece, offset)
    offset += piece.length
  }
  return bytes
}
