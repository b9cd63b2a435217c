import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A real Redis with a folder of its own. */
export interface RedisServer {
  readonly url: string
  readonly folder: string
  start(): Promise<void>
  /** The number of its process, once it has been started. */
  pid(): number | undefined
  /** Ends it as a crash would. */
  kill(): Promise<void>
  /** Suspends it, as a host that hangs does. */
  suspend(): void
  /** Lets it go on. */
  wake(): void
  /** Ends it and removes its folder. */
  remove(): Promise<void>
}

export async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** @param settings - Further settings, as in `redis.conf`. */
export async function redisServer(
  settings: Readonly<Record<string, string | number>> = {},
): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'redis-'))
  const port = await freePort()
  let server: ChildProcess | undefined
  const kill = async () => {
    const child = server
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    folder,
    async start() {
      const options = {
        port,
        dir: folder,
        bind: '127.0.0.1',
        appendonly: 'yes',
        appendfsync: 'always',
        ...settings,
      }
      const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
      const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit']
      const child = spawn('redis-server', [...args, '--save', ''], { stdio })
      server = child
      await new Promise<void>((resolve, reject) => {
        let log = ''
        child.stdout.on('data', (chunk) => {
          log += chunk
          if (log.includes('Ready to accept connections')) resolve()
        })
        child.once('error', reject)
        child.once('exit', () => reject(new Error(`redis-server ended: ${log}`)))
      })
    },
    pid: () => server?.pid,
    kill,
    suspend: () => void server?.kill('SIGSTOP'),
    wake: () => void server?.kill('SIGCONT'),
    async remove() {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
