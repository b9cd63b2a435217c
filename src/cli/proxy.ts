/**
 * The command `proxy`: connects a client that cannot use the library, and adds the credential.
 *
 * @module
 */
import { once } from 'node:events'
import {
  ConfigurationError,
  type CredentialProvider,
  type CredentialSelector,
  type CredentialStore,
  isCredentialError,
} from '../index.ts'
import type { CommonBridgeOptions } from '../node/index.ts'
import type { AddCommand, GlobalOptions, Invocation } from './command.ts'
import { commandWord } from './labels.ts'
import { ofTenant, refuseTenant, refuseUnknown, trustedEntry } from './server.ts'
import type { Terminal } from './terminal.ts'
import { loggingFetch } from './verbose-fetch.ts'

interface ProxyOptions {
  /** The port, or `true` for a free one. */
  readonly listen?: string | true
  /** `false`: `--no-browser`. */
  readonly browser: boolean
}

/** The server to which messages are relayed. */
interface Target {
  readonly resource: URL
  readonly provider: CredentialProvider | CredentialSelector
  readonly store: CredentialStore
}

const examples = `
Examples:
  In an mcp.json, for a client that starts its servers:
    { "mcpServers": { "crm": { "command": "npx",
      "args": ["-y", "mcp-credentials", "proxy", "https://mcp.example.com/mcp"] } } }
  A server of the config file by its name:
    npx mcp-credentials proxy crm
  For a client that accepts only a URL:
    npx mcp-credentials proxy crm --listen`

/** Adds the command. */
export const addProxy: AddCommand = (program, run) => {
  program
    .command('proxy')
    .description('connect a local client to a server, with the stored credential')
    .argument('<server>', 'the URL of the server, or its name in the config file')
    .option('--listen [port]', 'serve HTTP on this machine instead of standard input and output')
    .option('--no-browser', 'do not open a browser when a login is required')
    .addHelpText('after', examples)
    .action(
      run<ProxyOptions>((invocation, options, server = '') => proxy(invocation, options, server)),
    )
}

async function proxy(
  { terminal, signal, global }: Invocation,
  options: ProxyOptions,
  server: string,
): Promise<void> {
  // The client may close the pipe before the last log line.
  terminal.stderr.on('error', () => {})
  const [{ bridge, stdioBridge }, { provider, resource, store }] = await Promise.all([
    import('../node/index.ts'),
    findTarget(server, global, terminal),
  ])
  // A pending login must not keep the process alive after its client has gone.
  const ending = new AbortController()
  const logins = AbortSignal.any([signal, ending.signal])
  const log = (line: string) => terminal.note(`mcp-credentials: ${line}`)
  const account = global.account === undefined ? {} : { account: global.account }
  const common: CommonBridgeOptions = {
    resource,
    store,
    ...account,
    onLog: log,
    async onLoginRequired(request) {
      const { loginOffer } = await import('./proxy-login.ts')
      const mayOpen = options.browser
      return loginOffer(request, { resource, store, ...account, signal: logins, mayOpen, log })
    },
    ...(global.verbose === true
      ? { fetch: loggingFetch(log, (input, init) => fetch(input, init)) }
      : {}),
  }
  if (options.listen === undefined) {
    if (terminal.stdin.isTTY === true) {
      log(
        'The proxy speaks MCP on standard input and output; configure an MCP client to start it. Press Ctrl-C to stop.',
      )
    }
    const { stdin: input, stdout: output } = terminal
    await stdioBridge(provider, { ...common, input, output, signal }).ended
    ending.abort()
    return
  }
  const port = portOf(options.listen)
  const local = await bridge(provider, { ...common, port }).catch((error: unknown) => {
    throw isCredentialError(error, 'configuration') && error.option === 'bridge.port'
      ? portTaken(port)
      : error
  })
  terminal.print(local.url.href)
  log('Anyone who knows this URL can use the credential. Press Ctrl-C to stop.')
  if (!signal.aborted) await once(signal, 'abort')
  await local.close()
}

async function findTarget(
  server: string,
  { config: path, environment, account, tenant }: GlobalOptions,
  { cwd, env }: Terminal,
): Promise<Target> {
  const { auto, defaultStore } = await import('../auto/index.ts')
  const store = defaultStore()
  const where = environment === undefined ? {} : { environment }
  if (/^https?:\/\//i.test(server)) {
    if (!URL.canParse(server)) {
      throw new ConfigurationError('server', 'The URL is not valid.', {
        remedy: 'Use a URL as in `npx mcp-credentials proxy https://mcp.example.com/mcp`.',
      })
    }
    refuseTenant(server, tenant)
    const options = { store, ...where, ...(account === undefined ? {} : { account }) }
    const provider = auto(path === undefined ? options : { ...options, config: path })
    return { resource: new URL(server), provider, store }
  }
  const { loadConfig } = await import('../config/index.ts')
  const files = path === undefined ? {} : { path }
  const config = await loadConfig({ ...files, ...where, cwd, env, store })
  if (!config.servers.some(({ name }) => name === server)) refuseUnknown(server, config)
  const { kind, url, tenants } = trustedEntry(server, config)
  if (kind === 'stdio') {
    throw new ConfigurationError('server', `The server \`${server}\` has no URL.`, {
      remedy: `It is a stdio server: use \`npx mcp-credentials exec ${commandWord(server)} -- command\`.`,
    })
  }
  const entry = { name: server, tenants }
  const provider = await ofTenant(config.credentials(server), entry, tenant)
  if (url !== undefined) return { resource: url, provider, store }
  throw new ConfigurationError('server', `The URL of \`${server}\` is not valid.`, {
    remedy: 'Correct it in the config file.',
  })
}

function portTaken(port: number): ConfigurationError {
  return new ConfigurationError('listen', `The port ${port} is in use or reserved.`, {
    remedy: 'Pass another port to --listen, or omit the port to use a free one.',
  })
}

function portOf(listen: string | true): number {
  if (listen === true) return 0
  if (/^\d{1,5}$/.test(listen) && Number(listen) <= 65_535) return Number(listen)
  throw new ConfigurationError('listen', 'The port of --listen must be a number up to 65535.', {
    remedy: 'Omit the port to use a free one.',
  })
}
