/**
 * Keys that are stored for one server, and their records.
 *
 * @module
 */
import type {
  AcquireContext,
  Credential,
  CredentialProvider,
  CredentialRecord,
} from '../credential.ts'
import { recordProblem } from '../credential-record.ts'
import { ConfigurationError, StoreError } from '../errors.ts'
import { commandArgument, resourceLabel } from '../labels.ts'
import { checkOptions } from '../options.ts'
import { storedSource } from '../provider-source.ts'
import { apiKey } from './api-key.ts'
import { basic } from './basic.ts'
import { bearer } from './bearer.ts'
import { headers } from './headers.ts'
import { hmac } from './hmac.ts'
import type { HmacOptions } from './hmac-options.ts'
import { jwt } from './jwt.ts'
import type { JwtOptions } from './jwt-options.ts'

/** The provider's name in the records of keys. */
export const storedKeyProvider = 'storedKey'

/**
 * A credential that a user or an operator received and stored, as plain values.
 *
 * @group Stored credentials
 */
export type StoredKey =
  | {
      /** A key in a header, as {@link apiKey} sends it. */
      readonly type: 'apiKey'
      /** The key. */
      readonly value: string
      /** The header that carries it. Default `X-API-Key`. */
      readonly header?: string
      /** The query parameter that carries it instead, for a server that accepts no header. */
      readonly query?: string
    }
  | {
      /** A token after the word `Bearer`, as {@link bearer} sends it. */
      readonly type: 'bearer'
      /** The token, without the word `Bearer`. */
      readonly token: string
    }
  | {
      /** A user name and a password, as {@link basic} sends them. */
      readonly type: 'basic'
      /** The user name; it cannot contain a colon. */
      readonly username: string
      /** The password. */
      readonly password: string
    }
  | {
      /** Several headers, as {@link headers} sends them. */
      readonly type: 'headers'
      /** The names of the headers and their values. */
      readonly headers: Readonly<Record<string, string>>
    }
  | ({
      /** A secret that signs each request, as {@link hmac} does. */
      readonly type: 'hmac'
    } & PlainOptions<HmacOptions>)
  | ({
      /** A secret or a private key that signs a token for each request, as {@link jwt} does. */
      readonly type: 'jwt'
    } & PlainOptions<JwtOptions>)

/**
 * The options of a provider without functions and other values that JSON cannot represent.
 *
 * @group Stored credentials
 */
export type PlainOptions<Options> = Options extends unknown
  ? {
      readonly [Name in keyof Options]: Exclude<
        Options[Name],
        ((...args: never) => unknown) | Uint8Array | CryptoKey
      >
    }
  : never

/** The types of keys that can be stored. */
export type StoredKeyType = StoredKey['type']

const makers: Readonly<Record<StoredKeyType, (options: never) => CredentialProvider>> = {
  apiKey: (options: Parameters<typeof apiKey>[0]) => apiKey(options),
  bearer(options: { readonly token: string }) {
    checkOptions('key', options, ['token'])
    return bearer(options.token)
  },
  basic: (options: Parameters<typeof basic>[0]) => basic(options),
  headers(options: { readonly headers: Readonly<Record<string, string>> }) {
    checkOptions('key', options, ['headers'])
    return headers(options.headers)
  },
  hmac: (options: HmacOptions) => hmac(options),
  // A token for each request, so that the record does not change with the tokens.
  jwt: (options: JwtOptions) => jwt({ ...options, perRequest: true }),
}

/**
 * Makes the provider that sends a key.
 *
 * @throws {@link ConfigurationError} when the key has an unknown type, an invalid value, or one that JSON
 * cannot represent.
 */
export function providerOfKey(key: StoredKey): CredentialProvider {
  const { type, ...options } = (key ?? {}) as { readonly type?: unknown }
  if (!isKeyType(type)) {
    const known = Object.keys(makers).join(', ')
    throw new ConfigurationError(
      'key.type',
      `The \`type\` of a stored key must be one of ${known}.`,
    )
  }
  const problem = recordProblem({ version: 1, provider: storedKeyProvider, data: key })
  if (problem !== undefined) {
    throw new ConfigurationError('key', `The key cannot be stored: ${problem}.`)
  }
  return makers[type](options as never)
}

