/**
 * The command `logout`: revokes a login, or deletes a stored key.
 *
 * @module
 */
import type { DefaultStore, SavedCredential } from '../auto/index.ts'
import { authorizedFetch, ConfigurationError, type LogoutResult, perTenant } from '../index.ts'
import type { AddCommand, Invocation } from './command.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { deleteListedSecret, deleteSecret } from './named-secrets.ts'
import { findServer } from './server.ts'
import { fetchOption } from './verbose-fetch.ts'

interface LogoutCommandOptions {
  readonly all?: boolean
  readonly registration?: boolean
  readonly yes?: boolean
  readonly secret?: string
}

const examples = `
A login is also revoked at its authorization server, if that supports it.

Examples:
  npx mcp-credentials logout https://mcp.example.com/mcp
  npx mcp-credentials logout https://mcp.example.com/mcp --account work
  npx mcp-credentials logout --secret github-token
  npx mcp-credentials logout --all
  npx mcp-credentials logout --all --yes`

/** Adds the command. */
export const addLogout: AddCommand = (program, run) => {
  program
    .command('logout')
    .description('revoke a login, or delete a key')
    .argument('[server]', 'the URL of the server, or its name in the config file')
    .option('--secret <name>', 'delete the secret of this name')
    .option(
      '--all',
      'delete all stored records after confirmation, including registrations and trust in config files',
    )
    .option('--yes', 'do not ask for confirmation')
    .option(
      '--registration',
      'also delete the client registration, for example if the server has deleted it',
    )
    .addHelpText('after', examples)
    .action(
      run<LogoutCommandOptions>((invocation, options, server) =>
        logout(invocation, options, server),
      ),
    )
}

async function logout(
  invocation: Invocation,
  options: LogoutCommandOptions,
  given: string | undefined,
): Promise<ExitCode> {
  const { terminal, global } = invocation
  const { all, secret } = options
  if ([given, secret, all].filter((each) => each !== undefined).length !== 1) {
    throw new ConfigurationError('server', 'logout requires a server.', {
      remedy: 'Pass one, or use --secret NAME or --all without a server.',
    })
  }
  if (secret !== undefined) {
    await deleteSecret(invocation, secret)
    return exitCodes.success
  }
  const { defaultStore, listSaved, listSecrets } = await import('../auto/index.ts')
  const store = defaultStore()
  const saved = await listSaved(store)
  const secrets = given === undefined ? await listSecrets(store) : []
  const chosen = given === undefined ? saved : await savedFor(saved, given, invocation, store)
  const count = chosen.length + secrets.length
  const others = given === undefined ? await otherRecords(store) : []
  if (count + others.length === 0) {
    const account = global.account === undefined ? '' : ` in the account ${global.account}`
    const server = given === undefined ? '' : ' for that server'
    terminal.note(`Nothing is stored${server}${account}. For a list, run: npx mcp-credentials list`)
    return exitCodes.success
  }
  const isAgreed = all !== true || options.yes === true
  if (!isAgreed && !(await mayDeleteAll(count, invocation))) {
    terminal.note('Nothing was deleted.')
    return exitCodes.failure
  }
  for (const each of chosen) {
    invocation.signal.throwIfAborted()
    terminal.print(resultMessage(each, await logOutOf(each, store, options, invocation)))
  }
  for (const each of secrets) {
    invocation.signal.throwIfAborted()
    await deleteListedSecret(each, store, terminal)
  }
  for (const key of others) await store.lock(key, () => store.delete(key))
  if (others.length > 0) {
    terminal.print('Deleted the registrations of this client and the trust in config files.')
  }
  return exitCodes.success
}

/**
 * The keys of records other than credentials: registrations, which can contain secrets, and trust in config
 * files.
 */
async function otherRecords(store: DefaultStore): Promise<readonly string[]> {
  return (await store.list()).filter((key) => /^(?:registration |trusted config \| )/.test(key))
}

/** The credentials of one server and account, of all tenants or of the chosen one. */
async function savedFor(
  saved: readonly SavedCredential[],
  given: string,
  invocation: Invocation,
  store: DefaultStore,
): Promise<readonly SavedCredential[]> {
  const { tenant, ...global } = invocation.global
  // The credential of a tenant can be deleted even if no entry names that tenant any more.
  const { url } = await findServer(given, { ...invocation, global }, store)
  const { account = 'default' } = global
  const { savedUrl } = await import('../auto/index.ts')
  const place = savedUrl(url)
  const isChosen = (each: SavedCredential) => tenant === undefined || each.tenant === tenant
  return saved.filter((each) => each.url === place && each.account === account && isChosen(each))
}

/**
 * Asks the user for confirmation.
 *
 * @throws `ConfigurationError` when there is no terminal.
 */
async function mayDeleteAll(count: number, { terminal }: Invocation): Promise<boolean> {
  const what =
    count === 0
      ? 'registrations and trust'
      : count === 1
        ? 'one credential'
        : `${count} credentials`
  if (terminal.isInteractive) return terminal.confirm(`Delete ${what}?`, false)
  throw new ConfigurationError(
    'yes',
    `This deletes ${what}, and there is no terminal for a confirmation.`,
    {
      remedy: 'Check `npx mcp-credentials list`, and add --yes.',
    },
  )
}

async function logOutOf(
  { url, account, tenant }: SavedCredential,
  store: DefaultStore,
  { registration = false }: LogoutCommandOptions,
  invocation: Invocation,
): Promise<LogoutResult> {
  const { savedLogin } = await import('../oauth/index.ts')
  const provider =
    tenant === undefined
      ? savedLogin()
      : perTenant(
          () => tenant,
          () => savedLogin(),
        )
  const authorized = authorizedFetch(provider, {
    resource: url,
    account,
    store,
    ...fetchOption(invocation),
  })
  try {
    return await authorized.logout({ registration })
  } finally {
    await authorized.close()
  }
}

function resultMessage({ resource, account, kind }: SavedCredential, result: LogoutResult): string {
  const who = account === 'default' ? '' : ` (account ${account})`
  if (kind !== 'login') return `Deleted the ${kind} for ${resource}${who}.`
  const { revoked, reason = '', registrationDropped } = result
  const end = revoked
    ? 'The server has revoked it.'
    : `It was not revoked at the server: ${reason.replace(/^savedLogin: /, '')}`
  const client = registrationDropped === true ? ' The client registration was deleted.' : ''
  return `Logged out of ${resource}${who}. ${end}${client}`
}
