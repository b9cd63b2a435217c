import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A session bus with a keyring of its own, in which nothing of the user's can be touched. */
export interface SecretService {
  /** The environment of processes that shall use it. */
  readonly env: NodeJS.ProcessEnv
  readonly daemon: ChildProcess
  /** Locks the collection, as a screen lock does. */
  lock(): Promise<void>
  stop(): Promise<void>
}

/** Starts the real daemons of a desktop, without a desktop. */
export async function startSecretService(
  options: { readonly unlocked?: boolean } = {},
): Promise<SecretService> {
  const home = await mkdtemp(join(tmpdir(), 'secret-service-'))
  const base = {
    ...process.env,
    HOME: home,
    XDG_DATA_HOME: join(home, 'data'),
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_CACHE_HOME: join(home, 'cache'),
    XDG_RUNTIME_DIR: home,
  }
  const bus = spawn('dbus-daemon', ['--session', '--nofork', '--print-address'], {
    env: base,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const address = await firstLine(bus)
  const env = { ...base, DBUS_SESSION_BUS_ADDRESS: address }
  const daemon = spawn(
    'gnome-keyring-daemon',
    ['--foreground', '--components=secrets', ...(options.unlocked === false ? [] : ['--unlock'])],
    { env, stdio: ['pipe', 'ignore', 'ignore'] },
  )
  daemon.stdin.end('test')
  const call = (destination: string, ...args: string[]) =>
    new Promise<string>((resolve) => {
      const common = ['--session', '--print-reply', `--dest=${destination}`]
      const child = spawn('dbus-send', [...common, ...args], {
        env,
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      let output = ''
      child.stdout.on('data', (chunk) => {
        output += chunk
      })
      child.once('close', () => resolve(output))
    })
  const busName = 'org.freedesktop.DBus'
  const isThere = () =>
    call(
      busName,
      '/org/freedesktop/DBus',
      `${busName}.NameHasOwner`,
      'string:org.freedesktop.secrets',
    )
  while (!(await isThere()).includes('true'))
    await new Promise((resolve) => setTimeout(resolve, 20))
  return {
    env,
    daemon,
    async lock() {
      await call(
        'org.freedesktop.secrets',
        '/org/freedesktop/secrets',
        'org.freedesktop.Secret.Service.Lock',
        'array:objpath:/org/freedesktop/secrets/collection/login',
      )
    },
    async stop() {
      daemon.kill('SIGKILL')
      bus.kill('SIGKILL')
      await rm(home, { recursive: true, force: true })
    },
  }
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', (chunk) => resolve(String(chunk).split('\n')[0] ?? ''))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`it ended with ${code}`)))
  })
}
