import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { type DefaultStore, defaultStore, saveKey } from '../../src/auto/index.ts'
import type { StartOptions } from './stdio-clients.ts'

/** A home folder with a store of its own, for processes of the built command. */
export interface ProxyHome {
  readonly directory: string
  /** What the processes find. */
  readonly store: DefaultStore
  readonly env: Record<string, string>
  /** How `mcp-credentials proxy …` is started. */
  proxy(...args: readonly string[]): StartOptions
}

const command = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** Makes a home folder that the test leaves behind empty. */
export async function proxyHome(): Promise<ProxyHome> {
  const directory = await mkdtemp(join(tmpdir(), 'proxy-home-'))
  // From Node 22 on, a process that ends writes its compiled code there.
  onTestFinished(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }))
  const store = defaultStore({
    kind: 'file',
    directory: join(directory, 'data', 'mcp-credentials'),
    keyDirectory: join(directory, 'config', 'mcp-credentials', 'keys'),
  })
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: directory,
    XDG_DATA_HOME: join(directory, 'data'),
    XDG_CONFIG_HOME: join(directory, 'config'),
    MCP_CREDENTIALS_STORE: 'file',
  }
  return {
    directory,
    store,
    env,
    proxy: (...args) => ({
      command: process.execPath,
      args: [command, 'proxy', ...args],
      env,
      cwd: directory,
    }),
  }
}

/** How a proxy is started to a server, whose token is stored. */
export async function proxyWithToken(url: URL | string, token: string): Promise<StartOptions> {
  const home = await proxyHome()
  await saveKey(home.store, { resource: url, key: { type: 'bearer', token } })
  return home.proxy(String(url))
}
