/**
 * Proof of possession (DPoP): tokens that cannot be used without their key.
 *
 * @module
 */
import type { OutgoingRequest } from '../credential.ts'
import { toBase64Url } from '../encoding.ts'
import { ConfigurationError } from '../errors.ts'
import {
  algorithmOf,
  type DpopAlgorithm,
  type DpopKey,
  type DpopOptions,
  dpopAlgorithms,
  externalKey,
  generateKey,
  importKey,
  isPrivate,
  isSameKey,
  type ResolvedDpop,
  resolveDpop,
} from './dpop-key.ts'

/** The part of a request that a proof covers. */
export type ProvenRequest = Pick<OutgoingRequest, 'url' | 'method' | 'headers' | 'now'>

type ResponseMeta = Pick<Response, 'status' | 'headers'>

/** A key, and the nonces of each server for its proofs. */
export interface DpopSession {
  readonly required: boolean
  readonly algorithm: DpopAlgorithm
  /** The key, generated or imported when it is first needed. */
  readonly key: () => Promise<DpopKey>
  /** Adds a fresh proof to a request, for the access token that the request carries, if any. */
  prove(request: ProvenRequest, accessToken?: string): Promise<void>
  /** Adds the token and a fresh proof to a request. */
  apply(request: OutgoingRequest, accessToken: string): Promise<void>
  /** Stores a nonce; `true` when it differs from the one that the request carried. */
  learnNonce(response: ResponseMeta, request: Pick<ProvenRequest, 'url' | 'headers'>): boolean
  /** Stores a nonce; `true` when the MCP server requires another proof with it. */
  observe(response: ResponseMeta, request: Pick<ProvenRequest, 'url' | 'headers'>): boolean
}

/** The DPoP sessions of one provider: one key for each MCP server, to which its tokens are bound. */
export class DpopSessions {
  readonly #provider: string
  readonly #options: ResolvedDpop | undefined
  readonly #sessions = new Map<string, DpopSession>()

  /** @throws `ConfigurationError` when the option is invalid. */
  constructor(provider: string, option: boolean | DpopOptions | undefined) {
    this.#provider = provider
    this.#options = resolveDpop(provider, option)
  }

  /**
   * Returns the session for an MCP server; `undefined`: tokens are not bound to a key.
   *
   * @param held - The session of the tokens that are renewed.
   * @param supported - The algorithms that the servers list; `undefined`: they list none.
   * @throws `ConfigurationError` when the servers accept none that the options allow.
   */
  of(
    resource: URL,
    held: DpopSession | undefined,
    supported: readonly string[] | undefined,
  ): DpopSession | undefined {
    const kept = held ?? this.#sessions.get(resource.href)
    if (this.#options === undefined) return kept
    const fits = kept !== undefined && (supported?.includes(kept.algorithm) ?? true)
    // Renewed tokens stay bound to their key, even if the servers now list other algorithms.
    const session = fits || held !== undefined ? kept : this.#start(this.#options, supported)
    if (session !== undefined) this.#sessions.set(resource.href, session)
    return session
  }

  /**
   * Continues the session of stored tokens. Bound tokens stay bound, even without `dpop: true`.
   *
   * @returns `undefined` for tokens that need none. A session without its key fails when it is used.
   */
  restore(tokens: {
    readonly tokenType: 'bearer' | 'dpop'
    readonly dpopKey: JsonWebKey | undefined
  }): DpopSession | undefined {
    const isBound = tokens.tokenType === 'dpop'
    const options = this.#options ?? resolveDpop(this.#provider, isBound)
    if (options === undefined) return undefined
    if (!isBound) return this.#start(options, undefined)
    const { dpopKey = {} } = tokens
    const { required, external } = options
    if (external !== undefined && isSameKey(external.publicJwk, dpopKey)) {
      return this.#start(options, undefined)
    }
    return startDpop(required, algorithmOf(dpopKey), async () => {
      if (isPrivate(dpopKey)) return importKey(dpopKey)
      throw this.#keyElsewhere()
    })
  }

  #keyElsewhere(): ConfigurationError {
    return new ConfigurationError(
      `${this.#provider}.dpop`,
      `${this.#provider}: the stored login is bound to another key, which is not stored with it.`,
      {
        provider: this.#provider,
        remedy: 'Set `dpop: { sign, publicJwk }` as for the login, or log out.',
      },
    )
  }

