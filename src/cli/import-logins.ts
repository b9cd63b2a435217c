/**
 * Logins that `mcp-remote` or programs with keytar have stored.
 *
 * @module
 */
import { isAbsolute, join } from 'node:path'
import type { Config } from '../config/index.ts'
import { ConfigurationError, CredentialError, isCredentialError } from '../index.ts'
import type { KeychainBackend } from '../stores/keychain.ts'
import { type FoundLogin, findKeychainLogins, findMcpRemoteLogins } from '../stores/migrate.ts'
import type { Invocation } from './command.ts'
import type { Finding, ImportOptions } from './import-findings.ts'
import { labelOf, shown } from './labels.ts'
import { remoteUrl } from './mcp-remote-url.ts'
import { serverUrl } from './server.ts'
import { fetchOption } from './verbose-fetch.ts'

/** Finds them; nothing is written. */
export async function loginFindings(
  config: Config,
  options: ImportOptions,
  invocation: Invocation,
): Promise<readonly Finding[]> {
  const remote = await remoteLogins(urlsOf(config, options), options, invocation)
  const keychain = options.keytar === undefined ? [] : await keychainLogins(options.keytar, options)
  return [...remote, ...keychain].map(findingOf)
}

/** The URLs of the options and of the config files, including those that entries pass to mcp-remote. */
function urlsOf(config: Config, { server = [] }: ImportOptions): readonly string[] {
  const named = server.map((text) => {
    serverUrl(text)
    return text
  })
  const configured = config.servers.flatMap((each) => each.url?.href ?? remoteUrl(each) ?? [])
  return [...new Set([...named, ...configured])]
}

async function remoteLogins(
  urls: readonly string[],
  { issuer }: ImportOptions,
  invocation: Invocation,
): Promise<readonly FoundLogin[]> {
  const { env } = invocation.terminal
  const folder = env['MCP_REMOTE_CONFIG_DIR'] || join(env['HOME'] ?? '', '.mcp-auth')
  const directory = isAbsolute(folder) ? { directory: folder } : {}
  const pinned = issuer === undefined ? {} : { issuer }
  const found = await findMcpRemoteLogins({
    servers: urls.map((url) => ({ url, ...pinned })),
    ...directory,
  })
  // mcp-remote does not store the issuer, so it is discovered again.
  return Promise.all(
    found.map(async (login) => {
      if (login.problem === undefined || issuer !== undefined) return login
      const known = await issuerOf(login.server, invocation)
      if (known === undefined) return login
      const servers = [{ url: login.server, issuer: known }]
      const [again] = await findMcpRemoteLogins({ servers, ...directory })
      return again ?? login
    }),
  )
}

async function issuerOf(server: string, invocation: Invocation): Promise<string | undefined> {
  const { discover } = await import('../oauth/index.ts')
  const { signal } = invocation
  try {
    return (await discover(server, { signal, ...fetchOption(invocation) })).issuer
  } catch (error) {
    if (isCredentialError(error)) return undefined
    throw error
  }
}

async function keychainLogins(
  service: string,
  { server = [], issuer, clientId }: ImportOptions,
): Promise<readonly FoundLogin[]> {
  if (clientId === undefined) {
    throw new ConfigurationError('client-id', 'The logins belong to a client that is not known.', {
      remedy: 'Add --client-id with the client ID that the other program used.',
    })
  }
  const backend = await loadKeytar()
  const [only] = server.length === 1 ? server : []
  const describe = (account: string) => {
    const url = URL.canParse(account) && /^https?:/.test(account) ? account : only
    if (url === undefined) return undefined
    return { url, clientId, ...(issuer === undefined ? {} : { issuer }) }
  }
  try {
    return await findKeychainLogins({ backend, service, describe })
  } catch {
    throw new CredentialError(
      'store',
      `The keychain entries of ${shown(service)} cannot be read.`,
      {
        remedy: 'Start or unlock the keychain.',
      },
    )
  }
}

async function loadKeytar(): Promise<KeychainBackend> {
  try {
    const module = (await import('keytar')) as KeychainBackend & { default?: KeychainBackend }
    return module.default ?? module
  } catch {
    throw new ConfigurationError(
      'keytar',
      'The keychain cannot be read, because the package keytar cannot be loaded.',
      {
        remedy:
          'Install it with `npm install keytar@npm:@github/keytar`; on Linux, install libsecret too.',
      },
    )
  }
}

function findingOf(login: FoundLogin): Finding {
  const { server, source, problem, needsIssuer, renewable } = login
  return {
    server,
    source,
    kind: renewable ? 'login' : 'login that cannot be renewed',
    problem: needsIssuer ? 'Its authorization server was not stored; add --issuer URL.' : problem,
    async copyTo(store, account) {
      return (await login.copyTo(store, account)) ? `Stored for ${labelOf(server)}.` : undefined
    },
  }
}
