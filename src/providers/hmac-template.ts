/**
 * The message of an HMAC: a template, or a function of the request's parts.
 *
 * @module
 */
import {
  ConfigurationError,
  CredentialError,
  describeThrown,
  isCredentialError,
} from '../errors.ts'
import { cleanText } from '../labels.ts'
import type { HmacChunk, HmacMessage, HmacParts } from './hmac-options.ts'

/** The headers that the message depends on. */
interface SignedHeaders {
  readonly signatureHeader: string
  readonly timestampHeader: string | false
  readonly nonceHeader: string | undefined
}

// Headers that fetch adds are not known when the request is signed.
const unknownHeaders = ['host', 'content-length', 'connection', 'transfer-encoding']

const placeholders: Readonly<Record<string, (parts: HmacParts) => HmacChunk>> = {
  method: ({ method }) => method,
  host: ({ host }) => host,
  path: ({ path }) => path,
  query: ({ query }) => query,
  timestamp: ({ timestamp }) => timestamp,
  nonce: ({ nonce }) => nonce,
  body: ({ body }) => body,
  'body-sha256': ({ bodySha256 }) => bodySha256,
}

/** Compiles a template into a function, so that it is parsed only once. */
export function compileTemplate(template: string, headers: SignedHeaders): HmacMessage {
  if (typeof template !== 'string') throw badMessage('must be a template or a function')
  const segments: (HmacChunk | ((parts: HmacParts) => HmacChunk))[] = []
  const used = new Set<string>()
  // Splitting at a pattern with a group puts literals at even places and placeholders at odd ones.
  for (const [place, text] of template.split(/\{([^{}]*)\}/).entries()) {
    if (place % 2 === 1) {
      used.add(text)
      segments.push(segmentOf(text, headers.signatureHeader))
    } else if (/[{}]/.test(text)) {
      throw badMessage('has an unmatched brace; pass a function to sign braces')
    } else if (text !== '') segments.push(text)
  }
  checkCoverage(used, headers)
  return (parts) =>
    segments.map((segment) => (typeof segment === 'function' ? segment(parts) : segment))
}

function segmentOf(text: string, signatureHeader: string): (parts: HmacParts) => HmacChunk {
  const simple = Object.hasOwn(placeholders, text) ? placeholders[text] : undefined
  if (simple !== undefined) return simple
  const name = text.startsWith('header:') ? text.slice('header:'.length).toLowerCase() : ''
  if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)) {
    const names = Object.keys(placeholders).map((known) => `{${known}}`)
    throw badMessage(
      `has the unknown placeholder {${cleanText(text)}}; there are ${names.join(', ')} and {header:NAME}`,
    )
  }
  if (unknownHeaders.includes(name)) {
    throw badMessage(
      `signs the header ${name}, which is added after signing; use {host} for the host`,
    )
  }
  if (name === signatureHeader.toLowerCase()) {
    throw badMessage('signs the header of the signature itself; leave it out')
  }
  return (parts) => parts.header(name)
}

/** An unsigned time or nonce does not prevent replay, and one that is not sent cannot be verified. */
function checkCoverage(
  used: ReadonlySet<string>,
  { timestampHeader, nonceHeader }: SignedHeaders,
): void {
  if (!used.has('body') && !used.has('body-sha256')) {
    throw badMessage(
      'does not sign the body, so that it could be altered; add {body} or {body-sha256}, or pass a function if the server really leaves it out',
    )
  }
  if (used.has('timestamp') !== (timestampHeader !== false)) {
    throw badMessage(
      timestampHeader === false
        ? 'signs the {timestamp}, which is not sent; name its header in `timestampHeader`'
        : 'does not sign the {timestamp}; add it, or set `timestampHeader: false` to send none',
    )
  }
  if (used.has('nonce') !== (nonceHeader !== undefined)) {
    throw badMessage(
      nonceHeader === undefined
        ? 'signs a {nonce}, which is not sent; name its header in `nonceHeader`'
        : "does not sign the {nonce}; write one that does, such as '{timestamp}.{nonce}.{body}'",
    )
  }
}

function badMessage(problem: string): ConfigurationError {
  return new ConfigurationError('hmac.message', `hmac.message ${problem}.`)
}

/** Returns the chunks of the message. */
export function composeMessage(message: HmacMessage, parts: HmacParts): readonly HmacChunk[] {
  const made = callMessage(message, parts)
  const chunks: readonly unknown[] = Array.isArray(made) ? made : [made]
  for (const chunk of chunks) {
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) {
      throw failedMessage('returned a value other than strings and bytes')
    }
  }
  return chunks as readonly HmacChunk[]
}

function callMessage(message: HmacMessage, parts: HmacParts): unknown {
  try {
    return message(parts)
  } catch (thrown) {
    if (isCredentialError(thrown)) throw thrown
    // Its message may quote the signed content, so only the class is shown.
    throw failedMessage(`threw ${describeThrown(thrown)}`)
  }
}

function failedMessage(what: string): CredentialError {
  return new CredentialError('invalid_credential', `hmac: the function \`message\` ${what}.`, {
    provider: 'hmac',
    remedy: 'Return a string, a Uint8Array or an array of them, not a promise.',
  })
}
