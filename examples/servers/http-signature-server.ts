import { createHash, type KeyObject, verify } from 'node:crypto'
import type express from 'express'
import { isSignatureError, type Verifier, verifySignature } from 'http-message-sig'
import {
  type HostOptions,
  type Identity,
  type RunningServer,
  startMcpServer,
} from './mcp-server.ts'

/** Whose an Ed25519 public key is. */
export interface KnownKey {
  readonly subject: string
  readonly publicKey: KeyObject
}

/** Options of {@link startHttpSignatureServer}. */
export interface HttpSignatureServerOptions extends HostOptions {
  /** The known keys, by their `keyid`. */
  readonly keys: Readonly<Record<string, KnownKey>>
}

/** A server whose keys can be rotated. */
export interface HttpSignatureServer extends RunningServer {
  /** From now on only these keys are valid. */
  replaceKeys(keys: Readonly<Record<string, KnownKey>>): void
}

interface KeyVerifier extends Verifier {
  readonly subject: string
}

const maxAge = 300

/** Starts an MCP server that wants every request signed (RFC 9421), its body included (RFC 9530). */
export async function startHttpSignatureServer(
  options: HttpSignatureServerOptions,
): Promise<HttpSignatureServer> {
  let { keys } = options
  const { keys: _keys, ...host } = options
  const seenNonces = new Map<string, number>()

  const authenticate = async (request: express.Request, rawBody: Buffer) => {
    // A signature for another server, sent on to this one, carries the other's authority.
    if (request.headers.host !== server.url.host) return {}
    if (rawBody.length > 0 && !digestMatches(request.get('Content-Digest'), rawBody)) return {}
    try {
      return { identity: await identify(request, rawBody.length > 0) }
    } catch (error) {
      if (isSignatureError(error)) return {}
      throw error
    }
  }

  const identify = async (request: express.Request, hasBody: boolean): Promise<Identity> => {
    const { verifier } = await verifySignature<KeyVerifier>(describe(request), {
      policy: {
        algorithms: ['ed25519'],
        requiredComponents: [
          ...['@method', '@authority', '@path', '@query'],
          ...(hasBody ? ['content-digest'] : []),
        ],
        requiredParameters: ['created', 'keyid', 'nonce'],
        maxAge,
        clockSkew: 5,
        validate: ({ parameters: { keyid, nonce } }) => remember(`${keyid} ${nonce}`),
      },
      resolveVerifier: ({ parameters: { keyid = '' } }) => {
        const known = Object.hasOwn(keys, keyid) ? keys[keyid] : undefined
        if (known === undefined) throw new Error(`There is no key ${keyid}.`)
        return verifierOf(known)
      },
    })
    return { subject: verifier.subject }
  }

  /** Whether a nonce is new; those of signatures that are too old by now are forgotten. */
  const remember = (nonce: string): boolean => {
    const now = Date.now()
    for (const [old, until] of seenNonces) if (until < now) seenNonces.delete(old)
    if (seenNonces.has(nonce)) return false
    seenNonces.set(nonce, now + (maxAge + 10) * 1000)
    return true
  }

  const server: RunningServer = await startMcpServer({ ...host, authenticate })
  return {
    ...server,
    replaceKeys: (next) => {
      keys = next
    },
  }
}

/** The request as it came, for the verifier. */
function describe(request: express.Request) {
  const { rawHeaders } = request
  const fields = rawHeaders.flatMap((name, index) =>
    index % 2 === 0 ? [{ name, value: rawHeaders[index + 1] ?? '' }] : [],
  )
  return {
    kind: 'request' as const,
    method: request.method,
    targetUri: `${request.protocol}://${request.headers.host}${request.originalUrl}`,
    fields,
  }
}

function verifierOf({ subject, publicKey }: KnownKey): KeyVerifier {
  return {
    subject,
    algorithm: 'ed25519',
    verify: (data, signature) => verify(null, data, publicKey, signature),
  }
}

function digestMatches(header: string | undefined, body: Buffer): boolean {
  const [, algorithm, digest] = /^(sha-256|sha-512)=:([^:]+):$/.exec(header ?? '') ?? []
  if (algorithm === undefined) return false
  return createHash(algorithm.replace('-', '')).update(body).digest('base64') === digest
}
