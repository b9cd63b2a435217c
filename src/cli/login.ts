/**
 * The command `login`: a person logs in to a server, and the login is stored.
 *
 * @module
 */
import type { DefaultStore, SavedCredential } from '../auto/index.ts'
import { CredentialError, type CredentialEvent, isCredentialError, TokenManager } from '../index.ts'
import type { AddCommand, Invocation } from './command.ts'
import { fetchOption } from './conversation.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { commandWord, shown } from './labels.ts'
import type { LoginOptions } from './login-options.ts'
import type { ClientSecret, LoginPlan } from './login-plan.ts'
import { accountOption, findServer, type Server } from './server.ts'
import { stagedStore } from './staged-store.ts'
import { clockWords, expiryWords } from './times.ts'

const examples = `
Examples:
  Log in with the browser:
    npx mcp-credentials login https://mcp.example.com/mcp
  On a machine without a browser: open the printed address anywhere, and paste the address that you end up at:
    npx mcp-credentials login https://mcp.example.com/mcp --no-browser
  With a client that is registered, and its secret, which is asked for:
    npx mcp-credentials login https://mcp.example.com/mcp --client-id my-app --client-secret \\
      --issuer https://login.example.com
  With a code on another device:
    npx mcp-credentials login https://mcp.example.com/mcp --device --client-id my-app
  As a client, without a person; its secret is asked for, or read as one line from a pipe, and tried once:
    npx mcp-credentials login https://mcp.example.com/mcp --grant client-credentials --client-id my-agent \\
      --issuer https://login.example.com`

/** Adds the command. */
export const addLogin: AddCommand = (program, run) => {
  program
    .command('login')
    .description('log in to a server with a browser, another device or the secret of a client')
    .argument('<server>', 'the URL of the server, or its name in the config file')
    .option('--no-browser', 'print the address instead of opening a browser')
    .option('--client-id <id>', 'the client that is registered with the authorization server')
    .option(
      '--client-secret',
      'ask for the secret of that client; it is never part of the command line',
    )
    .option(
      '--port <number>',
      'the port at which the browser comes back, if the server insists on one',
    )
    .option(
      '--redirect-uri <url>',
      'where the browser comes back, if the server insists on another address',
    )
    .option('--scope <scopes>', 'the scopes to ask for, separated by spaces')
    .option(
      '--issuer <url>',
      'the authorization server, if it is not the one that the server names',
    )
    .option('--device', 'log in with a code on another device; the same as --grant device')
    .option('--dpop', 'ask for tokens that are bound to a key (DPoP), for a server that wants them')
    .option(
      '--grant <way>',
      'the way to log in: authorization-code (a browser), device, or client-credentials (no person)',
    )
    .option('--allow-private-network', 'allow an authorization server inside a private network')
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
    terminal.print(`${server.label} works without a login.`)
    return exitCodes.success
  }
  const saved = await acquire(server, plan, invocation, store)
  terminal.print(summary(server, saved))
  return exitCodes.success
}

/** Runs the login. Nothing is stored before it has succeeded, and nothing listens after it. */
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
    if (plan.clientSecret !== undefined) await keepSecret(plan.clientSecret, saved, staged)
    await staged.finish()
    return saved
  } catch (error) {
    // What was issued although nobody waits for it is not left behind.
    if (signal.aborted) await manager.logout().catch(() => {})
    throw isCredentialError(error) ? forCommandLine(error, server, plan) : error
  } finally {
    await manager.close()
  }
}

/** The secret is stored where renewals look for it, unless another client of that server has its own there. */
async function keepSecret(
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
      `Another client is stored for ${issuer}, whose secret would be lost.`,
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

/** Remedies of the library name its functions; here a command is what can be typed. */
function forCommandLine(error: CredentialError, server: Server, plan: LoginPlan): CredentialError {
  const { remedy = '', message, code, retryable } = error
  const command = `npx mcp-credentials login ${commandWord(server.label)}`
  const problem = message.endsWith(remedy) ? message.slice(0, -remedy.length || undefined) : message
  const isOfClient = code === 'invalid_client' || code === 'invalid_grant'
  const next =
    plan.kind === 'client'
      ? isOfClient
        ? `Check the client and its secret, and run \`${command} --grant client-credentials\` again.`
        : undefined
      : nextAfterLogin(remedy, command, plan)
  if (next === undefined) return error
  const text = problem.replace(/^(?:authorizationCode|deviceCode|clientCredentials): /, '').trim()
  return new CredentialError(code, capitalized(text), {
    retryable,
    resource: server.url,
    remedy: next,
  })
}

function nextAfterLogin(remedy: string, command: string, { kind }: LoginPlan): string | undefined {
  if (/clientId/.test(remedy)) {
    return `Register a client there by hand, and run \`${command} --client-id ID\`.`
  }
  if (/dpop: true/.test(remedy)) return `Run \`${command} --dpop\`.`
  if (!/login\(\)|authorizationCode\(\)|deviceCode\(\)/.test(remedy)) return undefined
  return `Run \`${command}${kind === 'device' ? ' --grant authorization-code' : ''}\` to try again.`
}

function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}

/** Who, which server, what for, until when, and how it goes on. */
function summary(server: Server, saved: SavedCredential | undefined): string {
  const parts = [`Logged in to ${server.label} (account ${saved?.account ?? 'default'})`]
  if (saved === undefined) return `${parts.join('')}.`
  const { scopes, expiresAt, renewable, issuer, kind, clientId = '' } = saved
  if (issuer !== undefined) parts.push(`at ${issuer}`)
  if (scopes.length > 0) parts.push(`with the scopes ${shown(scopes.join(' '))}`)
  const now = Date.now()
  parts.push(
    expiresAt === undefined
      ? 'without a known end'
      : `until ${clockWords(expiresAt, now)} (${expiryWords(expiresAt, now)})`,
  )
  const means =
    kind === 'client credentials'
      ? `the secret of the client ${shown(clientId)}`
      : 'a refresh token'
  parts.push(renewable ? `and renewed by itself with ${means}` : 'and then you log in again')
  return `${parts.join(', ')}.`
}
