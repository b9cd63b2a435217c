/**
 * The command `login`: logs the user in to a server, and stores the login.
 *
 * @module
 */
import type { DefaultStore, SavedCredential } from '../auto/index.ts'
import { CredentialError, type CredentialEvent, isCredentialError, TokenManager } from '../index.ts'
import type { AddCommand, Invocation } from './command.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { commandWord, shown } from './labels.ts'
import type { LoginOptions } from './login-options.ts'
import type { ClientSecret, LoginPlan } from './login-plan.ts'
import { problemOf } from './problem.ts'
import { accountOption, findServer, type Server } from './server.ts'
import { stagedStore } from './staged-store.ts'
import { formatExpiry, formatTime } from './times.ts'
import { fetchOption } from './verbose-fetch.ts'

const examples = `
Examples:
  Log in with the browser:
    npx mcp-credentials login https://mcp.example.com/mcp
  On a machine without a browser: open the printed URL anywhere, and paste the URL of the page at the end:
    npx mcp-credentials login https://mcp.example.com/mcp --no-browser
  With a registered client and its secret, which the command asks for:
    npx mcp-credentials login https://mcp.example.com/mcp --client-id my-app --client-secret \\
      --issuer https://login.example.com
  With a code on another device:
    npx mcp-credentials login https://mcp.example.com/mcp --device --client-id my-app
  With client credentials, without a user; the secret is asked for, or read as one line from a pipe:
    npx mcp-credentials login https://mcp.example.com/mcp --grant client-credentials --client-id my-agent \\
      --issuer https://login.example.com`

/** Adds the command. */
export const addLogin: AddCommand = (program, run) => {
  program
    .command('login')
    .description('log in to a server with a browser, another device or client credentials')
    .argument('<server>', 'the URL of the server, or its name in the config file')
    .option('--no-browser', 'print the URL instead of opening a browser')
    .option('--client-id <id>', 'the ID of a registered client')
    .option('--client-secret', 'ask for the client secret; it is never part of the command line')
    .option('--port <number>', 'the port of the callback, if the server requires a fixed one')
    .option('--redirect-uri <url>', 'the URL of the callback, if the server requires a fixed one')
    .option('--scope <scopes>', 'the scopes to request, separated by spaces')
    .option('--issuer <url>', 'the authorization server; default: the one that the server names')
    .option('--device', 'log in with a code on another device; the same as --grant device')
    .option(
      '--dpop',
      'request DPoP tokens, which are bound to a key, for a server that requires them',
    )
    .option(
      '--grant <way>',
      'how to log in: authorization-code (browser), device, or client-credentials (no user)',
    )
    .option('--allow-private-network', 'allow an authorization server in a private network')
    .addHelpText('after', examples)
    .action(
      run<LoginOptions>((invocation, options, server = '') => login(invocation, options, server)),
    )
}

async function login(
  invocation: Invocation,
  options: LoginOptions,
  given: string,
): Promise<ExitCode> {
  const { terminal } = invocation
  const [{ defaultStore }, { planLogin }] = await Promise.all([
    import('../auto/index.ts'),
    import('./login-plan.ts'),
  ])
  const store = defaultStore()
  const server = await findServer(given, invocation, store)
  const plan = await planLogin(server, options, invocation, store)
  if (plan === undefined) {
    terminal.print(`${server.label} requires no login.`)
    return exitCodes.success
  }
  const saved = await acquire(server, plan, invocation, store)
  terminal.print(summary(server, saved))
  return exitCodes.success
}

/**
 * Runs the login. Nothing is stored before it has succeeded, and the callback listener is closed
 * afterwards.
 */
async function acquire(
  server: Server,
  plan: LoginPlan,
  invocation: Invocation,
  store: DefaultStore,
): Promise<SavedCredential | undefined> {
  const { signal, global, terminal } = invocation
  const { savedUrl } = await import('../auto/index.ts')
  const key = `${savedUrl(server.url)} | ${global.account ?? 'default'}`
  const staged = stagedStore(store, (each) => each === key)
  const manager = new TokenManager(plan.provider, {
    resource: server.url,
    store: staged,
    ...accountOption(invocation),
    ...fetchOption(invocation),
    onEvent: (event) => showProgress(event, terminal.note),
  })
  try {
    await manager.login({ signal })
    signal.throwIfAborted()
    const { listSaved } = await import('../auto/index.ts')
    const [saved] = await listSaved({ ...staged, list: async () => [key] })
    if (plan.clientSecret !== undefined) await storeSecret(plan.clientSecret, saved, staged)
    await staged.finish()
    return saved
  } catch (error) {
    // Tokens that were issued after Ctrl-C are revoked.
    if (signal.aborted) await manager.logout().catch(() => {})
    throw isCredentialError(error) ? withCommandRemedy(error, server, plan) : error
  } finally {
    await manager.close()
  }
}

