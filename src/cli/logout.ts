/**
 * The command `logout`: ends a login, or deletes what is stored for a server.
 *
 * @module
 */
import type { DefaultStore, SavedCredential } from '../auto/index.ts'
import { authorizedFetch, ConfigurationError, type LogoutResult, perTenant } from '../index.ts'
import type { AddCommand, Invocation } from './command.ts'
import { fetchOption } from './conversation.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { deleteSecret, giveUpSecret } from './named-secrets.ts'
import { findServer } from './server.ts'

interface LogoutCommandOptions {
  readonly all?: boolean
  readonly registration?: boolean
  readonly yes?: boolean
  readonly secret?: string
}

const examples = `
A login is ended at its authorization server too, where that offers it.

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
    .description('end a login, or delete a key')
    .argument('[server]', 'the URL of the server, or its name in the config file')
    .option('--secret <name>', 'delete the secret of this name, which belongs to no server')
    .option(
      '--all',
      'delete everything that is stored, after asking: registrations and the trust in config files too',
    )
    .option('--yes', 'do not ask')
    .option(
      '--registration',
      'also forget the registration of this client, for a server that has forgotten it',
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
    throw new ConfigurationError('server', 'logout needs a server.', {
      remedy: 'Name one, or add --secret NAME or --all and no server.',
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
    const account = global.account === undefined ? '' : ` for the account ${global.account}`
    terminal.note(`Nothing is stored${account} there. See what is: npx mcp-credentials list`)
    return exitCodes.success
  }
  const isAgreed = all !== true || options.yes === true
  if (!isAgreed && !(await mayDeleteAll(count, invocation))) {
    terminal.note('Nothing was deleted.')
    return exitCodes.failure
  }
  for (const each of chosen) {
    invocation.signal.throwIfAborted()
    terminal.print(sentence(each, await giveUp(each, store, options, invocation)))
  }
  for (const each of secrets) {
    invocation.signal.throwIfAborted()
    await giveUpSecret(each, store, terminal)
  }
  for (const key of others) await store.lock(key, () => store.delete(key))
  if (others.length > 0) {
    terminal.print('Deleted the registrations of this client and the trust in config files.')
  }
  return exitCodes.success
}

/** The keys of what logins and config files left besides: registrations, which can hold secrets, and trust. */
async function otherRecords(store: DefaultStore): Promise<readonly string[]> {
  return (await store.list()).filter((key) => /^(?:registration |trusted config \| )/.test(key))
}

/** What is stored for one server and account: of all its tenants, or of the one that was chosen. */
async function savedFor(
  saved: readonly SavedCredential[],
  given: string,
  invocation: Invocation,
  store: DefaultStore,
): Promise<readonly SavedCredential[]> {
  const { tenant, ...global } = invocation.global
  // A credential that is stored for a tenant can be given up even where no entry names that tenant any more.
  const { url } = await findServer(given, { ...invocation, global }, store)
  const { account = 'default' } = global
  const { savedUrl } = await import('../auto/index.ts')
  const place = savedUrl(url)
  const isChosen = (each: SavedCredential) => tenant === undefined || each.tenant === tenant
  return saved.filter((each) => each.url === place && each.account === account && isChosen(each))
}

/**
 * Asks a person.
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
  throw new ConfigurationError('yes', `This deletes ${what}, and there is no terminal to ask in.`, {
    remedy: 'See which with `npx mcp-credentials list`, and add --yes.',
  })
}

async function giveUp(
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

function sentence({ resource, account, kind }: SavedCredential, result: LogoutResult): string {
  const who = account === 'default' ? '' : ` (account ${account})`
  if (kind !== 'login') return `Deleted the ${kind} for ${resource}${who}.`
  const { revoked, reason = '', registrationDropped } = result
  const end = revoked
    ? 'The server has ended the login.'
    : `The server was not told: ${reason.replace(/^savedLogin: /, '')}`
  const client =
    registrationDropped === true ? ' The registration of this client is forgotten.' : ''
  return `Logged out of ${resource}${who}. ${end}${client}`
}
