/**
 * HTTP Message Signatures: each request carries its own signature.
 *
 * @module
 */
import type { CredentialProvider, OutgoingRequest } from '../credential.ts'
import { toBase64 } from '../encoding.ts'
import { CredentialError } from '../errors.ts'
import { describeSecret, readSecret } from '../secret.ts'
import {
  type AsymmetricAlgorithm,
  importPrivateKey,
  type PrivateKey,
  signatureParameters,
} from '../signing-key.ts'
import {
  checkComponents,
  checkHttpSignatureOptions,
  checkOptionalComponents,
  decoded,
  type HttpSignatureOptions,
  joseNames,
  secretProblem,
} from './http-signature-options.ts'
import { signatureBase } from './signature-base.ts'
import { serializeBytes } from './structured-fields.ts'

export type { HttpSignatureOptions } from './http-signature-options.ts'

/**
 * Signs each request with HTTP Message Signatures, and its body through `Content-Digest`. Each attempt is
 * signed anew. The key is read when it is needed, and again after the server refuses a request.
 *
 * Put it last in {@link all} to cover headers that the other parts set, such as `authorization`. Bodies whose
 * bytes are not known before they are sent are refused with the code `unsignable_body`, and requests that
 * lack a covered component with `unsignable_request`.
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
 * @throws {@link ConfigurationError} when the algorithm is unknown, the key does not fit it, an
 * asymmetric algorithm has not exactly one of `key` and `sign`, the secret has fewer than 32 bytes,
 * a component is unknown or listed twice, or a parameter cannot be written in a header.
 * @group Signatures and signed tokens
 */
export function httpSignature(options: HttpSignatureOptions): CredentialProvider {
  checkHttpSignatureOptions(options)
  const required = checkComponents('components', options.components ?? defaultComponents)
  const optional = checkOptionalComponents(options.optionalComponents ?? [], required)
  const { digest = 'sha-256', label = 'sig1' } = options
  return {
    name: 'httpSignature',
    source: describeSecret(options.secret, options.key, options.sign),
    async acquire({ signal }) {
      const sign = await signerOf(options, signal)
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

async function signerOf(options: HttpSignatureOptions, signal: AbortSignal): Promise<Sign> {
  if (options.sign !== undefined) return options.sign
  const [key, parameters] =
    options.algorithm === 'hmac-sha256'
      ? ([await importSecret(options, signal), { name: 'HMAC' }] as const)
      : await importKey(options.key, joseNames[options.algorithm] ?? 'EdDSA', signal)
  return async (data) => new Uint8Array(await crypto.subtle.sign(parameters, key, data))
}

async function importKey(key: PrivateKey, algorithm: AsymmetricAlgorithm, signal: AbortSignal) {
  const imported = await importPrivateKey('httpSignature.key', key, algorithm, signal)
  return [imported, signatureParameters(algorithm)] as const
}

async function importSecret(
  { secret, secretEncoding: encoding }: Extract<HttpSignatureOptions, { algorithm: 'hmac-sha256' }>,
  signal: AbortSignal,
): Promise<CryptoKey> {
  const problemOf = (value: string) => secretProblem(value, encoding)
  const text = await readSecret('httpSignature.secret', secret, { signal, problemOf })
  const bytes = decoded(text, encoding) ?? new Uint8Array()
  return crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
}

// In the order of the examples of RFC 9421.
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
  // `fetch` does not accept shared memory, so the body is never in it.
  const bytes = (body ?? new Uint8Array()) as Uint8Array<ArrayBuffer>
  const hash = await crypto.subtle.digest(algorithm.toUpperCase(), bytes)
  return `${algorithm}=${serializeBytes(new Uint8Array(hash))}`
}

/** A request may have several signatures, each with its own label (RFC 9421, section 4). */
function addMember(headers: Headers, name: string, label: string, value: string): void {
  const others = headers.get(name)
  if (others?.split(/,\s*/).some((member) => member.startsWith(`${label}=`))) {
    throw new CredentialError(
      'unsignable_request',
      `httpSignature: the request already has a signature with the label ${label}.`,
      { provider: 'httpSignature', remedy: 'Give each signature its own `label`.' },
    )
  }
  headers.set(name, others === null ? `${label}=${value}` : `${others}, ${label}=${value}`)
}
