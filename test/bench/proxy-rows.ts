import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { LoginServer } from './login-server.ts'
import { type ProxyClient, type ProxyPeer, proxyClient } from './proxy-peers.ts'

/** One question to each proxy. */
export interface ProxyRow {
  readonly name: string
  /** The answer, for a table. */
  run(peer: ProxyPeer, server: LoginServer, folder: string): Promise<string>
}

const patienceMs = 20_000
const instances = 6
const coldStarts = 5
const calls = 300
const awayMs = 10_000

const start = (peer: ProxyPeer, server: LoginServer, folder: string): ProxyClient =>
  proxyClient(peer.start(server, folder), patienceMs)

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

async function times(count: number, task: () => Promise<unknown>): Promise<number> {
  const measured: number[] = []
  for (let n = 0; n < count; n += 1) {
    const startedAt = performance.now()
    await task()
    measured.push(performance.now() - startedAt)
  }
  return median(measured)
}

function listTools(server: LoginServer): Promise<string> {
  const { access_token: token } = server.tokens()
  return fetch(server.url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }),
  }).then((response) => response.text())
}

/** Resident memory of a process in megabytes (Linux). */
function residentMegabytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024
}

/** The questions, in the order of the table. */
export const proxyRows: readonly ProxyRow[] = [
  {
    name: `${instances} instances, the access token has expired`,
    async run(peer, server, folder) {
      server.expire()
      const clients = Array.from({ length: instances }, () => start(peer, server, folder))
      const outcomes = await Promise.allSettled(clients.map((client) => client.initialize()))
      for (const client of clients) client.kill()
      const answered = outcomes.filter(({ status }) => status === 'fulfilled').length
      const login = server.isDead() ? 'login lost' : 'login kept'
      return `${answered} of ${instances} answered, ${server.tokenRequests()} token requests, ${login}`
    },
  },
  {
    name: `cold start to the first answer, median of ${coldStarts}`,
    async run(peer, server, folder) {
      const milliseconds = await times(coldStarts, async () => {
        const client = start(peer, server, folder)
        await client.initialize()
        client.kill()
      })
      return `${Math.round(milliseconds)} ms`
    },
  },
  {
    name: `added time per call, median of ${calls}, one after another`,
    async run(peer, server, folder) {
      const client = start(peer, server, folder)
      await client.initialize()
      await times(50, () => client.request('tools/list'))
      await times(50, () => listTools(server))
      const direct = await times(calls, () => listTools(server))
      const through = await times(calls, () => client.request('tools/list'))
      client.kill()
      return `${(through - direct).toFixed(2)} ms (${through.toFixed(2)} instead of ${direct.toFixed(2)})`
    },
  },
  {
    name: `memory (RSS) after ${calls} calls`,
    async run(peer, server, folder) {
      const client = start(peer, server, folder)
      await client.initialize()
      for (let n = 0; n < calls; n += 1) await client.request('tools/list')
      const megabytes = residentMegabytes(client.pid)
      client.kill()
      return `${Math.round(megabytes)} MB`
    },
  },
  {
    name: 'the server is away for 10 s: a call every second, and one after',
    async run(peer, server, folder) {
      const client = start(peer, server, folder)
      await client.initialize()
      await client.request('tools/list')
      await server.goAway()
      const during: Promise<unknown>[] = []
      for (let waited = 0; waited < awayMs; waited += 1000) {
        during.push(client.request('tools/list'))
        during.at(-1)?.catch(() => {})
        await pause(1000)
      }
      await server.comeBack()
      const after = await client.request('tools/list').then(
        () => 'answered',
        () => 'not answered',
      )
      const outcomes = await Promise.allSettled(during)
      client.kill()
      const answered = outcomes.filter(({ status }) => status === 'fulfilled').length
      const errors = outcomes.map((each) => (each.status === 'rejected' ? each.reason : undefined))
      const silent = errors.filter((error) => error?.message === 'no answer').length
      return `${answered} of ${during.length} calls answered, ${silent} never; after it: ${after}`
    },
  },
]
