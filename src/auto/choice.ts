/**
 * Where the credential for one server comes from.
 *
 * @module
 */
import type { AcquireContext, CredentialProvider, CredentialRecord } from '../credential.ts'
import { LoginRequiredError } from '../errors.ts'
import { printable, serverLabel, serverText } from '../labels.ts'
import { nextSteps } from './next-steps.ts'
import { answersWithoutCredential, emptyCredentials } from './open-server.ts'
import { kindOf } from './saved-credentials.ts'

/** Where a credential comes from; `none`: the server answers without one. */
export type Source = 'config' | 'stored' | 'workload' | 'login' | 'none'

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

function wordsOf(found: Choice | Nothing): string {
  return isChoice(found) ? found.detail : found.nothing
}

/** The choices for all servers that one provider is asked about. Each is made once, until it is forgotten. */
export class Choices {
  readonly #sources: Sources
  readonly #account: string | undefined
  readonly #found = new Map<string, Promise<Awaited<ReturnType<Sources['config']>>>>()
  readonly #current = new Map<string, Choice>()

  /** @param account - The account that the commands in errors are for. Default: they name none. */
  constructor(sources: Sources, account: string | undefined) {
    this.#sources = sources
    this.#account = account
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
    const isPlural = kind === 'client credentials' || kind === 'headers'
    const detail = isPlural ? `stored ${kind}` : `a stored ${kind}`
    return { source: 'stored', detail, provider: this.#sources.saved }
  }

  /** The workload's identity or a login, where there is one. */
  async fallback({ serverUrl }: AcquireContext): Promise<Choice | undefined> {
    const { workload, client } = await this.#inConfig(serverUrl)
    if (isChoice(workload)) return workload
    const login = await this.#sources.login(client)
    return isChoice(login) ? login : undefined
  }

  /**
   * No credential, where the server answers without one. It is asked before the first request; what it says of a
   * request counts more than that.
   *
   * @throws `LoginRequiredError` that says what was tried, when the server wants one or cannot be asked.
   */
  async none(context: AcquireContext): Promise<Choice> {
    const { reason, serverUrl } = context
    const isKnown = reason === 'expiring' && this.current(serverUrl)?.source === 'none'
    const mayAsk = reason === 'missing' || reason === 'expiring' || reason === 'forced'
    if (!isKnown && !(mayAsk && (await answersWithoutCredential(context)))) {
      throw await this.#nothingFound(context)
    }
    const detail = 'none: the server answers without a credential'
    return { source: 'none', detail, provider: emptyCredentials }
  }

  async #nothingFound({ resource, serverUrl }: AcquireContext): Promise<LoginRequiredError> {
    const { entry, workload, client } = await this.#inConfig(serverUrl)
    const login = await this.#sources.login(client)
    const tried = [
      `the config files (${wordsOf(entry)})`,
      'the store (nothing is stored for this server and account)',
      `the identity of this workload (${wordsOf(workload)})`,
      `a login (${wordsOf(login)})`,
    ]
    return new LoginRequiredError(
      'no_credential',
      `auto: there is no credential for ${serverLabel(serverUrl)}. It was looked for in ${tried.join(', ')}.`,
      { provider: 'auto', resource, remedy: nextSteps(serverUrl, this.#account) },
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
    this.rereadConfig(resource)
    this.#current.delete(serverText(resource))
  }

  /** Reads the config files anew next time. */
  rereadConfig(resource: URL): void {
    this.#found.delete(serverText(resource))
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
