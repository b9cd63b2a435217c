import { type ChildProcess, fork, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encryptedFileStore } from 'mcp-credentials/file'
import { type LoginServer, startLoginServer } from './login-server.ts'
import { storeForMcpRemote, storeLogin } from './stored-login.ts'

const instances = 6
const patienceMs = 20_000

/** In how many runs six processes that share one login on disk lose it, when its token has expired. */
export async function benchProcesses(runs: number): Promise<readonly string[]> {
  const cells: string[] = []
  for (const play of [mcpRemote, ours]) {
    let lost = 0
    let answered = 0
    for (let run = 0; run < runs; run += 1) {
      const server = await startLoginServer()
      const folder = await mkdtemp(join(tmpdir(), 'bench-processes-'))
      answered += await play(server, folder)
      if (server.isDead()) lost += 1
      await server.close()
      await rm(folder, { recursive: true, force: true })
    }
    cells.push(
      `${lost} of ${runs} lose the login; ${answered} of ${runs * instances} processes are answered`,
    )
  }
  return cells
}

async function mcpRemote(server: LoginServer, folder: string): Promise<number> {
  await storeForMcpRemote(folder, server)
  const { href } = server.url
  server.expire()
  const proxy = createRequire(import.meta.url).resolve('mcp-remote/dist/proxy.js')
  const children = Array.from({ length: instances }, () =>
    spawn(process.execPath, [proxy, href, '3334', '--allow-http', '--transport', 'http-only'], {
      // No browser is wanted when a login is lost.
      env: { ...process.env, MCP_REMOTE_CONFIG_DIR: folder, PATH: '/nonexistent', BROWSER: 'none' },
      stdio: ['pipe', 'pipe', 'ignore'],
    }),
  )
  const message = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'bench', version: '1.0.0' },
    },
  }
  const answers = children.map(
    (child) =>
      new Promise<boolean>((resolve) => {
        child.stdin.on('error', () => {})
        child.stdin.write(`${JSON.stringify(message)}\n`)
        child.stdout.on('data', (chunk) => {
          if (String(chunk).includes('"serverInfo"')) resolve(true)
        })
        child.once('exit', () => resolve(false))
        setTimeout(() => resolve(false), patienceMs).unref()
      }),
  )
  return finish(children, answers)
}

async function ours(server: LoginServer, folder: string): Promise<number> {
  const options = { key: randomBytes(32).toString('base64'), directory: folder }
  await storeLogin(encryptedFileStore(options), server)
  const url = server.url.href
  server.expire()
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
  const worker = new URL('../support/fleet-worker.mjs', import.meta.url)
  const setting = JSON.stringify({ url, store: 'file', options, pauseMs: 1000, body })
  const children = Array.from({ length: instances }, () =>
    fork(worker, [setting], { execArgv: [] }),
  )
  const answers = children.map(
    (child) =>
      new Promise<boolean>((resolve) => {
        child.on('message', ({ status, error }: { status?: number; error?: string }) => {
          if (status !== undefined || error !== undefined) resolve(status === 200)
        })
        child.once('exit', () => resolve(false))
      }),
  )
  return finish(children, answers)
}

async function finish(
  children: readonly ChildProcess[],
  answers: readonly Promise<boolean>[],
): Promise<number> {
  const answered = (await Promise.all(answers)).filter(Boolean).length
  for (const child of children) child.kill('SIGKILL')
  return answered
}
