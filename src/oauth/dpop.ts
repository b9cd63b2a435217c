/**
 * Proof of possession: tokens that cannot be used without their key.
 *
 * @module
 */
import type { JWTHeaderParameters } from 'jose'
import type { OutgoingRequest } from '../credential.ts'
import { toBase64Url } from '../encoding.ts'
import { ConfigurationError } from '../errors.ts'

/** The JOSE name of the algorithm that proofs are signed with. */
export type DpopAlgorithm = 'ES256' | 'Ed25519' | 'RS256' | 'PS256'

/** The option `dpop`, as its object. */
interface DpopOptions {
  readonly algorithm?: DpopAlgorithm
  readonly required?: boolean
}

/** A key, and what each server demanded of the proofs made with it. */
export interface DpopSession {
  /** The key pair; made, or read from what was kept, when it is first needed. */
  readonly keyPair: () => Promise<CryptoKeyPair>
  readonly required: boolean
  /** Puts the token and a fresh proof on a request. */
  apply(request: OutgoingRequest, accessToken: string): Promise<void>
  /** Learns a nonce; `true` when the server asks for another proof with it. */
  observe(response: Pick<Response, 'status' | 'headers'>, request: OutgoingRequest): boolean
}

const algorithms: readonly string[] = ['ES256', 'Ed25519', 'RS256', 'PS256']

/**
 * Fills in the defaults; `undefined`: no proofs.
 *
 * @throws `ConfigurationError` when an option is wrong.
 */
export function resolveDpop(
  provider: string,
  option: boolean | DpopOptions | undefined,
): Required<DpopOptions> | undefined {
  if (option === undefined || option === false) return undefined
  const { algorithm = 'ES256', required = true } = option === true ? {} : option
  if (!algorithms.includes(algorithm)) {
    throw new ConfigurationError(
      `${provider}.dpop.algorithm`,
      `${provider}.dpop.algorithm must be one of ${algorithms.join(', ')}; proofs are never made with a shared secret.`,
    )
  }
  return { algorithm, required }
}

/** The DPoP sessions of one provider: one key for each MCP server, to which its tokens are bound. */
export class DpopSessions {
  readonly #provider: string
  readonly #options: Required<DpopOptions> | undefined
  readonly #sessions = new Map<string, DpopSession>()

  /** @throws `ConfigurationError` when the option is wrong. */
  constructor(provider: string, option: boolean | DpopOptions | undefined) {
    this.#provider = provider
    this.#options = resolveDpop(provider, option)
  }

