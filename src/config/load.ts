/**
 * Finds and reads config files.
 *
 * @module
 */
import { homedir } from 'node:os'
import { type Config, type ConfigParts, makeConfig } from './config.ts'
import { checkLoadOptions, type LoadConfigOptions } from './load-options.ts'
import { chosenPlace, type Machine, occupied, type Place, places } from './locations.ts'

/**
 * Reads the servers of the config files that MCP clients share: `mcpServers` of Claude Desktop, Claude Code, Cursor
 * and Windsurf, `servers` of VS Code, with an `auth` block of our own.
 *
 * Looks in the project, from the folder upwards to the root of its repository (`.mcp.json`, `.cursor/mcp.json`,
 * `.vscode/mcp.json`, `mcp.json`), and then where the clients keep the user's own. Of two entries with the same name,
 * the nearer one counts.
 *
 * A file that is not the user's own neither runs a command nor sends a secret before the user has trusted its very
 * content. Its servers are listed until then, and `credentials()` throws.
 *
 * @example
 * ```ts
 * import { Client } from '@modelcontextprotocol/sdk/client/index.js'
 * import { loadConfig } from 'mcp-credentials/config'
 *
 * const config = await loadConfig()
 * const client = new Client({ name: 'agent', version: '1.0.0' })
 * await config.connect('crm', client)
 * ```
 *
 * @throws `ConfigurationError` when an option is wrong, when the chosen file does not exist, and when a file is
 * broken: with file, line, column and what was expected, at most ten times.
 */
export async function loadConfig(options: LoadConfigOptions = {}): Promise<Config> {
  checkLoadOptions(options)
  const { store } = options
  const env = options.env ?? process.env
  const machine = { platform: process.platform, home: options.home ?? homedir(), env }
  const environment = options.environment ?? (env['MCP_CREDENTIALS_ENV'] || undefined)
  const found = await occupied(await placesFor(options, machine))
  if (found.length === 0) return makeConfig({ ...nothingRead, store })
  // The parser and the tables of all providers, which a command without a config file does not wait for.
  const { readConfig } = await import('./read-config.ts')
  return makeConfig({ ...(await readConfig(found, environment, options)), store })
}

const nothingRead: Omit<ConfigParts, 'store'> = {
  files: [],
  realPaths: new Map(),
  servers: [],
  warnings: [],
  makeProvider: () => {
    throw new Error('There is no server.')
  },
}

async function placesFor(options: LoadConfigOptions, machine: Machine): Promise<readonly Place[]> {
  const cwd = options.cwd ?? process.cwd()
  const chosen = options.path ?? (machine.env['MCP_CREDENTIALS_CONFIG'] || undefined)
  return chosen === undefined ? places(cwd, machine) : [chosenPlace(chosen, cwd, machine)]
}
