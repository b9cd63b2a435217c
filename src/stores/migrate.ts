/**
 * Copies logins that other programs have stored.
 *
 * @example
 * ```ts
 * import { defaultStore } from 'mcp-credentials/auto'
 * import { findMcpRemoteLogins } from 'mcp-credentials/migrate'
 *
 * const logins = await findMcpRemoteLogins({ servers: [{ url: 'https://mcp.example.com/mcp' }] })
 * for (const login of logins) await login.copyTo(defaultStore())
 * ```
 *
 * @module mcp-credentials/migrate
 * @group API: Stores
 */
import { createHash, randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CredentialRecord, CredentialStore } from '../credential.ts'
import { isEmpty } from '../credential-record.ts'
import { ConfigurationError } from '../errors.ts'
import { resourceLabel, serverKey } from '../labels.ts'
import { checkAccount, checkOptions } from '../options.ts'
import type { KeychainBackend } from './keychain-backend.ts'
import { homeFolder } from './user-folders.ts'

/** A login that was found. Nothing is written before {@link FoundLogin.copyTo} is called. */
export interface FoundLogin {
  /** The MCP server. */
  readonly server: string
  /** Where it was found: a file, or an entry of the keychain. */
  readonly source: string
  /** Whether it can be renewed without the user. */
  readonly renewable: boolean
  /** When its access token expires, in milliseconds since the epoch, where that was stored. */
  readonly expiresAt: number | undefined
  /** What is missing before it can be used; `undefined`: nothing. */
  readonly problem: string | undefined
  /** Whether the problem is that its issuer was not stored; pass `issuer` with the server. */
  readonly needsIssuer: boolean
  /**
   * Copies it into a store, unless that already has a login for the server and account. The original is not
   * removed; stop the other program, because both would use the same refresh token.
   *
   * A client secret that was registered dynamically (RFC 7591, section 3.2.1) becomes a part of the login. The
   * registration is kept for later logins too, unless the store has another one at that authorization server.
   *
   * @returns Whether it was written.
   * @throws `ConfigurationError` when something is missing, see {@link FoundLogin.problem}, or the account is
   * invalid.
   */
  copyTo(
    store: CredentialStore,
    options?: {
      /** Distinguishes several logins at one server, like the option of `authorizedFetch`. Default `default`. */
      readonly account?: string
    },
  ): Promise<boolean>
}

/**
 * Finds logins that `mcp-remote` has stored in its folder of token files. Read-only.
 *
 * @example
 * ```ts
 * import { keychainStore } from 'mcp-credentials/keychain'
 * import { findMcpRemoteLogins } from 'mcp-credentials/migrate'
 *
 * const logins = await findMcpRemoteLogins({ servers: [{ url: 'https://mcp.example.com/mcp' }] })
 * for (const login of logins) console.log(login.server, login.source, login.problem ?? 'ready')
 * for (const login of logins) await login.copyTo(keychainStore({ service: 'my-agent' }))
 * ```
 *
 * @throws `ConfigurationError` when a server is not a URL.
 */
export async function findMcpRemoteLogins(options: {
  /** The servers; the files name them by a hash only. */
  readonly servers: readonly {
    /** Its URL, exactly as configured in the other program. */
    readonly url: string
    /** Its authorization server, where the other program did not store it; see `discover()`. */
    readonly issuer?: string
  }[]
  /** The folder. Default: `MCP_REMOTE_CONFIG_DIR`, else `.mcp-auth` in the home folder. */
  readonly directory?: string
}): Promise<readonly FoundLogin[]> {
  checkOptions('findMcpRemoteLogins', options, ['servers', 'directory'])
  const {
    servers,
    directory = process.env['MCP_REMOTE_CONFIG_DIR'] ?? join(homeFolder(), '.mcp-auth'),
  } = options
  const areServers = Array.isArray(servers) && servers.every((each) => URL.canParse(each?.url))
  if (!areServers) {
    throw new ConfigurationError('servers', 'findMcpRemoteLogins: pass servers as [{ url }].')
  }
  if (text(directory) === undefined) {
    throw new ConfigurationError('directory', 'findMcpRemoteLogins.directory must be a path.')
  }
  const names = await readdir(directory).catch(() => [])
  const folders = names
    .filter((name) => name.startsWith('mcp-remote-'))
    .sort((left, right) => right.localeCompare(left, 'en', { numeric: true }))
  const found: FoundLogin[] = []
  for (const server of servers) {
    const hash = createHash('md5').update(server.url).digest('hex')
    // The program reads the folder of its newest version.
    for (const folder of folders) {
      const source = join(directory, folder, `${hash}_tokens.json`)
      const tokens = await readJson(source)
      if (tokens === undefined) continue
      const client = await readJson(join(directory, folder, `${hash}_client_info.json`))
      const clientId = text(client?.['client_id'])
      const issuer = text(tokens['issuer']) ?? text(client?.['issuer']) ?? server.issuer
      const owner = { issuer, clientId, registration: registrationIn(client, issuer) }
      found.push(foundLogin(server.url, source, tokens, owner))
      break
    }
  }
  return found
}

