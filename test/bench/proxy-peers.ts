import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultStore } from 'mcp-credentials/auto'
import type { LoginServer } from './login-server.ts'
import { storeForMcpRemote, storeLogin } from './stored-login.ts'

/** A proxy between the stdio transport and a remote server. */
export interface ProxyPeer {
  readonly name: string
  /** Puts the server's present tokens where the proxy looks for a login. */
  store(server: LoginServer, folder: string): Promise<void>
  start(server: LoginServer, folder: string): ChildProcess
}

const packageOf = (name: string) =>
  createRequire(import.meta.url)(
    fileURLToPath(new URL(`../../node_modules/${name}/package.json`, import.meta.url)),
  ) as { version: string }

/** Neither may open a browser when a login is lost. */
const noBrowser = { PATH: '/nonexistent', BROWSER: 'none' }

const mcpRemote: ProxyPeer = {
  name: `mcp-remote ${packageOf('mcp-remote').version}`,
  store: (server, folder) => storeForMcpRemote(folder, server),
  start({ url }, folder) {
    const main = fileURLToPath(
      new URL('../../node_modules/mcp-remote/dist/proxy.js', import.meta.url),
    )
    const args = [main, url.href, '3334', '--allow-http', '--transport', 'http-only']
    const env = { ...process.env, ...noBrowser, MCP_REMOTE_CONFIG_DIR: folder }
    return spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'ignore'] })
  },
}

const own: ProxyPeer = {
  name: 'mcp-credentials proxy',
  async store(server, folder) {
    const store = defaultStore({
      kind: 'file',
      directory: join(folder, 'data', 'mcp-credentials'),
      keyDirectory: join(folder, 'config', 'mcp-credentials', 'keys'),
    })
    await storeLogin(store, server)
  },
  start({ url }, folder) {
    const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
    const env = {
      ...process.env,
      ...noBrowser,
      HOME: folder,
      XDG_DATA_HOME: join(folder, 'data'),
      XDG_CONFIG_HOME: join(folder, 'config'),
      MCP_CREDENTIALS_STORE: 'file',
    }
    const args = [main, 'proxy', url.href, '--no-browser']
    return spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'ignore'] })
  },
}

/** The proxies that are compared. */
export const proxyPeers: readonly ProxyPeer[] = [mcpRemote, own]

/** What speaks to a proxy through its pipes. */
export interface ProxyClient {
  readonly pid: number
  /** The answer to a request; rejects when there is an error or none within the time. */
  request(method: string, params?: object): Promise<object>
  initialize(): Promise<object>
  /** Ends the process at once. */
  kill(): void
}

interface Answer {
  readonly id?: number
  readonly result?: object
  readonly error?: { readonly message: string }
}

/** A client of a proxy process that was just started. */
export function proxyClient(child: ChildProcess, patienceMs: number): ProxyClient {
  const waiting = new Map<number, (answer: Answer) => void>()
  let count = 0
  let rest = ''
  child.stdin?.on('error', () => {})
  child.once('exit', () => {
    for (const answer of waiting.values()) answer({ error: { message: 'the process ended' } })
  })
  child.stdout?.on('data', (chunk) => {
    const lines = `${rest}${chunk}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const answer = JSON.parse(line) as Answer
      waiting.get(answer.id ?? -1)?.(answer)
    }
  })
  const send = (message: object) =>
    void child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  const client: ProxyClient = {
    pid: child.pid ?? 0,
    request(method, params = {}) {
      count += 1
      const id = count
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('no answer')), patienceMs)
        waiting.set(id, ({ result, error }) => {
          clearTimeout(timer)
          waiting.delete(id)
          if (result === undefined) reject(new Error(error?.message))
          else resolve(result)
        })
        send({ id, method, params })
      })
    },
    async initialize() {
      const clientInfo = { name: 'bench', version: '1.0.0' }
      const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo }
      const result = await client.request('initialize', params)
      send({ method: 'notifications/initialized' })
      return result
    },
    kill: () => void child.kill('SIGKILL'),
  }
  return client
}
