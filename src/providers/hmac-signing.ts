/**
 * Signs requests with a shared secret.
 *
 * @module
 */
import type { Credential, OutgoingRequest } from '../credential.ts'
import { type Bytes, nodeBuiltin, toBase64, toBase64Url, toHex } from '../encoding.ts'
import { CredentialError } from '../errors.ts'
import type { HmacChunk, HmacEncoding, HmacHash, HmacParts } from './hmac-options.ts'
import type { HmacPlan } from './hmac-scheme.ts'
import { composeMessage } from './hmac-template.ts'

const subtleHashes: Readonly<Record<HmacHash, string>> = {
  sha256: 'SHA-256',
  sha384: 'SHA-384',
  sha512: 'SHA-512',
}
const encoders = { hex: toHex, base64: toBase64, base64url: toBase64Url }

/** Makes a credential that signs each attempt anew: synchronously on Node, by WebCrypto elsewhere. */
export async function signingCredential(
  plan: HmacPlan,
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

/** Sets every header but the signature's, because they can be signed too. */
function prepare(plan: HmacPlan, keyId: string | undefined, request: OutgoingRequest): Prepared {
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

// The few members of node:crypto that sign synchronously; loaded at run time.
interface NodeCrypto {
  createHmac(hash: string, key: Uint8Array): NodeDigest
  createHash(hash: string): NodeDigest
}
interface NodeDigest {
  update(chunk: HmacChunk): NodeDigest
  digest(encoding: HmacEncoding): string
}

function signNow(plan: HmacPlan, node: NodeCrypto, key: Bytes, prepared: Prepared): void {
  const { headers, ...rest } = prepared
  const parts = {
    ...rest,
    get bodySha256() {
      return node.createHash('sha256').update(rest.body).digest('hex')
    },
  }
  // Chunk by chunk, so that the body is not copied into the message.
  const digest = node.createHmac(plan.hash, key)
  for (const chunk of composeMessage(plan.message, parts)) digest.update(chunk)
  headers.set(plan.signatureHeader, plan.prefix + digest.digest(plan.encoding))
}

async function signSoon(plan: HmacPlan, key: CryptoKey, prepared: Prepared): Promise<void> {
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