/**
 * Finds logins in entries of the keychain that another program has written as JSON, in the form of a token
 * response (`access_token`, `refresh_token`). Read-only.
 *
 * @example
 * ```ts
 * import keytar from 'keytar'
 * import { findKeychainLogins } from 'mcp-credentials/migrate'
 *
 * const logins = await findKeychainLogins({
 *   backend: keytar,
 *   service: 'my-old-agent',
 *   describe: (account) => ({
 *     url: account,
 *     issuer: 'https://login.example.com',
 *     clientId: 'my-old-agent',
 *   }),
 * })
 * ```
 */
export async function findKeychainLogins(options: {
  /** `keytar`, or another backend. */
  readonly backend: KeychainBackend
  /** The service under which the other program keeps its entries. */
  readonly service: string
  /** Returns the server and the client of an entry; `undefined` skips the entry. */
  readonly describe: (account: string) =>
    | {
        /** Its URL, exactly as configured in the other program. */
        readonly url: string
        /** Its authorization server, where the other program did not store it; see `discover()`. */
        readonly issuer?: string
        /** The client identifier that the authorization server knows. */
        readonly clientId: string
      }
    | undefined
}): Promise<readonly FoundLogin[]> {
  checkOptions('findKeychainLogins', options, ['backend', 'service', 'describe'])
  const { backend, service, describe } = options
  checkSearch(
    'backend',
    typeof backend?.findCredentials === 'function',
    'keytar, or an object of its shape',
  )
  checkSearch('service', text(service) !== undefined, 'the name of the service')
  checkSearch('describe', typeof describe === 'function', 'a function')
  const entries = await backend.findCredentials(service)
  return entries.flatMap(({ account, password }) => {
    const known = describe(account)
    const tokens = parse(password)
    if (known === undefined || tokens === undefined) return []
    const { url, clientId, issuer = text(tokens['issuer']) } = known
    const owner = { issuer, clientId, registration: undefined }
    return [foundLogin(url, `${service}: ${account}`, tokens, owner)]
  })
}

function checkSearch(option: string, isRight: boolean, what: string): void {
  if (isRight) return
  throw new ConfigurationError(option, `findKeychainLogins: pass ${what} as \`${option}\`.`)
}

/** The issuer and the client of tokens, which are needed to renew them. */
interface Owner {
  readonly issuer: string | undefined
  readonly clientId: string | undefined
  /** The record of the client's registration, if it has a secret. */
  readonly registration: CredentialRecord | undefined
}

function foundLogin(
  server: string,
  source: string,
  tokens: Readonly<Record<string, unknown>>,
  owner: Owner,
): FoundLogin {
  const problem = problemOf(server, tokens, owner)
  const { registration } = owner
  return {
    server,
    source,
    renewable:
      text(tokens['refresh_token']) !== undefined &&
      (registration?.expiresAt ?? Infinity) > Date.now(),
    expiresAt: expiryOf(tokens),
    problem,
    needsIssuer: problem === withoutIssuer,
    async copyTo(store, options = {}) {
      checkOptions('copyTo', options, ['account'])
      const { account = 'default' } = options
      checkAccount(account)
      if (problem !== undefined) {
        throw new ConfigurationError(
          'issuer',
          `The login for ${resourceLabel(server)} cannot be used. ${problem}`,
        )
      }
      const key = `${serverKey(new URL(server))} | ${account}`
      const record = recordOf(tokens, owner)
      return store.lock(key, async () => {
        // A record with only a mark remains of a login that ended before it had a token.
        if (!isEmpty(await store.get(key))) return false
        if (registration !== undefined) await copyRegistration(store, registration)
        await store.set(key, record)
        return true
      })
    },
  }
}

