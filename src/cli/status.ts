/**
 * The command `status`: opens one MCP session with a server, and reports the result.
 *
 * @module
 */
import type { DefaultStore } from '../auto/index.ts'
import {
  authorizedFetch,
  CredentialError,
  type CredentialEvent,
  type CredentialProvider,
  type CredentialSelector,
  type FetchLike,
  isCredentialError,
  type TokenManager,
} from '../index.ts'
import type { AddCommand, Invocation } from './command.ts'
import {
  credentialRefusedError,
  isNothingStored,
  nothingStoredError,
  toCommandError,
  withCommandErrors,
} from './command-errors.ts'
import { shown } from './labels.ts'
import { accountOption, asTenant, findServer, providerFor, type Server } from './server.ts'
import { abortable, withTimeLimit } from './time-limit.ts'
import { formatExpiry } from './times.ts'
import { fetchOption } from './verbose-fetch.ts'

const examples = `
Examples:
  npx mcp-credentials status https://mcp.example.com/mcp
  npx mcp-credentials status crm && echo works`

/** Adds the command. */
export const addStatus: AddCommand = (program, run) => {
  program
    .command('status')
    .description('open a session with a server, and report whether it works')
    .argument('<server>', 'the URL of the server, or its name in the config file')
    .addHelpText('after', examples)
    .action(run((invocation, _options, server = '') => status(invocation, server)))
}

const openServer = 'Credential: none. The server requires no credential.'

async function status(invocation: Invocation, given: string): Promise<void> {
  const { terminal } = invocation
  const { defaultStore } = await import('../auto/index.ts')
  const store = defaultStore()
  const server = await findServer(given, invocation, store)
  const provider = await providerFor(server, invocation, store)
  const events: CredentialEvent[] = []
  const authorized = await withCommandErrors(server, invocation, () =>
    authorizedFetch(provider, {
      resource: server.url,
      store,
      ...accountOption(invocation),
      ...fetchOption(invocation),
      onEvent: (event) => void events.push(event),
    }),
  )
  try {
    const words = await asTenant(server, invocation, () =>
      testServer(server, authorized, invocation),
    )
    terminal.print(`${server.label} works: ${words}.`)
    terminal.print(await describeCredential(server, events, store, invocation))
  } catch (error) {
    if (isCredentialError(error, 'access_denied')) {
      const source = configuredSource(server, events, provider, authorized.manager)
      throw credentialRefusedError(error, server, source, invocation)
    }
    if (!isNothingStored(error)) throw await toCommandError(error, server, invocation)
    await testOpenServer(server, invocation)
  } finally {
    await authorized.close()
  }
}

/** Describes the config entry that provides the credential; `undefined`: no entry does. */
function configuredSource(
  { entry }: Server,
  events: readonly CredentialEvent[],
  provider: CredentialProvider | CredentialSelector,
  manager: TokenManager,
): string | undefined {
  const chosen = events.flatMap((event) => (event.type === 'source_chosen' ? [event] : [])).at(-1)
  const isConfigured = chosen === undefined ? entry !== undefined : chosen.source === 'config'
  if (!isConfigured) return undefined
  const credential = manager.current()
  const source = 'source' in provider ? provider.source : undefined
  const told =
    typeof source === 'function' ? credential && source(credential) : (source ?? undefined)
  return told ?? chosen?.detail ?? `the entry \`${shown(entry?.name ?? '')}\` of ${entry?.file}`
}

/**
 * Tests a server without a credential.
 *
 * @throws `LoginRequiredError` when the server requires a credential; `CredentialError` when it cannot be
 *   used at all.
 */
async function testOpenServer(server: Server, invocation: Invocation): Promise<void> {
  const send = fetchOption(invocation).fetch ?? ((input, init) => fetch(input, init))
  try {
    const words = await testServer(server, send, invocation)
    invocation.terminal.print(`${server.label} works: ${words}.`)
    invocation.terminal.print(openServer)
  } catch (error) {
    const isRefused = isCredentialError(error, 'access_denied')
    throw isRefused ? nothingStoredError(server, invocation) : error
  }
}

async function testServer(
  server: Server,
  send: FetchLike,
  { signal }: Invocation,
): Promise<string> {
  const { openSession } = await import('./mcp-session.ts')
  try {
    const session = await withTimeLimit(30_000, signal, (limited) =>
      abortable(openSession(server, send, limited), limited),
    )
    const { name, version, protocol, tools, transport } = session
    const offered = tools === undefined ? '' : `, ${tools === 1 ? 'one tool' : `${tools} tools`}`
    const who = name === undefined ? 'the server' : `${shown(name)} ${shown(version ?? '')}`.trim()
    const how = protocol === undefined ? '' : `, protocol ${shown(protocol)}`
    return `${who}${how}, ${transport}${offered}`
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof DOMException) || error.name !== 'TimeoutError') throw error
    throw new CredentialError('timeout', `${server.label} did not respond within 30 seconds.`, {
      resource: server.url,
      remedy: 'Try again later.',
    })
  }
}

/** Describes the source of the credential and its expiry. */
async function describeCredential(
  { url }: Server,
  events: readonly CredentialEvent[],
  store: DefaultStore,
  { global }: Invocation,
): Promise<string> {
  const { listSaved, savedUrl } = await import('../auto/index.ts')
  const chosen = events.flatMap((event) => (event.type === 'source_chosen' ? [event] : [])).at(-1)
  if (chosen?.source === 'none') return openServer
  const source = chosen === undefined ? 'as the config file says' : chosen.detail
  const { account = 'default' } = global
  const key = `${savedUrl(url)} | ${account}`
  const [saved] = await listSaved({ ...store, list: async () => [key] })
  if (saved === undefined || chosen?.source !== 'stored') return `Credential: ${source}.`
  const { expiresAt, renewable } = saved
  const end = expiresAt === undefined ? '' : `, expires ${formatExpiry(expiresAt, Date.now())}`
  return `Credential: ${source}${end}${renewable ? ', renewed automatically' : ''}.`
}
