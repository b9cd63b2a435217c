import { type ChildProcess, fork } from 'node:child_process'
import { onTestFinished } from 'vitest'
import type { CredentialRecord } from '../../src/index.ts'
import { recordingOrigin } from './recording-origin.ts'

/** How a process of the fleet opens its store. */
export interface StoreSetting {
  readonly store: 'file' | 'keychain' | 'redis' | 'postgres'
  readonly options: object
  /** The environment of the processes, where it is not this one's. */
  readonly env?: NodeJS.ProcessEnv
}

export interface Outcome {
  readonly status?: number
  readonly error?: string
  readonly reason?: string
  readonly message?: string
}

export interface Worker {
  readonly child: ChildProcess
  readonly outcomes: Outcome[]
  readonly ready: Promise<void>
  /** Waits for the outcome of a call that has not been made yet. */
  next(): Promise<Outcome>
  /** Lets it finish its call, and end. */
  stop(): Promise<void>
  kill(signal: NodeJS.Signals): void
}

/** A process that calls the server until it is stopped. */
export function startWorker(url: string, setting: StoreSetting, pauseMs = 50): Worker {
  const { store, options, env = process.env } = setting
  const file = new URL('fleet-worker.mjs', import.meta.url)
  const child = fork(file, [JSON.stringify({ url, store, options, pauseMs })], {
    env,
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const outcomes: Outcome[] = []
  let wake: ((outcome: Outcome) => void)[] = []
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
  })
  const ready = new Promise<void>((resolve) => {
    child.on('message', (message: Outcome & { ready?: true }) => {
      if (message.ready === true) return resolve()
      outcomes.push(message)
      const waiting = wake
      wake = []
      for (const each of waiting) each(message)
    })
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return {
    child,
    outcomes,
    ready,
    next: () =>
      new Promise((resolve) => {
        wake.push(resolve)
      }),
    async stop() {
      if (child.connected) child.send('stop')
      await ended
    },
    kill: (signal) => void child.kill(signal),
  }
}

export interface Judge {
  readonly url: string
  readonly issuer: string
  /** How often each refresh token was redeemed. */
  readonly uses: Map<string, number>
  /** A token was used twice, and with it the whole login was lost. */
  revoked: boolean
  /** Told of each redemption before it is answered: the process that asks. */
  onRedeem: (pid: number) => void | Promise<void>
  /** The number of the newest refresh token. */
  readonly current: number
  /** A login as another program would have left it in the store. */
  login(): CredentialRecord
}

/** A server whose refresh tokens are good for one use, and its MCP server, which refuses expired tokens. */
export async function startJudge(lifeSeconds: number, answerMs = 5): Promise<Judge> {
  let current = 1
  let family = 1
  const issued = new Map<string, number>()
  const issue = () => {
    issued.set(`access-${family}-${current}`, Date.now())
    return { access: `access-${family}-${current}`, refresh: `refresh-${family}-${current}` }
  }
  const origin = await recordingOrigin(async ({ url, body, headers }, response) => {
    const json = (status: number, value: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    if (url.startsWith('/.well-known/oauth-protected-resource')) {
      return void json(200, { resource: judge.url, authorization_servers: [judge.issuer] })
    }
    if (url.startsWith('/.well-known/')) {
      return void json(200, { issuer: judge.issuer, token_endpoint: `${judge.issuer}/token` })
    }
    if (url === '/token') {
      const form = new URLSearchParams(body)
      const given = form.get('refresh_token') ?? ''
      judge.uses.set(given, (judge.uses.get(given) ?? 0) + 1)
      await judge.onRedeem(Number(form.get('pid')))
      if (given !== `refresh-${family}-${current}`) judge.revoked = true
      if (judge.revoked) return void json(400, { error: 'invalid_grant' })
      current += 1
      const { access, refresh } = issue()
      await new Promise((resolve) => setTimeout(resolve, answerMs))
      return void json(200, {
        access_token: access,
        refresh_token: refresh,
        token_type: 'Bearer',
        expires_in: lifeSeconds,
      })
    }
    const token = headers.authorization?.slice('Bearer '.length) ?? ''
    const since = issued.get(token)
    const isGood = since !== undefined && Date.now() - since < lifeSeconds * 1000 && !judge.revoked
    json(isGood ? 200 : 401, {})
  })
  const judge: Judge = {
    url: `${origin.origin}/mcp`,
    issuer: origin.origin,
    uses: new Map(),
    revoked: false,
    onRedeem: () => {},
    get current() {
      return current
    },
    login() {
      family += 1
      current += 1
      judge.revoked = false
      const { access, refresh } = issue()
      const obtainedAt = Date.now()
      return {
        version: 1,
        provider: 'authorizationCode',
        generation: current,
        issuer: judge.issuer,
        obtainedAt,
        expiresAt: obtainedAt + lifeSeconds * 1000,
        data: {
          accessToken: access,
          refreshToken: refresh,
          tokenType: 'bearer',
          clientId: 'fleet',
        },
      }
    },
  }
  return judge
}
