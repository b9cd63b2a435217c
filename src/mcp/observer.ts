/**
 * Watches the requests of a connecting client, to explain afterwards why it failed.
 *
 * @module
 */
import type { Credential, CredentialProvider, FetchLike } from '../credential.ts'
import { isCredentialError } from '../errors.ts'
import { sourceOf } from '../provider-source.ts'
import { parseRetryAfter } from '../retry-after.ts'
import { abortable, withTimeLimit } from '../waiting.ts'
import { parseChallenges } from '../www-authenticate.ts'
import { decisiveAnswer, explainFailure } from './refusal.ts'
import { knownScheme } from './refused-credential.ts'
import type { AuthorizationFinding, SeenAnswer, Sighting } from './sighting.ts'

const lookLimitMs = 5_000

/** What a client speaks with a server that it connects to. */
export type Transport = 'streamable' | 'sse'

/** Remembers the last answers of one server. */
export class ConnectionObserver {
  readonly #resource: URL
  readonly #provider: () => Sighting['provider']
  readonly #send: FetchLike
  readonly #answers: Partial<Record<Transport, SeenAnswer | undefined>> = {}
  #sentScheme: string | undefined
  #failure: unknown
  /** The last answer of the network, which may be thrown away on the way to the transport. */
  #received: SeenAnswer | undefined
  #unanswered = 0

  /** @param send - The network. */
  constructor(resource: URL, provider: () => Sighting['provider'], send: FetchLike) {
    this.#resource = resource
    this.#provider = provider
    this.#send = send
  }

  /** The last answer over a transport. */
  answer(transport: Transport): SeenAnswer | undefined {
    return this.#answers[transport]
  }

  /** The network, with an eye on the scheme under which credentials leave. */
  readonly network: FetchLike = async (input, init) => {
    const headers = new Headers(init?.headers)
    const isOwn = new URL(input).origin === this.#resource.origin
    // Requests of the provider to its authorization server ask for something else.
    if (!isOwn || headers.get('Accept')?.includes('text/event-stream') !== true) {
      return this.#send(input, init)
    }
    const [scheme] = headers.get('Authorization')?.split(' ') ?? []
    this.#sentScheme = scheme === undefined ? undefined : knownScheme(scheme.toLowerCase())
    const response = await this.#send(input, init)
    this.#received = seen(init?.method ?? 'GET', response, new URL(input))
    return response
  }

  /** Watches the `fetch` of a transport. Answers are handed on untouched. */
  watch(transport: Transport, fetch: FetchLike): FetchLike {
    return async (input, init) => {
      const method = init?.method ?? 'GET'
      // The stream that Streamable HTTP opens besides is no condition for a connection.
      if (transport === 'streamable' && method !== 'POST') return fetch(input, init)
      this.#unanswered += 1
      this.#received = undefined
      let response: Response
      try {
        response = await fetch(input, init)
      } catch (error) {
        // What the SDK gives up itself was never answered.
        if (init?.signal?.aborted !== true) {
          this.#unanswered -= 1
          this.#failure = isRefusal(error) ? undefined : error
          if (isRefusal(error)) this.#answers[transport] = this.#received
        }
        throw error
      }
      this.#unanswered -= 1
      this.#failure = undefined
      // The older transport is told of a refusal by a response that no server has sent.
      const isOurs = response.url === '' && this.#received !== undefined
      this.#answers[transport] = isOurs ? this.#received : seen(method, response, new URL(input))
      return response
    }
  }

  /**
   * The error for the person: one of ours with the SDK's as `cause`, or the SDK's where that says all. It may ask the
   * server for its metadata, for five seconds at most, and sends nothing secret.
   */
  async explain(error: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    if (isCredentialError(error) && !isRefusal(error)) return error
    const provider = this.#provider()
    const sighting: Sighting = {
      resource: this.#resource,
      provider,
      sentScheme: this.#sentScheme,
      streamable: this.#answers.streamable,
      sse: this.#answers.sse,
      failure: this.#failure,
      pending: this.#unanswered > 0,
      error,
    }
    const isRefused = decisiveAnswer(sighting)?.status === 401
    const finding = isRefused && provider.scoped !== true ? await this.#look(signal) : undefined
    return explainFailure(sighting, finding) ?? error
  }

  /** Looks for an authorization server; whatever goes wrong, there is none to be named. */
  async #look(signal: AbortSignal | undefined): Promise<AuthorizationFinding> {
    const look = async (limited: AbortSignal) => {
      const { discover } = await import('../oauth/discover.ts')
      const { issuer } = await discover(this.#resource, { fetch: this.#send, signal: limited })
      return { issuer: new URL(issuer) }
    }
    const looking = withTimeLimit(lookLimitMs, signal, (limited) =>
      abortable(look(limited), limited),
    )
    return looking.catch(() => undefined)
  }
}

/** What the option `throwOnRefusal` throws in place of a response. */
function isRefusal(error: unknown): boolean {
  return isCredentialError(error, 'unauthorized') || isCredentialError(error, 'forbidden')
}

/**
 * What is said of a provider; of a selector there is only the name.
 *
 * @param credential - What was sent, if that is known. One that nobody has issued is none of an authorization server.
 */
export function describedProvider(
  { name, source, scoped }: { readonly name: string } & Partial<CredentialProvider>,
  credential: Credential | undefined,
): Sighting['provider'] {
  const from = sourceOf(source, credential)
  const isIssued = credential === undefined || credential.issuer !== undefined
  return {
    name,
    ...(from === undefined ? {} : { source: from }),
    ...(scoped === undefined ? {} : { scoped: scoped && isIssued }),
  }
}

function seen(method: string, { status, headers, url }: Response, target: URL): SeenAnswer {
  const location = headers.get('Location') ?? undefined
  const base = url === '' ? target : url
  return {
    method,
    status,
    contentType: headers.get('Content-Type') ?? '',
    challenges: parseChallenges(headers.get('WWW-Authenticate')),
    location:
      location !== undefined && URL.canParse(location, base) ? new URL(location, base) : undefined,
    retryAfter: parseRetryAfter(headers.get('Retry-After'), Date.now()),
  }
}
