/**
 * A provider that does everything through the one that was chosen for the server.
 *
 * @module
 */
import type {
  AcquireContext,
  Credential,
  CredentialProvider,
  CredentialRecord,
  CredentialStore,
} from '../credential.ts'
import { sourceOf } from '../provider-source.ts'
import { type Choice, Choices, type Sources } from './choice.ts'

/**
 * What `auto()` returns.
 *
 * @group Finding a credential
 */
export type AutoProvider = CredentialProvider & {
  /** The store in which it looks for logins and keys. */
  readonly store: CredentialStore
  /** What was chosen for a server; `undefined`: nothing yet. */
  chosen(resource: string | URL):
    | {
        /** Where the credential comes from, as in the event `source_chosen`. */
        readonly source: 'config' | 'stored' | 'workload' | 'login' | 'none'
        /** Which, and why, in words. */
        readonly detail: string
      }
    | undefined
}

/** What stands in the place of a record that the chosen provider does not use. */
interface Unused {
  readonly record: CredentialRecord
  /** What the chosen provider has delivered before. */
  readonly before: Credential | undefined
}

/** What {@link autoProvider} is told besides. */
export interface AutoSettings {
  /** Whether a person may be asked to log in. Default `false`. */
  readonly interactive?: boolean
  /** The account that the commands in errors are for. Default: they name none. */
  readonly account?: string | undefined
}

/** Makes the provider of the sources. */
export function autoProvider(
  sources: Sources,
  store: CredentialStore,
  { interactive = false, account }: AutoSettings = {},
): AutoProvider {
  const choices = new Choices(sources, account)
  const chosen = new Chosen(choices, sources.saved, interactive)
  return {
    name: 'auto',
    interactive,
    scoped: true,
    store: ownStore(store, choices),
    chosen(resource) {
      const { source, detail } = choices.current(new URL(resource)) ?? {}
      return source === undefined || detail === undefined ? undefined : { source, detail }
    },
    ...chosen.methods(),
    source: (credential) => chosen.sourceOf(credential),
  }
}

/** Acquires, restores, revokes and forgets through what was chosen. */
class Chosen {
  readonly #choices: Choices
  readonly #saved: CredentialProvider
  readonly #interactive: boolean
  readonly #origin = new WeakMap<Credential, Choice>()
  readonly #unused = new WeakMap<Credential, Unused>()
  /** Credentials that are handed out without their record, with those that they stand for. */
  readonly #inner = new WeakMap<Credential, Credential>()

  constructor(choices: Choices, saved: CredentialProvider, interactive: boolean) {
    this.#choices = choices
    this.#saved = saved
    this.#interactive = interactive
  }

  methods(): Required<Pick<CredentialProvider, 'acquire' | 'restore' | 'revoke' | 'forget'>> {
    return {
      acquire: (context) => this.#acquire(context),
      restore: (record, context) => this.#restore(record, context),
      revoke: (credential, context) => this.#revoke(credential, context),
      forget: (context) => this.#forget(context),
    }
  }

  /** Where a credential comes from, in words; the provider that was chosen knows best. */
  sourceOf(credential: Credential): string | undefined {
    const choice = this.#origin.get(credential)
    if (choice === undefined) return undefined
    const inner = this.#inner.get(credential) ?? credential
    return sourceOf(choice.provider.source, inner) ?? choice.detail
  }