  /**
   * Returns the session for an MCP server; `undefined`: tokens are not bound to a key.
   *
   * @param held - The session of the tokens that are renewed.
   */
  of(resource: URL, held: DpopSession | undefined): DpopSession | undefined {
    const existing = held ?? this.#sessions.get(resource.href)
    if (this.#options === undefined) return existing
    const session = existing ?? startDpop(this.#options, undefined)
    this.#sessions.set(resource.href, session)
    return session
  }

  /** Continues the session of stored tokens. Those bound to a key stay so, also without `dpop: true`. */
  restore(tokens: {
    readonly tokenType: 'bearer' | 'dpop'
    readonly dpopKey: JsonWebKey | undefined
  }): DpopSession | undefined {
    const isBound = tokens.tokenType === 'dpop'
    const options = this.#options ?? resolveDpop(this.#provider, isBound)
    return options === undefined ? undefined : startDpop(options, tokens.dpopKey)
  }
}

/** Starts a session with a new key, or with one that was kept. */
export function startDpop(
  { algorithm, required }: Required<DpopOptions>,
  kept: JsonWebKey | undefined,
): DpopSession {
  const nonces = new Map<string, string>()
  // Requests that are under way at once are each told of the nonce that they lacked.
  const used = new WeakMap<Headers, string>()
  const keyPair = shared(() =>
    kept === undefined
      ? // Extractable, because a refresh token bound to a lost key is lost too (RFC 9449 section 5).
        generateKeyPair(algorithm)
      : importKeyPair(kept),
  )
  const signer = shared(async () => signerOf(await keyPair()))
  return {
    keyPair,
    required,
    async apply(request, accessToken) {
      const { url, headers } = request
      const nonce = nonces.get(url.origin)
      const proof = await prove(await signer(), request, accessToken, nonce)
      headers.set('Authorization', `DPoP ${accessToken}`)
      headers.set('DPoP', proof)
      if (nonce !== undefined) used.set(headers, nonce)
    },
    observe({ status, headers }, { url, headers: sent }) {
      const nonce = headers.get('DPoP-Nonce')
      if (nonce === null || !/^[\x21\x23-\x5b\x5d-\x7e]{1,512}$/.test(nonce)) return false
      nonces.set(url.origin, nonce)
      const challenge = headers.get('WWW-Authenticate') ?? ''
      return status === 401 && used.get(sent) !== nonce && /use_dpop_nonce/.test(challenge)
    },
  }
}

/**
 * Makes something once, for all who ask. When that fails, those who waited try themselves: in a Worker it
 * fails for them when the request that began it has ended.
 */
function shared<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return async () => {
    for (;;) {
      const isOwn = made === undefined
      made ??= make()
      const current = made
      try {
        return await current
      } catch (error) {
        if (made === current) made = undefined
        if (isOwn) throw error
      }
    }
  }
}

/** The key as JSON, for a store. */
export async function exportKeyPair({ privateKey }: CryptoKeyPair): Promise<JsonWebKey> {
  const {
    key_ops: _operations,
    ext: _extractable,
    ...jwk
  } = await crypto.subtle.exportKey('jwk', privateKey)
  return jwk
}

async function importKeyPair(jwk: JsonWebKey): Promise<CryptoKeyPair> {
  const parameters =
    jwk.kty === 'EC'
      ? { name: 'ECDSA', namedCurve: 'P-256' }
      : jwk.kty === 'OKP'
        ? { name: 'Ed25519' }
        : { name: jwk.alg === 'PS256' ? 'RSA-PSS' : 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...publicJwk } = jwk
  return {
    privateKey: await crypto.subtle.importKey('jwk', jwk, parameters, true, ['sign']),
    publicKey: await crypto.subtle.importKey('jwk', publicJwk, parameters, true, ['verify']),
  }
}

async function generateKeyPair(algorithm: DpopAlgorithm): Promise<CryptoKeyPair> {
  const jose = await import('jose')
  return jose.generateKeyPair(algorithm, { extractable: true })
}

/** What all proofs of a key have in common. */
interface ProofSigner {
  readonly key: CryptoKey
  readonly header: { readonly alg: DpopAlgorithm; readonly typ: string; readonly jwk: JsonWebKey }
}

async function signerOf({ privateKey, publicKey }: CryptoKeyPair): Promise<ProofSigner> {
  const { kty, crv, x, y, e, n } = await crypto.subtle.exportKey('jwk', publicKey)
  const jwk = Object.fromEntries(
    Object.entries({ kty, crv, x, y, e, n }).filter(([, value]) => value !== undefined),
  )
  return { key: privateKey, header: { alg: algorithmOf(privateKey), typ: 'dpop+jwt', jwk } }
}

/** A proof for one request, of the time that its server has (RFC 9449, section 4.2). */
async function prove(
  { key, header }: ProofSigner,
  { url, method, now }: OutgoingRequest,
  accessToken: string,
  nonce: string | undefined,
): Promise<string> {
  const { SignJWT } = await import('jose')
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(accessToken))
  const claims = {
    jti: crypto.randomUUID(),
    htm: method,
    htu: `${url.origin}${url.pathname}`,
    iat: Math.floor(now / 1000),
    ath: toBase64Url(new Uint8Array(hash)),
    ...(nonce === undefined ? {} : { nonce }),
  }
  return new SignJWT(claims).setProtectedHeader(header as JWTHeaderParameters).sign(key)
}

function algorithmOf({ algorithm: { name } }: CryptoKey): DpopAlgorithm {
  if (name === 'ECDSA') return 'ES256'
  if (name === 'RSA-PSS') return 'PS256'
  return name === 'RSASSA-PKCS1-v1_5' ? 'RS256' : 'Ed25519'
}