function isKeyType(type: unknown): type is StoredKeyType {
  return typeof type === 'string' && Object.hasOwn(makers, type)
}

/**
 * Writes a key as a record.
 *
 * @param now - The time, in milliseconds since the epoch.
 * @throws {@link ConfigurationError} as {@link providerOfKey}.
 */
export function recordOfKey(key: StoredKey, now: number): CredentialRecord {
  providerOfKey(key)
  return {
    version: 1,
    provider: storedKeyProvider,
    generation: 1,
    obtainedAt: now,
    data: JSON.parse(JSON.stringify(key)) as CredentialRecord['data'],
  }
}

/** The name of a type of key in messages. */
export type KeyWords = 'API key' | 'bearer token' | 'password' | 'headers' | 'HMAC key' | 'JWT key'

/** The names of the types of keys in messages. */
export const keyWords: Readonly<Record<StoredKeyType, KeyWords>> = {
  apiKey: 'API key',
  bearer: 'bearer token',
  basic: 'password',
  headers: 'headers',
  hmac: 'HMAC key',
  jwt: 'JWT key',
}

const keys = new WeakMap<Credential, StoredKey>()
const sources = new WeakMap<Credential, string>()

/** Describes the key that a credential was rebuilt from; `undefined`: it comes from something else. */
export function keySourceOf(credential: Credential): string | undefined {
  return sources.get(credential)
}

/** The key that a credential was rebuilt from; `undefined`: it comes from something else. */
export function storedKeyOf(credential: Credential | undefined): StoredKey | undefined {
  return credential === undefined ? undefined : keys.get(credential)
}

/** Whether two credentials send the same stored key. */
export function isSameKey(one: Credential, other: Credential | undefined): boolean {
  const [left, right] = [storedKeyOf(one), storedKeyOf(other)]
  return left !== undefined && JSON.stringify(left) === JSON.stringify(right)
}

/** Whether a key that was refused can be tried again, because its signature contains the time. */
export function signsAnew({ type }: StoredKey): boolean {
  return type === 'hmac' || type === 'jwt'
}

/** The flags of `mcp-credentials set` for a key like this one. */
export function keyFlags(key: StoredKey): string {
  if (key.type === 'headers') {
    return Object.keys(key.headers)
      .map((name) => `--header ${name}`)
      .join(' ')
  }
  if (key.type !== 'apiKey') return `--${key.type}`
  return key.query === undefined ? `--header ${key.header ?? 'X-API-Key'}` : `--query ${key.query}`
}

/**
 * Rebuilds the credential of a stored key; `undefined`: the record is not that of a key.
 *
 * @throws {@link StoreError} with the reason `unusable_record` when the record contains no usable key.
 */
export async function restoreKey(
  record: CredentialRecord,
  context: AcquireContext,
): Promise<Credential | undefined> {
  if (record.provider !== storedKeyProvider) return undefined
  const key = record.data as unknown as StoredKey
  let provider: CredentialProvider
  try {
    provider = providerOfKey(key)
  } catch {
    const label = resourceLabel(context.resource)
    throw new StoreError('get', `The key that is stored for ${label} cannot be used.`, {
      reason: 'unusable_record',
      remedy: `Nothing was changed. Store it anew: \`npx mcp-credentials set ${commandArgument(context.serverUrl)}\`.`,
    })
  }
  const credential = { ...(await provider.acquire(context)) }
  // Records contain secrets, so they must not be printed.
  Object.defineProperty(credential, 'record', { get: () => record })
  keys.set(credential, key)
  sources.set(credential, storedSource(keyWords[key.type], context.serverUrl, record.obtainedAt))
  return credential
}
