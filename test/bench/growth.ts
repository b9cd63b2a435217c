// How costs grow with the number of tenants, of callers and of processes.
import { AsyncLocalStorage } from 'node:async_hooks'
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoizeIdentityProvider } from '@smithy/core'
import {
  authorizedFetch,
  bearer,
  type CredentialProvider,
  perTenant,
  TokenManager,
} from 'mcp-credentials'
import { encryptedFileStore } from 'mcp-credentials/file'
import { startLoginServer } from './login-server.ts'
import { heapSize } from './memory.ts'
import { type LineChart, type Row, short, type Table } from './report.ts'
import { effort, figure } from './rounds.ts'
import { storeLogin } from './stored-login.ts'

const resource = 'https://mcp.example.com/mcp'

/** Time and memory with 1 to 10 000 tenants that all send requests. */
export async function benchTenants(): Promise<Table[]> {
  const counts = [1, 10, 100, 1000, 10_000]
  const measured: Awaited<ReturnType<typeof tenantCosts>>[] = []
  await tenantCosts(1000)
  for (const count of counts) measured.push(await tenantCosts(count))
  const rows = counts.map((count, index): Row => {
    const { first = 0, later = 0, heap = 0 } = measured[index] ?? {}
    const perTenantKB = count < 100 ? '–' : short(heap / 1024 / count)
    return [count.toLocaleString('en'), short(first), short(later), perTenantKB]
  })
  const lines = [
    { name: 'first request of a tenant', own: true, values: measured.map(({ first }) => first) },
    { name: 'each later request', own: true, values: measured.map(({ later }) => later) },
  ]
  const title = 'One request, with many tenants in one process'
  const alt =
    'The time of the first request of a tenant and of each later one, with 1 to 10 000 tenants of perTenant() in one process.'
  const chart: LineChart = { kind: 'lines', alt, unit: 'µs', xs: counts, xName: 'tenants', lines }
  const columns = [
    'first request of a tenant, µs',
    'each later request, µs',
    'heap for a tenant, KB',
  ]
  return [{ id: 'tenants', title, columns, rows, chart }]
}

async function tenantCosts(count: number) {
  const tenant = new AsyncLocalStorage<string>()
  const provider = perTenant(
    () => tenant.getStore() ?? '',
    (name) => bearer(`token-of-${name}`),
    { maxTenants: count },
  )
  const fetch = authorizedFetch(provider, { resource, fetch: async () => new Response(null) })
  const names = Array.from({ length: count }, (_, index) => `tenant-${index}`)
  const all = async () => {
    const start = process.hrtime.bigint()
    for (const name of names) await tenant.run(name, () => fetch(resource))
    return Number(process.hrtime.bigint() - start) / 1000 / count
  }
  const before = heapSize()
  const first = await all()
  const heap = heapSize() - before
  const samples: number[] = []
  const runs = Math.max(3, effort(20_000) / count)
  for (let run = 0; run < runs; run += 1) samples.push(await all())
  return { first, later: figure('', samples).median, heap }
}

/** What each of many callers waits beyond the answer of the authorization server, when all need a new token. */
export async function benchCallers(): Promise<Table[]> {
  const counts = [1, 10, 100, 1000, 10_000]
  const rivals = [
    { name: 'mcp-credentials', own: true, make: ownCaller },
    { name: '@smithy/core', own: false, make: smithyCaller },
  ]
  const measured = rivals.map((rival) => ({
    ...rival,
    values: [] as number[],
    asked: [] as number[],
  }))
  for (const { make } of rivals) await crowd(make, 1000)
  for (const count of counts) {
    for (const rival of measured) {
      const samples: number[] = []
      let asked = 0
      for (let round = 0; round < effort(21, 3); round += 1) {
        const outcome = await crowd(rival.make, count)
        samples.push(outcome.microseconds)
        asked = Math.max(asked, outcome.asked)
      }
      rival.values.push(figure('', samples).minimum)
      rival.asked.push(asked)
    }
  }
  const rows = counts.map(
    (count, index): Row => [
      count.toLocaleString('en'),
      ...measured.map(({ values, asked }) => `${short(values[index] ?? 0)} (${asked[index]})`),
    ],
  )
  const title = 'Many callers wait for one new token: time for each of them'
  const alt = `The time for each caller when 1 to 10 000 of them need a new token at once: ${measured.map(({ name }) => name).join(' and ')}.`
  const chart: LineChart = {
    kind: 'lines',
    alt,
    unit: 'µs',
    xs: counts,
    xName: 'callers',
    lines: measured,
  }
  const columns = measured.map(({ name }) => `${name}: µs (token requests)`)
  return [{ id: 'callers', title, columns, rows, chart }]
}

