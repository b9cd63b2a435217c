/**
 * Where the credential for one server comes from.
 *
 * @module
 */
import type { AcquireContext, CredentialProvider, CredentialRecord } from '../credential.ts'
import { LoginRequiredError } from '../errors.ts'
import { commandArgument, printable, serverLabel, serverText } from '../labels.ts'
import { kindOf } from './saved-credentials.ts'

/** Where a credential comes from. */
export type Source = 'config' | 'stored' | 'workload' | 'login'

/** A source that was found, and what is sent from it. */
export interface Choice {
  readonly source: Source
  /** Which, and why, in words without a secret. */
  readonly detail: string
  readonly provider: CredentialProvider
}

/** A source that has nothing for a server, and why, in words. */
export interface Nothing {
  readonly nothing: string
}

/** The client that a server's entry says to log in with, as other programs have it; it holds no secret. */
export interface RegisteredClient {
  readonly clientId?: string
  /** The port of the redirect URI `http://localhost:PORT/callback`. */
  readonly callbackPort?: number
  /** The scopes to ask for, separated by spaces. */
  readonly scope?: string
}

/** The sources that are asked, in the order of {@link Source}. */
export interface Sources {
  /**
   * Looks into the config files.
   *
   * @throws `ConfigurationError` when a file is broken, or may not be used.
   */
  config(resource: URL): Promise<{
    /** The server's entry. */
    readonly entry: Choice | Nothing
    /** The identity of the environment, as far as the config allows it for this server. */
    readonly workload: Choice | Nothing
    /** What the entry says about the client of a login. */
    readonly client?: RegisteredClient | undefined
  }>
  /** Uses a login or a key that is stored. */
  readonly saved: CredentialProvider
  /** Asks a person. */
  login(client: RegisteredClient | undefined): Promise<Choice | Nothing>
}

export function isChoice(found: Choice | Nothing): found is Choice {
  return 'provider' in found
}

/** The choices for all servers that one provider is asked about. Each is made once, until it is forgotten. */
export class Choices {
  readonly #sources: Sources
  readonly #found = new Map<string, Promise<Awaited<ReturnType<Sources['config']>>>>()
  readonly #current = new Map<string, Choice>()

  constructor(sources: Sources) {
    this.#sources = sources
  }

  /** What was chosen for a server. */
  current(resource: URL): Choice | undefined {
    return this.#current.get(serverText(resource))
  }

  /** What the config files say about a server; they are read once. */
  async config(resource: URL): Promise<Choice | undefined> {
    const { entry } = await this.#inConfig(resource)
    return isChoice(entry) ? entry : undefined
  }

  /** A login or a key in the store. */
  stored(record: CredentialRecord): Choice {
    const kind = kindOf(record)
    const detail = kind === 'client credentials' ? `stored ${kind}` : `a stored ${kind}`
    return { source: 'stored', detail, provider: this.#sources.saved }
  }

  /**
   * What there is besides the config's entry and the store.
   *
   * @throws `LoginRequiredError` that says what was tried, when there is nothing.
   */
  async fallback({ resource, serverUrl }: AcquireContext): Promise<Choice> {
    const { entry, workload, client } = await this.#inConfig(serverUrl)
    if (isChoice(workload)) return workload
    const login = await this.#sources.login(client)
    if (isChoice(login)) return login
    const label = serverLabel(serverUrl)
    const tried = [
      `the config files (${isChoice(entry) ? entry.detail : entry.nothing})`,
      'the store (nothing is stored for this server and account)',
      `the identity of this workload (${workload.nothing})`,
      `a login (${login.nothing})`,
    ]
    throw new LoginRequiredError(
      'no_credential',
      `auto: there is no credential for ${label}. It was looked for in ${tried.join(', ')}.`,
      {
        provider: 'auto',
        resource,
        remedy: `Run \`npx mcp-credentials login ${commandArgument(serverUrl)}\`.`,
      },
    )
  }

  /** Takes note of what is used, and reports it when it is another than before. */
  use(choice: Choice, { serverUrl, emit }: AcquireContext): void {
    const place = serverText(serverUrl)
    const before = this.#current.get(place)
    if (before?.provider === choice.provider && before.detail === choice.detail) return
    this.#current.set(place, choice)
    const { source, detail } = choice
    emit?.({ type: 'source_chosen', source, detail: printable(detail) })
  }

  /** Chooses anew next time. */
  forget(resource: URL): void {
    const place = serverText(resource)
    this.#found.delete(place)
    this.#current.delete(place)
  }

  #inConfig(resource: URL): ReturnType<Sources['config']> {
    const place = serverText(resource)
    const known = this.#found.get(place)
    if (known !== undefined) return known
    const finding = this.#sources.config(resource)
    this.#found.set(place, finding)
    // A file that is corrected counts at once.
    finding.catch(() => {
      if (this.#found.get(place) === finding) this.#found.delete(place)
    })
    return finding
  }
}