  async #acquire(given: AcquireContext): Promise<Credential> {
    const context = this.#attended(given)
    const { previous, serverUrl } = context
    // A config entry may have been written meanwhile.
    if (this.#choices.current(serverUrl)?.source === 'none') this.#choices.rereadConfig(serverUrl)
    try {
      const choice = (await this.#choices.config(serverUrl)) ?? (await this.#besideConfig(context))
      this.#choices.use(choice, context)
      return await this.#acquireFrom(choice, context)
    } catch (error) {
      // Whatever is wrong with it may have been corrected by the next time. Nobody else is asked now: that
      // would be another identity.
      if (previous === undefined) this.#choices.forget(serverUrl)
      throw error
    }
  }

  /** What is in use, unless it is gone: then there is another choice. */
  async #besideConfig(context: AcquireContext): Promise<Choice> {
    const { previous, serverUrl } = context
    const used = previous && this.#origin.get(previous)
    if (used !== undefined && used.source !== 'config' && used.source !== 'none') return used
    const current = this.#choices.current(serverUrl)
    if (current?.source === 'stored' || current?.source === 'config')
      this.#choices.forget(serverUrl)
    return (await this.#choices.fallback(context)) ?? (await this.#choices.none(context))
  }

  async #acquireFrom(choice: Choice, context: AcquireContext): Promise<Credential> {
    const { provider } = choice
    const { previous: given } = context
    const unused = given && this.#unused.get(given)
    const before = unused === undefined ? given : unused.before
    const own = before !== undefined && this.#isFrom(choice, before) ? before : undefined
    const previous = own && (this.#inner.get(own) ?? own)
    const salvage = (rest: Credential) => context.salvage(this.#remember(rest, choice))
    // What was handed out without its record before stands beside such a login.
    if (unused === undefined && !(given !== undefined && this.#inner.has(given))) {
      return this.#remember(await provider.acquire({ ...context, previous, salvage }), choice)
    }
    // What is stored belongs to somebody else, so nothing of this may replace it.
    const nothing = { commit: async () => {}, salvage: () => {} }
    const credential = await provider.acquire({ ...context, previous, ...nothing })
    const bare = withoutRecord(credential)
    this.#inner.set(bare, credential)
    return this.#remember(bare, choice)
  }

  async #restore(record: CredentialRecord, given: AcquireContext): Promise<Credential | undefined> {
    const context = this.#attended(given)
    const { serverUrl } = context
    const found = await this.#choices.config(serverUrl).then(
      (entry) => ({ entry }),
      () => 'unusable' as const,
    )
    // The next acquisition says why; a logout has to give up what is stored all the same.
    if (found === 'unusable') return this.#standFor(record, context)
    const { entry } = found
    if (entry !== undefined) return this.#restoreFor(entry, record, context)
    const current = this.#choices.current(serverUrl)
    const { saved, stored } = { saved: this.#saved, stored: this.#choices.stored(record) }
    const candidates = [
      ...(current === undefined || current.source === 'config' ? [] : [current]),
      ...(current?.source === 'stored' ? [] : [stored]),
    ]
    for (const choice of candidates) {
      const credential = await choice.provider.restore?.(record, this.#forRestore(choice, context))
      if (credential === undefined) continue
      this.#choices.use(choice.provider === saved ? stored : choice, context)
      return this.#remember(credential, choice.provider === saved ? stored : choice)
    }
    const fallback = await this.#choices.fallback(context)
    const credential = await fallback?.provider.restore?.(record, context)
    if (fallback === undefined || credential === undefined) return undefined
    this.#choices.use(fallback, context)
    return this.#remember(credential, fallback)
  }

  /** Where the config's entry says what is sent, a login that is stored for the same server is left alone. */
  async #restoreFor(
    entry: Choice,
    record: CredentialRecord,
    context: AcquireContext,
  ): Promise<Credential | undefined> {
    const { provider } = entry
    this.#choices.use(entry, context)
    const restored = await provider.restore?.(record, this.#forRestore(entry, context))
    if (restored !== undefined) return this.#remember(restored, entry)
    // A login of another client: whether it may be replaced is for the user to say.
    if (provider.interactive === true) return undefined
    return this.#standFor(record, context)
  }

  #standFor(record: CredentialRecord, { previous }: AcquireContext): Credential {
    // Not valid by its times, so that nobody is given it: the next acquisition asks the entry's provider.
    const stand: Credential = { expiresAt: Number.NaN, apply: () => {} }
    const held = previous && (this.#unused.get(previous)?.before ?? previous)
    this.#unused.set(stand, { record, before: held })
    return stand
  }

  async #revoke(credential: Credential, context: AcquireContext): Promise<boolean> {
    const { serverUrl } = context
    const unused = this.#unused.get(credential)
    const choice = this.#origin.get(credential)
    // After a logout everything is looked for again.
    this.#choices.forget(serverUrl)
    if (unused === undefined) {
      const inner = this.#inner.get(credential) ?? credential
      return (await choice?.provider.revoke?.(inner, { ...context, previous: inner })) ?? false
    }
    // The record has been deleted with the rest.
    const stored = await this.#saved.restore?.(unused.record, context)
    return stored !== undefined && (await this.#saved.revoke?.(stored, context)) === true
  }

  async #forget(context: AcquireContext): Promise<boolean> {
    const { previous, serverUrl } = context
    const used = previous && this.#origin.get(previous)
    const choice = used ?? this.#choices.current(serverUrl)
    // What logins have left behind, such as registrations of clients, is there all the same.
    const provider =
      choice === undefined || choice.source === 'none' ? this.#saved : choice.provider
    return (
      (await provider.forget?.({
        ...context,
        previous: previous && (this.#inner.get(previous) ?? previous),
      })) ?? false
    )
  }

  /** A provider compares what it restores with what it has delivered itself. */
  #forRestore(choice: Choice, context: AcquireContext): AcquireContext {
    const { previous } = context
    const own = previous !== undefined && this.#isFrom(choice, previous) ? previous : undefined
    return { ...context, previous: own && (this.#inner.get(own) ?? own) }
  }

  #isFrom({ provider }: Choice, credential: Credential): boolean {
    return this.#origin.get(credential)?.provider === provider
  }

  #remember(credential: Credential, choice: Choice): Credential {
    this.#origin.set(credential, choice)
    return credential
  }

  /** No person is asked where the options do not allow it, whoever was chosen. */
  #attended(context: AcquireContext): AcquireContext {
    return { ...context, interactive: context.interactive && this.#interactive }
  }
}

function withoutRecord(credential: Credential): Credential {
  const { expiresAt, obtainedAt, refreshAt, scope, issuer } = credential
  const members = { expiresAt, obtainedAt, refreshAt, scope, issuer }
  const stated = Object.entries(members).filter(([, value]) => value !== undefined)
  return {
    ...Object.fromEntries(stated),
    apply: (request) => credential.apply(request),
    observe: (response, request) => credential.observe?.(response, request),
  }
}

/** The store for what is found there: it is not touched for a server whose config's entry keeps nothing in it. */
function ownStore(store: CredentialStore, choices: Choices): CredentialStore {
  const isUsed = async (key: string) => {
    const [url = ''] = key.split(' | ')
    if (!URL.canParse(url)) return true
    try {
      const entry = await choices.config(new URL(url))
      return entry === undefined || entry.provider.restore !== undefined
    } catch {
      // What is stored can be deleted whatever the files say; nothing of it is sent before they can be used.
      return true
    }
  }
  /** What was read for a logout without a credential is not for what comes after it. */
  const forgetUnused = (key: string) => {
    const [url = ''] = key.split(' | ')
    if (!URL.canParse(url)) return
    const resource = new URL(url)
    if (choices.current(resource) === undefined) choices.forget(resource)
  }
  return {
    get: async (key) => ((await isUsed(key)) ? store.get(key) : undefined),
    set: async (key, record) => store.set(key, record),
    delete: async (key) => (await isUsed(key)) && store.delete(key),
    list: () => store.list(),
    async lock(key, task, signal) {
      try {
        return (await isUsed(key))
          ? await store.lock(key, task, signal)
          : await task(new AbortController().signal)
      } finally {
        forgetUnused(key)
      }
    },
  }
}