/** Stores the secret where renewals read it, unless the secret of another client is stored there. */
async function storeSecret(
  { clientId, secret }: ClientSecret,
  saved: SavedCredential | undefined,
  store: Pick<DefaultStore, 'get' | 'set'>,
): Promise<void> {
  const issuer = saved?.issuer
  if (issuer === undefined) return
  const key = `registration ${issuer}`
  const before = await store.get(key)
  const other = before?.data['clientId']
  if (other !== undefined && other !== clientId && before?.data['clientSecret'] !== undefined) {
    throw new CredentialError(
      'store',
      `The secret of another client is stored for ${issuer}, and would be lost.`,
      {
        remedy:
          'Log out of the servers that use it with `npx mcp-credentials logout URL --registration`.',
      },
    )
  }
  const data = { clientId, clientSecret: secret, redirectUri: '' }
  await store.set(key, {
    version: 1,
    provider: 'registration',
    issuer,
    obtainedAt: Date.now(),
    data,
  })
}

function showProgress(event: CredentialEvent, note: (line: string) => void): void {
  if (event.type === 'client_registered') note(`Registered as a client of ${event.issuer ?? 'it'}.`)
  if (event.type === 'scopes_granted' && event.missing.length > 0) {
    note(`Not granted: ${shown(event.missing.join(' '))}.`)
  }
}

/** Replaces remedies that name functions of the library by commands. */
function withCommandRemedy(
  error: CredentialError,
  server: Server,
  plan: LoginPlan,
): CredentialError {
  const { remedy = '', code, retryable } = error
  const command = `npx mcp-credentials login ${commandWord(server.label)}`
  const isOfClient = code === 'invalid_client' || code === 'invalid_grant'
  const next =
    plan.kind === 'client'
      ? isOfClient
        ? `Check the client and its secret, and run \`${command} --grant client-credentials\` again.`
        : undefined
      : nextAfterLogin(remedy, command, plan)
  if (next === undefined) return error
  return new CredentialError(code, problemOf(error), {
    retryable,
    resource: server.url,
    remedy: next,
  })
}

function nextAfterLogin(remedy: string, command: string, { kind }: LoginPlan): string | undefined {
  if (/clientId/.test(remedy)) {
    return `Register a client there, and run \`${command} --client-id ID\`.`
  }
  if (/dpop: true/.test(remedy)) return `Run \`${command} --dpop\`.`
  if (!/login\(\)|authorizationCode\(\)|deviceCode\(\)/.test(remedy)) return undefined
  return `Run \`${command}${kind === 'device' ? ' --grant authorization-code' : ''}\` to try again.`
}

/** Names the account, the server, the scopes, the expiry, and how the login is renewed. */
function summary(server: Server, saved: SavedCredential | undefined): string {
  const parts = [`Logged in to ${server.label} (account ${saved?.account ?? 'default'})`]
  if (saved === undefined) return `${parts.join('')}.`
  const { scopes, expiresAt, renewable, issuer, kind, clientId = '' } = saved
  if (issuer !== undefined) parts.push(`at ${issuer}`)
  if (scopes.length > 0) parts.push(`with the scopes ${shown(scopes.join(' '))}`)
  const now = Date.now()
  parts.push(
    expiresAt === undefined
      ? 'with an unknown expiry'
      : `until ${formatTime(expiresAt, now)} (${formatExpiry(expiresAt, now)})`,
  )
  const means =
    kind === 'client credentials'
      ? `the secret of the client ${shown(clientId)}`
      : 'a refresh token'
  parts.push(renewable ? `and renewed automatically with ${means}` : 'and not renewable')
  return `${parts.join(', ')}.`
}
