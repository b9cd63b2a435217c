import { type ChildProcess, fork, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encryptedFileStore } from 'mcp-credentials/file'
import { type LoginServer, startLoginServer } from './login-server.ts'

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
  const home = join(folder, 'mcp-remote-v1')
  await mkdir(home)
  const { href } = server.url
  const file = (name: string) =>
    join(home, `${createHash('md5').update(href).digest('hex')}_${name}.json`)
  const issuer = server.origin
  await writeFile(file('tokens'), JSON.stringify({ ...server.tokens(), issuer, expires_in: 3600 }))
  const client = {
    client_id: 'bench',
    redirect_uris: ['http://localhost:3334/oauth/callback'],
    issuer,
  }
  await writeFile(file('client_info'), JSON.stringify(client))
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
  const { access_token: accessToken, refresh_token: refreshToken } = server.tokens()
  const url = server.url.href
  await encryptedFileStore(options).set(`${url} | default`, {
    version: 1,
    provider: 'authorizationCode',
    generation: 1,
    issuer: server.origin,
    obtainedAt: Date.now(),
    expiresAt: Date.now() + 3_600_000,
    data: { accessToken, refreshToken, tokenType: 'bearer', clientId: 'bench' },
  })
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