  #start(options: ResolvedDpop, supported: readonly string[] | undefined): DpopSession {
    const { algorithm, external } = options
    const allowed = algorithm === undefined ? dpopAlgorithms : [algorithm]
    const chosen = allowed.find((name) => supported?.includes(name) ?? true)
    if (chosen !== undefined) {
      return startDpop(options.required, chosen, async () =>
        external === undefined
          ? generateKey(chosen)
          : externalKey(`${this.#provider}.dpop`, external, chosen),
      )
    }
    // Other values in a server's list may be sentences.
    const listed = (supported ?? []).filter((name) => registeredAlgorithm.test(name)).slice(0, 8)
    const usable = dpopAlgorithms.filter((name) => listed.includes(name))
    const advice =
      usable.length === 0
        ? 'None of them is supported here'
        : external === undefined
          ? `Set \`dpop.algorithm\` to ${usable.join(' or ')}`
          : `Use a key for ${usable.join(' or ')}`
    throw new ConfigurationError(
      `${this.#provider}.dpop.algorithm`,
      `${this.#provider}: the server accepts proofs signed with ${listed.join(', ') || 'no known algorithm'}, not ${allowed.join(', ')}. ${advice}.`,
    )
  }
}

/** The asymmetric algorithms of RFC 7518, RFC 8037, RFC 8812 and RFC 9864. */
const registeredAlgorithm = /^(?:[ERP]S(?:256|384|512)|ES256K|EdDSA|Ed25519|Ed448)$/

/** Starts a session with the key of `makeKey`. */
export function startDpop(
  required: boolean,
  algorithm: DpopAlgorithm,
  makeKey: () => Promise<DpopKey>,
): DpopSession {
  const nonces = new Map<string, string>()
  // Concurrent requests each receive the nonce that they lacked.
  const used = new WeakMap<Headers, string>()
  const key = shared(makeKey)
  const session: DpopSession = {
    key,
    required,
    algorithm,
    async prove(request, accessToken) {
      const { url, headers } = request
      const nonce = nonces.get(url.origin)
      headers.set('DPoP', await proofOf(await key(), request, accessToken, nonce))
      if (nonce !== undefined) used.set(headers, nonce)
    },
    async apply(request, accessToken) {
      await session.prove(request, accessToken)
      request.headers.set('Authorization', `DPoP ${accessToken}`)
    },
    learnNonce({ headers }, { url, headers: sent }) {
      const nonce = headers.get('DPoP-Nonce')
      if (nonce === null || !/^[\x21\x23-\x5b\x5d-\x7e]{1,512}$/.test(nonce)) return false
      nonces.set(url.origin, nonce)
      return used.get(sent) !== nonce
    },
    observe(response, request) {
      const isNew = session.learnNonce(response, request)
      const challenge = response.headers.get('WWW-Authenticate') ?? ''
      return isNew && response.status === 401 && /use_dpop_nonce/.test(challenge)
    },
  }
  return session
}

/**
 * Makes a value once for all callers. When that fails, each waiting caller tries itself: in a Worker it fails
 * for them when the request that began it has ended.
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

/** Makes a proof for one request, with the server's time (RFC 9449, section 4.2). */
async function proofOf(
  { algorithm, publicJwk, sign }: DpopKey,
  { url, method, now }: ProvenRequest,
  accessToken: string | undefined,
  nonce: string | undefined,
): Promise<string> {
  const encoder = new TextEncoder()
  const encode = (part: object) => toBase64Url(encoder.encode(JSON.stringify(part)))
  const claims = {
    jti: crypto.randomUUID(),
    htm: method,
    htu: `${url.origin}${url.pathname}`,
    iat: Math.floor(now / 1000),
    ...(accessToken === undefined ? {} : { ath: await hashOf(accessToken) }),
    ...(nonce === undefined ? {} : { nonce }),
  }
  // jose cannot call a signer outside the process, so the compact serialization is built here.
  const header = { typ: 'dpop+jwt', alg: algorithm, jwk: publicJwk }
  const input = `${encode(header)}.${encode(claims)}`
  return `${input}.${toBase64Url(await sign(encoder.encode(input)))}`
}

async function hashOf(accessToken: string): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(accessToken))
  return toBase64Url(new Uint8Array(hash))
}
