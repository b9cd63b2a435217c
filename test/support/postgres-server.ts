import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './redis-server.ts'

/** A real PostgreSQL with a folder of its own. */
export interface PostgresServer {
  readonly url: string
  readonly folder: string
  start(): Promise<void>
  /** Ends it as a crash would: without a word to its clients. */
  kill(): Promise<void>
  /** Ends it and removes its folder. */
  remove(): Promise<void>
}

/** Where Debian keeps the programs of the newest version; empty: they are looked for on the `PATH`. */
export function programs(): string {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root) : []
  const newest = versions.sort((left, right) => Number(right) - Number(left))[0]
  return newest === undefined ? '' : join(root, newest, 'bin')
}

/** PostgreSQL refuses to run as root, so that it runs as the user of its package then. */
function asServer(program: string, args: readonly string[]): [string, string[]] {
  const path = program.startsWith('/') ? program : join(programs(), program)
  if (process.getuid?.() !== 0) return [path, [...args]]
  return ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', path, ...args]]
}

async function dataFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'postgres-'))
  if (process.getuid?.() === 0) {
    const id = (option: string) =>
      Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }))
    await chown(folder, id('-u'), id('-g'))
  }
  return folder
}

/** A pooler in front of a server, which lends its few connections for one transaction at a time. */
export interface PgBouncer {
  readonly url: string
  remove(): Promise<void>
}

export async function pgBouncer(server: string): Promise<PgBouncer> {
  const folder = await dataFolder()
  const port = await freePort()
  const behind = new URL(server)
  const config = join(folder, 'pgbouncer.ini')
  const settings = `[databases]
postgres = host=127.0.0.1 port=${behind.port} dbname=postgres user=tester
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 8
`
  await writeFile(config, settings)
  const [program, args] = asServer('/usr/sbin/pgbouncer', [config])
  const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'inherit', 'pipe'] })
  await isReady(child, 'process up')
  return {
    url: `postgres://tester@127.0.0.1:${port}/postgres`,
    async remove() {
      await ended(child, 'SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Waits until a program says in its log that it is ready. */
function isReady(child: ChildProcess, sign: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = ''
    child.stderr?.on('data', (chunk) => {
      log += chunk
      if (log.includes(sign)) resolve()
    })
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`${child.spawnargs.join(' ')} ended: ${log}`)))
  })
}

async function ended(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await exit
}

/** @param settings - Of the server, such as `max_connections=20`. */
export async function postgresServer(settings: readonly string[] = []): Promise<PostgresServer> {
  const folder = await dataFolder()
  const port = await freePort()
  const data = join(folder, 'data')
  const [initdb, initial] = asServer('initdb', [
    ...['-D', data, '-U', 'tester', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
  ])
  execFileSync(initdb, initial, { cwd: folder, stdio: 'pipe' })
  let server: ChildProcess | undefined
  const kill = () => ended(server, 'SIGQUIT')
  return {
    url: `postgres://tester@127.0.0.1:${port}/postgres`,
    folder,
    async start() {
      const own = ['listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`, ...settings]
      const [postgres, args] = asServer('postgres', [
        ...['-D', data, '-p', String(port)],
        ...own.flatMap((setting) => ['-c', setting]),
      ])
      const child = spawn(postgres, args, { cwd: folder, stdio: ['ignore', 'inherit', 'pipe'] })
      server = child
      await isReady(child, 'ready to accept connections')
    },
    kill,
    async remove() {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
