/**
 * Records the requests of a connecting client, to explain a failure.
 *
 * @module
 */
import type { Credential, CredentialProvider, FetchLike } from '../credential.ts'
import { isCredentialError } from '../errors.ts'
import { sourceOf } from '../provider-source.ts'
import { parseRetryAfter } from '../retry-after.ts'
import { isEcho, withoutEchoes } from '../transport/echoed-credential.ts'
import { abortable, withTimeLimit } from '../waiting.ts'
import { parseChallenges } from '../www-authenticate.ts'
import type { AuthorizationFinding, Observations, ObservedResponse } from './observations.ts'
import { decisiveAnswer, explainFailure } from './refusal.ts'
import { knownScheme } from './refused-credential.ts'

const discoveryLimitMs = 5_000

/** The transport of a connecting client. */
export type Transport = 'streamable' | 'sse'

/** Records the last responses of a server. */
export class ConnectionObserver {
  readonly #resource: URL
  readonly #provider: () => Observations['provider']
  readonly #send: FetchLike
  readonly #answers: Partial<Record<Transport, ObservedResponse | undefined>> = {}
  #sentScheme: string | undefined
  #sent: Headers = new Headers()
  #failure: unknown
  /** The last response of the network, which may not reach the transport. */
  #received: ObservedResponse | undefined
  #unanswered = 0

  /** @param send - The `fetch` of the network. */
  constructor(resource: URL, provider: () => Observations['provider'], send: FetchLike) {
    this.#resource = resource
    this.#provider = provider
    this.#send = send
  }

  /** The last response to a transport. */
  answer(transport: Transport): ObservedResponse | undefined {
    return this.#answers[transport]
  }

  /** The `fetch` of the network, which records the scheme of the credential. */
  readonly network: FetchLike = async (input, init) => {
    const headers = new Headers(init?.headers)
    const isOwn = new URL(input).origin === this.#resource.origin
    // Requests of the provider to its authorization server are not recorded.
    if (!isOwn || headers.get('Accept')?.includes('text/event-stream') !== true) {
      return this.#send(input, init)
    }
    const [scheme] = headers.get('Authorization')?.split(' ') ?? []
    this.#sentScheme = scheme === undefined ? undefined : knownScheme(scheme.toLowerCase())
    this.#sent = headers
    const response = await this.#send(input, init)
    this.#received = observed(init?.method ?? 'GET', response, new URL(input), headers)
    return response
  }

  /** Records the responses to a transport. They are returned unchanged. */
  watch(transport: Transport, fetch: FetchLike): FetchLike {
    return async (input, init) => {
      const method = init?.method ?? 'GET'
      // A connection does not depend on the optional GET stream of Streamable HTTP.
      if (transport === 'streamable' && method !== 'POST') return fetch(input, init)
      this.#unanswered += 1
      this.#received = undefined
      let response: Response
      try {
        response = await fetch(input, init)
      } catch (error) {
        // A request that the SDK aborted has no response.
        if (init?.signal?.aborted !== true) {
          this.#unanswered -= 1
          this.#failure = isRefusal(error) ? undefined : error
          if (isRefusal(error)) this.#answers[transport] = this.#received
        }
        throw error
      }
      this.#unanswered -= 1
      this.#failure = undefined
      // The older transport may receive a synthetic response for a refusal.
      const isOurs = response.url === '' && this.#received !== undefined
      this.#answers[transport] = isOurs
        ? this.#received
        : observed(method, response, new URL(input), this.#sent)
      return response
    }
  }

  /**
   * Returns the error for the user: a `CredentialError` with the SDK's error as `cause`, or the SDK's own
   * if it is sufficient. It may read the server's metadata, for at most five seconds and without secrets.
   */
  async explain(error: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    if (isCredentialError(error) && !isRefusal(error)) return error
    const provider = this.#provider()
    const observations: Observations = {
      resource: this.#resource,
      provider,
      sentScheme: this.#sentScheme,
      streamable: this.#answers.streamable,
      sse: this.#answers.sse,
      failure: this.#failure,
      pending: this.#unanswered > 0,
      error,
    }
    const isRefused = decisiveAnswer(observations)?.status === 401
    const finding = isRefused && provider.scoped !== true ? await this.#look(signal) : undefined
    return explainFailure(observations, finding) ?? error
  }

  /** Discovers the authorization server; after an error it is not known. */
  async #look(signal: AbortSignal | undefined): Promise<AuthorizationFinding> {
    const look = async (limited: AbortSignal) => {
      const { discover } = await import('../oauth/discover.ts')
      const { issuer } = await discover(this.#resource, { fetch: this.#send, signal: limited })
      return { issuer: new URL(issuer) }
    }
    const looking = withTimeLimit(discoveryLimitMs, signal, (limited) =>
      abortable(look(limited), limited),
    )
    return looking.catch(() => undefined)
  }
}

/** Whether an error was thrown because of the option `throwOnRefusal`. */
function isRefusal(error: unknown): boolean {
  return isCredentialError(error, 'unauthorized') || isCredentialError(error, 'forbidden')
}

/**
 * Describes a provider; of a selector only the name is known.
 *
 * @param credential - The credential that was sent, if known. One without an issuer is not from an
 *   authorization server.
 */
export function describedProvider(
  { name, source, scoped }: { readonly name: string } & Partial<CredentialProvider>,
  credential: Credential | undefined,
): Observations['provider'] {
  const from = sourceOf(source, credential)
  const isIssued = credential === undefined || credential.issuer !== undefined
  return {
    name,
    ...(from === undefined ? {} : { source: from }),
    ...(scoped === undefined ? {} : { scoped: scoped && isIssued }),
  }
}

function observed(
  method: string,
  { status, headers, url }: Response,
  target: URL,
  sent: Headers,
): ObservedResponse {
  const given = headers.get('Location') ?? undefined
  const location = given === undefined || isEcho(given, sent) ? undefined : given
  const base = url === '' ? target : url
  return {
    method,
    status,
    contentType: headers.get('Content-Type') ?? '',
    challenges: withoutEchoes(parseChallenges(headers.get('WWW-Authenticate')), sent),
    location:
      location !== undefined && URL.canParse(location, base) ? new URL(location, base) : undefined,
    retryAfter: parseRetryAfter(headers.get('Retry-After'), Date.now()),
  }
}
