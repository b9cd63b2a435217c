import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'

/** The application as a process. */
export interface RunningApp {
  /** Where it listens. */
  readonly origin: string
  /** Ends it as a crash would. */
  kill(): Promise<void>
  /** Starts it again at the same place. */
  start(): Promise<void>
}

/** Starts the application on a free port. */
export async function runApp(directory: string): Promise<RunningApp> {
  const key = () => randomBytes(32).toString('base64')
  const keys = { STORE_KEY: key(), LOGIN_KEY: key(), SESSION_KEY: key() }
  const launch = async (port: string) => {
    const child = fork(new URL('app.ts', import.meta.url), {
      env: { ...process.env, ...keys, STORE_DIRECTORY: directory, PORT: port },
      execArgv: ['--import', 'tsx'],
    })
    const origin = await new Promise<string>((resolve, reject) => {
      child.once('message', (message) => resolve(String(message)))
      child.once('exit', () => reject(new Error('The application has not started.')))
    })
    return { child, origin }
  }
  let { child, origin } = await launch('0')
  return {
    origin,
    async kill() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      if (child.kill('SIGKILL')) await ended
    },
    async start() {
      child = (await launch(new URL(origin).port)).child
    },
  }
}
