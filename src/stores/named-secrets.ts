/**
 * Named secrets in a store, to which config files refer.
 *
 * @module
 */
import type { CredentialRecord, CredentialStore } from '../credential.ts'
import { ConfigurationError, CredentialError, isCredentialError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { describedAs } from '../secret.ts'

/**
 * A secret of a store, without its value.
 *
 * @group Stored credentials
 */
export interface SavedSecret {
  /** The key of its record in the store, with which it can be deleted. */
  readonly key: string
  /** Its name; a config file refers to it as `stored:NAME`. */
  readonly name: string
  /** When it was stored, in milliseconds since the epoch. */
  readonly savedAt?: number
  /** Why it cannot be used, in a sentence. Absent: no problem is known. */
  readonly problem?: string
}

const provider = 'namedSecret'
const prefix = 'secret | '
const names = /^[A-Za-z\d_][\w.-]{0,99}$/

/** Whether a text can be the name of a secret. */
export function isSecretsName(name: unknown): name is string {
  return typeof name === 'string' && names.test(name)
}

/**
 * Stores a secret under a name. Config files refer to it as `stored:NAME` or `${stored:NAME}`, and it is read each
 * time it is needed. It is used only where a trusted file refers to it.
 *
 * @returns Whether it replaced a secret of that name, or kept it, as `ifAbsent` asks.
 * @throws `ConfigurationError` when the name is not 1 to 100 letters, digits, `_`, `.` and `-`, or the value is
 * empty; `StoreError` when the store cannot be used.
 *
 * @example
 * ```ts
 * import { defaultStore, saveSecret } from 'mcp-credentials/auto'
 *
 * declare const value: string // from a prompt without echo
 *
 * await saveSecret(defaultStore(), { name: 'github-token', value })
 * ```
 * @group Stored credentials
 */
export async function saveSecret(
  store: CredentialStore,
  options: {
    /** Letters, digits, `_`, `.` and `-`. */
    readonly name: string
    /** The secret, or a function that prompts for it, which is not called when the name is invalid. */
    readonly value: string | (() => Promise<string>)
    /** Keeps another secret that is stored under the name. Default `false`: it is replaced. */
    readonly ifAbsent?: boolean
  },
): Promise<{
  /** Whether there was one of that name before, which is gone. */
  readonly replaced: boolean
  /** Whether another one of that name was kept, so that this one is not stored; only with `ifAbsent`. */
  readonly kept: boolean
}> {
  checkOptions('saveSecret', options, ['name', 'value', 'ifAbsent'])
  const { name, value: given, ifAbsent = false } = options
  if (!isSecretsName(name)) {
    throw new ConfigurationError(
      'name',
      'The name of a secret consists of at most 100 letters, digits, `_`, `.` and `-`.',
      { remedy: 'Choose one such as `github-token`.' },
    )
  }
  const value = typeof given === 'function' ? await given() : given
  if (typeof value !== 'string' || value === '' || value.includes('\0')) {
    throw new ConfigurationError('value', 'A secret must be a non-empty text.')
  }
  const key = `${prefix}${name}`
  return store.lock(key, async () => {
    const before = await readable(store, key)
    if (ifAbsent && before !== undefined) {
      return { replaced: false, kept: before.data?.['value'] !== value }
    }
    await store.set(key, { version: 1, provider, obtainedAt: Date.now(), data: { value } })
    return { replaced: before !== undefined, kept: false }
  })
}

/**
 * Lists the named secrets, sorted by name, without their values.
 *
 * @throws `StoreError` when the store cannot be read. A single record that cannot be read is listed with a
 * `problem`.
 * @example
 * ```ts
 * import { defaultStore, listSecrets } from 'mcp-credentials/auto'
 *
 * for (const { name, problem } of await listSecrets(defaultStore())) {
 *   console.log(name, problem ?? 'is stored')
 * }
 * ```
 * @group Stored credentials
 */
export async function listSecrets(store: CredentialStore): Promise<readonly SavedSecret[]> {
  const keys = (await store.list()).filter((key) => key.startsWith(prefix)).sort()
  const found: SavedSecret[] = []
  for (const key of keys) {
    const record = await readable(store, key)
    if (record === undefined) continue
    const name = key.slice(prefix.length)
    const { problem, obtainedAt: savedAt } = record
    found.push({
      key,
      name,
      ...(savedAt === undefined ? {} : { savedAt }),
      ...(problem === undefined ? {} : { problem }),
    })
  }
  return found
}

/** The source of a secret that is read from a store whenever it is needed. */
export function storedSecret(store: CredentialStore, name: string): () => Promise<string> {
  return describedAs(`stored:${name}`, async () => {
    const record = await store.get(`${prefix}${name}`)
    const value = record?.provider === provider ? record.data['value'] : undefined
    if (typeof value === 'string' && value !== '') return value
    throw new CredentialError('secret_unavailable', `no secret \`${name}\` is stored.`, {
      retryAfter: 1,
      remedy: `Run \`npx mcp-credentials set --secret ${name}\`.`,
    })
  })
}

/** Reads a record, or the reason why it cannot be read. */
async function readable(
  store: CredentialStore,
  key: string,
): Promise<
  | (Partial<Pick<CredentialRecord, 'obtainedAt' | 'data'>> & { readonly problem?: string })
  | undefined
> {
  try {
    return await store.get(key)
  } catch (error) {
    if (!isCredentialError(error, 'store') || error.reason !== 'unusable_record') throw error
    return { problem: error.message }
  }
}
