/**
 * A provider that delegates to the provider that was chosen for the server.
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
 * The provider that `auto()` returns.
 *
 * @group Finding a credential
 */
export type AutoProvider = CredentialProvider & {
  /** The store of logins and keys. */
  readonly store: CredentialStore
  /** The choice for a server; `undefined`: none yet. */
  chosen(resource: string | URL):
    | {
        /** The source, as in the event `source_chosen`. */
        readonly source: 'config' | 'stored' | 'workload' | 'login' | 'none'
        /** A description of the source. */
        readonly detail: string
      }
    | undefined
}

/** A stored record that the chosen provider does not use; a placeholder credential represents it. */
interface Unused {
  readonly record: CredentialRecord
  /** The previous credential of the chosen provider. */
  readonly before: Credential | undefined
}

/** The settings of {@link autoProvider}. */
export interface AutoSettings {
  /** Whether the user may be asked to log in. Default `false`. */
  readonly interactive?: boolean
  /** The account of the commands in errors. Default: they contain none. */
  readonly account?: string | undefined
}

/** Creates the provider from its sources. */
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

/** Delegates acquire, restore, revoke and forget to the chosen provider. */
class Chosen {
  readonly #choices: Choices
  readonly #saved: CredentialProvider
  readonly #interactive: boolean
  readonly #origin = new WeakMap<Credential, Choice>()
  readonly #unused = new WeakMap<Credential, Unused>()
  /** Credentials that were returned without their record, with the original credentials. */
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

  /** Describes the source of a credential, preferably in the words of the chosen provider. */
  sourceOf(credential: Credential): string | undefined {
    const choice = this.#origin.get(credential)
    if (choice === undefined) return undefined
    const inner = this.#inner.get(credential) ?? credential
    return sourceOf(choice.provider.source, inner) ?? choice.detail
  }

  async #acquire(given: AcquireContext): Promise<Credential> {
    const context = this.#attended(given)
    const { previous, serverUrl } = context
    // A config entry may have been added meanwhile.
    if (this.#choices.current(serverUrl)?.source === 'none') this.#choices.rereadConfig(serverUrl)
    try {
      const choice = (await this.#choices.config(serverUrl)) ?? (await this.#besideConfig(context))
      this.#choices.use(choice, context)
      return await this.#acquireFrom(choice, context)
    } catch (error) {
      // The cause may be corrected by the next acquisition. No other source is tried: that would be another
      // identity.
      if (previous === undefined) this.#choices.forget(serverUrl)
      throw error
    }
  }

  /** The current choice, unless its credential no longer exists; then another one. */
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
    // A credential that was returned without its record coexists with a stored login of another client.
    if (unused === undefined && !(given !== undefined && this.#inner.has(given))) {
      return this.#remember(await provider.acquire({ ...context, previous, salvage }), choice)
    }
    // The stored record belongs to another credential, so it must not be replaced.
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
    // The next acquisition throws the error; a logout must delete the stored record nevertheless.
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

  /** If the config entry defines the credential, a stored login for the same server is not used. */
  async #restoreFor(
    entry: Choice,
    record: CredentialRecord,
    context: AcquireContext,
  ): Promise<Credential | undefined> {
    const { provider } = entry
    this.#choices.use(entry, context)
    const restored = await provider.restore?.(record, this.#forRestore(entry, context))
    if (restored !== undefined) return this.#remember(restored, entry)
    // The user decides whether the login of another client may be replaced.
    if (provider.interactive === true) return undefined
    return this.#standFor(record, context)
  }

  #standFor(record: CredentialRecord, { previous }: AcquireContext): Credential {
    // Expired, so that it is never used: the next acquisition calls the entry's provider.
    const stand: Credential = { expiresAt: Number.NaN, apply: () => {} }
    const held = previous && (this.#unused.get(previous)?.before ?? previous)
    this.#unused.set(stand, { record, before: held })
    return stand
  }

  async #revoke(credential: Credential, context: AcquireContext): Promise<boolean> {
    const { serverUrl } = context
    const unused = this.#unused.get(credential)
    const choice = this.#origin.get(credential)
    // After a logout all sources are searched again.
    this.#choices.forget(serverUrl)
    if (unused === undefined) {
      const inner = this.#inner.get(credential) ?? credential
      return (await choice?.provider.revoke?.(inner, { ...context, previous: inner })) ?? false
    }
    // The record has already been deleted.
    const stored = await this.#saved.restore?.(unused.record, context)
    return stored !== undefined && (await this.#saved.revoke?.(stored, context)) === true
  }

  async #forget(context: AcquireContext): Promise<boolean> {
    const { previous, serverUrl } = context
    const used = previous && this.#origin.get(previous)
    const choice = used ?? this.#choices.current(serverUrl)
    // Client registrations of earlier logins exist even without a credential.
    const provider =
      choice === undefined || choice.source === 'none' ? this.#saved : choice.provider
    return (
      (await provider.forget?.({
        ...context,
        previous: previous && (this.#inner.get(previous) ?? previous),
      })) ?? false
    )
  }

  /** Passes only a previous credential of the same provider, with which it compares the restored one. */
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

  /** Prevents interaction with the user for every choice, unless the options allow it. */
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

/** The store, which is not used for servers whose config entry stores nothing in it. */
function ownStore(store: CredentialStore, choices: Choices): CredentialStore {
  const isUsed = async (key: string) => {
    const [url = ''] = key.split(' | ')
    if (!URL.canParse(url)) return true
    try {
      const entry = await choices.config(new URL(url))
      return entry === undefined || entry.provider.restore !== undefined
    } catch {
      // Records can be deleted even if the config files are invalid; they are not sent until the files are
      // corrected.
      return true
    }
  }
  /** Forgets config entries that were read only for a logout. */
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