type MakeCaller = (asked: () => void) => () => Promise<unknown> | undefined

async function crowd(make: MakeCaller, count: number) {
  let asked = 0
  const call = make(() => {
    asked += 1
  })
  const start = process.hrtime.bigint()
  await Promise.all(Array.from({ length: count }, call))
  return { microseconds: Number(process.hrtime.bigint() - start) / 1000 / count, asked }
}

/** The authorization server answers in the next turn of the event loop. */
const answer = () => new Promise<void>((resolve) => setImmediate(resolve))

const ownCaller: MakeCaller = (asked) => {
  const provider: CredentialProvider = {
    name: 'bench',
    async acquire({ now }) {
      asked()
      await answer()
      return { expiresAt: now() + 3_600_000, apply: ({ headers }) => headers.set('X-Key', 'bench') }
    },
  }
  const manager = new TokenManager(provider, { resource })
  return () => manager.credential()
}

const smithyCaller: MakeCaller = (asked) => {
  const token = async () => {
    asked()
    await answer()
    return { token: 'bench', expiration: new Date(Date.now() + 3_600_000) }
  }
  const identity = memoizeIdentityProvider(
    token,
    ({ expiration }) => expiration !== undefined && expiration.getTime() - Date.now() < 300_000,
    ({ expiration }) => expiration !== undefined,
  )
  return () => identity?.()
}

/** Processes that start at once with one login on disk, whose token has expired. */
export async function benchProcessGrowth(): Promise<Table[]> {
  const counts = [1, 2, 4, 8, 16]
  const measured: Awaited<ReturnType<typeof fleet>>[] = []
  for (const count of counts) measured.push(await fleet(count))
  const rows = counts.map((count, index): Row => {
    const { asked = 0, answered = 0, ms = 0 } = measured[index] ?? {}
    return [String(count), `${answered} of ${count}`, String(asked), short(ms)]
  })
  const lines = [{ name: 'until the last answer', own: true, values: measured.map(({ ms }) => ms) }]
  const title = 'Processes that share one expired login in encrypted files'
  const alt =
    'The time until the last of 1 to 16 processes has its first answer, when all share one login on disk whose token has expired.'
  const chart: LineChart = { kind: 'lines', alt, unit: 'ms', xs: counts, xName: 'processes', lines }
  const columns = ['processes answered', 'token requests', 'until the last answer, ms']
  return [{ id: 'processes', title, columns, rows, chart }]
}

async function fleet(count: number) {
  const samples: { readonly asked: number; readonly answered: number; readonly ms: number }[] = []
  for (let round = 0; round < effort(5, 1); round += 1) samples.push(await fleetOnce(count))
  const [best] = samples.sort((left, right) => left.ms - right.ms)
  const asked = Math.max(...samples.map((sample) => sample.asked))
  const answered = Math.min(...samples.map((sample) => sample.answered))
  return { asked, answered, ms: best?.ms ?? Number.NaN }
}

async function fleetOnce(count: number) {
  const server = await startLoginServer()
  const folder = await mkdtemp(join(tmpdir(), 'bench-fleet-'))
  const options = { key: randomBytes(32).toString('base64'), directory: folder }
  await storeLogin(encryptedFileStore(options), server)
  server.expire()
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
  const setting = { url: server.url.href, store: 'file', options, pauseMs: 60_000, body }
  const worker = new URL('../support/fleet-worker.mjs', import.meta.url)
  const start = performance.now()
  const children = Array.from({ length: count }, () =>
    fork(worker, [JSON.stringify(setting)], { execArgv: [] }),
  )
  const statuses = await Promise.all(children.map(firstStatus))
  const ms = performance.now() - start
  for (const child of children) child.kill('SIGKILL')
  const asked = server.tokenRequests()
  await server.close()
  await rm(folder, { recursive: true, force: true })
  return { asked, answered: statuses.filter((status) => status === 200).length, ms }
}

function firstStatus(child: ChildProcess): Promise<number | undefined> {
  return new Promise((resolve) => {
    child.on('message', ({ status, error }: { status?: number; error?: string }) => {
      if (status !== undefined || error !== undefined) resolve(status)
    })
    child.once('exit', () => resolve(undefined))
  })
}
