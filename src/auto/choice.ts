/**
 * Chooses the source of the credential for a server.
 *
 * @module
 */
import type { AcquireContext, CredentialProvider, CredentialRecord } from '../credential.ts'
import { LoginRequiredError } from '../errors.ts'
import { printable, serverLabel, serverText } from '../labels.ts'
import { nextSteps } from './next-steps.ts'
import { emptyCredentials, worksWithoutCredential } from './open-server.ts'
import { kindOf } from './saved-credentials.ts'

/** The source of a credential; `none`: the server requires none. */
export type Source = 'config' | 'stored' | 'workload' | 'login' | 'none'

/** A source that was found, and its provider. */
export interface Choice {
  readonly source: Source
  /** A description of the source, without secrets. */
  readonly detail: string
  readonly provider: CredentialProvider
}

/** A source without a credential for a server, and the reason. */
export interface Unavailable {
  readonly reason: string
}

/** The client that a server's entry defines for the login; it contains no secret. */
export interface RegisteredClient {
  readonly clientId?: string
  /** The port of the redirect URI `http://localhost:PORT/callback`. */
  readonly callbackPort?: number
  /** The scopes to request, separated by spaces. */
  readonly scope?: string
}

/** The sources, in the order of {@link Source}. */
export interface Sources {
  /**
   * Searches the config files.
   *
   * @throws `ConfigurationError` when a file is invalid or not trusted.
   */
  config(resource: URL): Promise<{
    /** The server's entry. */
    readonly entry: Choice | Unavailable
    /** The workload identity, if the config allows it for this server. */
    readonly workload: Choice | Unavailable
    /** The client that the entry defines for a login. */
    readonly client?: RegisteredClient | undefined
  }>
  /** The provider of stored logins and keys. */
  readonly saved: CredentialProvider
  /** Starts a login of the user. */
  login(client: RegisteredClient | undefined): Promise<Choice | Unavailable>
}

export function isChoice(found: Choice | Unavailable): found is Choice {
  return 'provider' in found
}

function describe(found: Choice | Unavailable): string {
  return isChoice(found) ? found.detail : found.reason
}

/** The choices of one provider, by server. Each is made once, until it is forgotten. */
export class Choices {
  readonly #sources: Sources
  readonly #account: string | undefined
  readonly #found = new Map<string, Promise<Awaited<ReturnType<Sources['config']>>>>()
  readonly #current = new Map<string, Choice>()

  /** @param account - The account of the commands in errors. Default: they contain none. */
  constructor(sources: Sources, account: string | undefined) {
    this.#sources = sources
    this.#account = account
  }

  /** The current choice for a server. */
  current(resource: URL): Choice | undefined {
    return this.#current.get(serverText(resource))
  }

  /** The choice from the config files; they are read once. */
  async config(resource: URL): Promise<Choice | undefined> {
    const { entry } = await this.#inConfig(resource)
    return isChoice(entry) ? entry : undefined
  }

  /** The choice of a stored login or key. */
  stored(record: CredentialRecord): Choice {
    const kind = kindOf(record)
    const isPlural = kind === 'client credentials' || kind === 'headers'
    const detail = isPlural ? `stored ${kind}` : `a stored ${kind}`
    return { source: 'stored', detail, provider: this.#sources.saved }
  }

  /** The workload identity or a login, if available. */
  async fallback({ serverUrl }: AcquireContext): Promise<Choice | undefined> {
    const { workload, client } = await this.#inConfig(serverUrl)
    if (isChoice(workload)) return workload
    const login = await this.#sources.login(client)
    return isChoice(login) ? login : undefined
  }

  /**
   * The choice of no credential, if the server requires none. The server is tested before the first
   * request; a later 401 or 403 overrides the result.
   *
   * @throws `LoginRequiredError` with the sources that were tried, when the server requires a credential or
   *   cannot be reached.
   */
  async none(context: AcquireContext): Promise<Choice> {
    const { reason, serverUrl } = context
    const isKnown = reason === 'expiring' && this.current(serverUrl)?.source === 'none'
    const mayAsk = reason === 'missing' || reason === 'expiring' || reason === 'forced'
    if (!isKnown && !(mayAsk && (await worksWithoutCredential(context)))) {
      throw await this.#nothingFound(context)
    }
    const detail = 'none: the server requires no credential'
    return { source: 'none', detail, provider: emptyCredentials }
  }

  async #nothingFound({ resource, serverUrl }: AcquireContext): Promise<LoginRequiredError> {
    const { entry, workload, client } = await this.#inConfig(serverUrl)
    const login = await this.#sources.login(client)
    const tried = [
      `the config files (${describe(entry)})`,
      'the store (nothing is stored for this server and account)',
      `the identity of this workload (${describe(workload)})`,
      `a login (${describe(login)})`,
    ]
    return new LoginRequiredError(
      'no_credential',
      `auto: there is no credential for ${serverLabel(serverUrl)}. Searched: ${tried.join(', ')}.`,
      { provider: 'auto', resource, remedy: nextSteps(serverUrl, this.#account) },
    )
  }

  /** Records the choice in use, and reports it if it has changed. */
  use(choice: Choice, { serverUrl, emit }: AcquireContext): void {
    const place = serverText(serverUrl)
    const before = this.#current.get(place)
    if (before?.provider === choice.provider && before.detail === choice.detail) return
    this.#current.set(place, choice)
    const { source, detail } = choice
    emit?.({ type: 'source_chosen', source, detail: printable(detail) })
  }

  /** Forgets the choice, so that the next acquisition chooses again. */
  forget(resource: URL): void {
    this.rereadConfig(resource)
    this.#current.delete(serverText(resource))
  }

  /** Reads the config files again at the next acquisition. */
  rereadConfig(resource: URL): void {
    this.#found.delete(serverText(resource))
  }

  #inConfig(resource: URL): ReturnType<Sources['config']> {
    const place = serverText(resource)
    const known = this.#found.get(place)
    if (known !== undefined) return known
    const finding = this.#sources.config(resource)
    this.#found.set(place, finding)
    // A corrected file takes effect immediately.
    finding.catch(() => {
      if (this.#found.get(place) === finding) this.#found.delete(place)
    })
    return finding
  }
}