const withoutIssuer = 'Its authorization server was not stored; pass `issuer` with the server.'

function problemOf(
  server: string,
  tokens: Readonly<Record<string, unknown>>,
  { issuer, clientId }: Owner,
): string | undefined {
  if (!URL.canParse(server)) return 'Its server is not a URL; return `url` from `describe`.'
  if (text(tokens['access_token']) === undefined) return 'It has no access token.'
  if (issuer === undefined) return withoutIssuer
  return clientId === undefined ? 'Its client was not stored.' : undefined
}

function recordOf(
  tokens: Readonly<Record<string, unknown>>,
  { issuer, clientId, registration }: Owner,
): CredentialRecord {
  const refreshToken = text(tokens['refresh_token'])
  const scope = text(tokens['scope'])
  const now = Date.now()
  return {
    version: 1,
    provider: 'authorizationCode',
    login: randomUUID(),
    generation: 1,
    ...(issuer === undefined ? {} : { issuer }),
    obtainedAt: now,
    // Without a known expiry it counts as expired, so that it is renewed before it is used.
    expiresAt: expiryOf(tokens) ?? now,
    data: {
      accessToken: text(tokens['access_token']),
      clientId,
      tokenType: 'bearer',
      ...(refreshToken === undefined ? {} : { refreshToken }),
      ...(scope === undefined ? {} : { scope }),
      ...(registration === undefined ? {} : secretOf(registration)),
    },
  }
}

/** The client secret as a part of the login: the shared record is replaced when another user registers again. */
function secretOf({ expiresAt, data }: CredentialRecord): Readonly<Record<string, unknown>> {
  const { clientSecret, method: clientMethod } = data
  const secret = { clientSecret, clientMethod, dynamicClient: true }
  return expiresAt === undefined ? secret : { ...secret, secretExpiresAt: expiresAt }
}

/** The registration record; `undefined` for a client without a secret, which needs none. */
function registrationIn(
  client: Readonly<Record<string, unknown>> | undefined,
  issuer: string | undefined,
): CredentialRecord | undefined {
  const clientId = text(client?.['client_id'])
  const clientSecret = text(client?.['client_secret'])
  if (issuer === undefined || clientId === undefined || clientSecret === undefined) return undefined
  if ((text(client?.['issuer']) ?? issuer) !== issuer) return undefined
  const uris = client?.['redirect_uris']
  // In seconds; 0 means that it does not expire.
  const expiry = Number(client?.['client_secret_expires_at'])
  return {
    version: 1,
    provider: 'registration',
    issuer,
    obtainedAt: Date.now(),
    ...(expiry > 0 ? { expiresAt: expiry * 1000 } : {}),
    data: {
      clientId,
      clientSecret,
      redirectUri: (Array.isArray(uris) ? text(uris[0]) : undefined) ?? '',
      // The default of RFC 7591, section 2.
      method: text(client?.['token_endpoint_auth_method']) ?? 'client_secret_basic',
    },
  }
}

async function copyRegistration(
  store: CredentialStore,
  registration: CredentialRecord,
): Promise<void> {
  const key = `registration ${registration.issuer ?? ''}`
  await store.lock(key, async () => {
    if ((await store.get(key)) === undefined) await store.set(key, registration)
  })
}

/** Milliseconds since the epoch. */
function expiryOf({ expires_at }: Readonly<Record<string, unknown>>): number | undefined {
  return typeof expires_at === 'number' ? expires_at : undefined
}

async function readJson(path: string): Promise<Record<string, unknown> | undefined> {
  const content = await readFile(path, 'utf8').catch(() => undefined)
  return content === undefined ? undefined : parse(content)
}

function parse(content: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(content)
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
