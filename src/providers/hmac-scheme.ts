/**
 * The options of {@link hmac} with every default filled in and checked.
 *
 * @module
 */
import { type Bytes, fromBase64, fromHex } from '../encoding.ts'
import { ConfigurationError } from '../errors.ts'
import { headerValueProblem } from '../secret.ts'
import { checkHeaderName } from './checks.ts'
import type {
  HmacEncoding,
  HmacHash,
  HmacMessage,
  HmacOptions,
  HmacScheme,
  SecretEncoding,
} from './hmac-options.ts'
import { compileTemplate } from './hmac-template.ts'

/** How requests are signed. */
export interface HmacPlan {
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

interface Preset {
  readonly message: string
  readonly signatureHeader: string
  readonly timestampHeader: string
  readonly nonceHeader?: string
  readonly encoding?: HmacEncoding
  readonly prefix?: string
  readonly secretEncoding?: SecretEncoding
}

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

const hashes: readonly HmacHash[] = ['sha256', 'sha384', 'sha512']
const encodings: readonly HmacEncoding[] = ['hex', 'base64', 'base64url']
const secretEncodings: readonly SecretEncoding[] = ['utf8', 'hex', 'base64']

/**
 * Fills in the defaults of the scheme.
 *
 * @throws {@link ConfigurationError} when the options contradict each other.
 */
export function makePlan(options: HmacOptions): HmacPlan {
  const { scheme = 'timestamp-body' } = options
  checkChoice('scheme', scheme, Object.keys(presets))
  if (options.scheme !== undefined && options.message !== undefined) {
    throw new ConfigurationError(
      'hmac.message',
      'hmac: `scheme` defines the message; leave out `scheme`, or `message`.',
    )
  }
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
  checkChoice('hash', hash, hashes)
  checkChoice('encoding', encoding, encodings)
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
      'hmac.keyId is missing; pass it, or leave out `keyIdHeader`.',
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
    `hmac.prefix ${problem}; pass the text before the signature, such as sha256=.`,
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

function secretProblem(text: string, encoding: SecretEncoding): string | undefined {
  const digits = encoding === 'base64' ? withoutPrefix(text) : text
  if (digits === '') return 'is empty'
  if (encoding === 'hex') {
    return /^(?:[0-9A-Fa-f]{2})+$/.test(digits)
      ? undefined
      : 'is not hex, which `secretEncoding` requires'
  }
  if (encoding === 'base64') {
    const isBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/
    return isBase64.test(digits)
      ? undefined
      : 'is not base64, which the scheme or `secretEncoding` requires'
  }
  return undefined
}

function decodeSecret(text: string, encoding: SecretEncoding): Bytes {
  if (encoding === 'utf8') return new TextEncoder().encode(text)
  const bytes = encoding === 'hex' ? fromHex(text) : fromBase64(withoutPrefix(text))
  return bytes ?? new Uint8Array()
}

// The underscore is not a base64 character, so the prefix cannot be part of the secret.
function withoutPrefix(text: string): string {
  return text.startsWith('whsec_') ? text.slice('whsec_'.length) : text
}
