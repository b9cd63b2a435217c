import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CredentialRecord, CredentialStore } from 'mcp-credentials'
import { encryptedFileStore } from 'mcp-credentials/file'
import { keychainStore } from 'mcp-credentials/keychain'
import { postgresStore } from 'mcp-credentials/postgres'
import { redisStore } from 'mcp-credentials/redis'
import { memoryStore } from 'mcp-credentials/testing'
import pg from 'pg'
import { postgresServer } from '../support/postgres-server.ts'
import { redisServer } from '../support/redis-server.ts'
import { startSecretService } from '../support/secret-service.ts'
import { startLoginServer } from './login-server.ts'
import { type BarChart, figureTable, type Row, short, type Table } from './report.ts'
import { effort, type Figure, figure, inRounds, measure } from './rounds.ts'

const record: CredentialRecord = {
  version: 1,
  provider: 'bench',
  issuer: 'https://login.example.com',
  data: { accessToken: 't'.repeat(900), refreshToken: 'r'.repeat(200), clientId: 'bench' },
}
const workers = 8
const durationMs = effort(3000, 500)

/** What it costs to keep a record of about 1.2 KB, alone and with eight processes. */
export async function benchStores(): Promise<Table[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-stores-'))
  const session = await startSecretService()
  Object.assign(process.env, session.env)
  const redis = await redisServer()
  const postgres = await postgresServer()
  try {
    await Promise.all([redis.start(), postgres.start()])
    return await storeTables(folder, redis.url, postgres.url)
  } finally {
    await postgres.remove()
    await redis.remove()
    await session.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function storeTables(folder: string, redis: string, postgres: string): Promise<Table[]> {
  const key = randomBytes(32).toString('base64')
  const settings = {
    file: { key, directory: join(folder, 'files') },
    keychain: { service: 'mcp-credentials-bench', directory: join(folder, 'locks') },
    redis: { url: redis, key },
    postgres: { url: postgres, max: 4, key },
  }
  const pool = new pg.Pool({ connectionString: postgres, max: 4, allowExitOnIdle: true })
  pool.on('error', () => {})
  const stores: Record<string, CredentialStore> = {
    'memory (of the tests)': memoryStore(),
    'encrypted files': encryptedFileStore(settings.file),
    'keychain (gnome-keyring)': keychainStore(settings.keychain),
    'Redis (appendfsync always)': redisStore(settings.redis),
    PostgreSQL: postgresStore({ pool, key, createTable: true }),
  }
  for (const store of Object.values(stores)) await store.set('bench', record)
  const times = await timesTable(stores)
  const rates = await rateTable(settings)
  const starts = await coldStarts(settings, stores)
  await pool.end()
  return [times, rates, starts]
}

async function timesTable(stores: Record<string, CredentialStore>): Promise<Table> {
  const read = await timesOf(stores, (store) => store.get('bench'))
  const write = await timesOf(stores, (store) => store.set('bench', record))
  const lock = await timesOf(stores, (store) => store.lock('bench', async () => {}))
  const cell = (figures: readonly Figure[], index: number) => {
    const { minimum = Number.NaN, median = Number.NaN } = figures[index] ?? {}
    return `${short(minimum)} (${short(median)})`
  }
  const rows = read.map(
    ({ name }, index): Row => [name, cell(read, index), cell(write, index), cell(lock, index)],
  )
  const named = { read, 'write, durably': write, 'take and release the lock': lock }
  const groups = Object.entries(named).map(([name, figures]) => ({
    name,
    bars: figures.map((each) => ({ name: each.name, value: each.minimum, own: true })),
  }))
  const title = 'A record of about 1.2 KB, in each store'
  const alt =
    'The time to read a record, to write it durably, and to take and release its lock, for each store.'
  const columns = ['read, ms', 'write, durably, ms', 'take and release the lock, ms']
  const chart: BarChart = { kind: 'bars', alt, unit: 'ms, minimum', groups }
  return { id: 'stores', title: `${title}: minimum (median)`, columns, rows, chart }
}

function timesOf(
  stores: Record<string, CredentialStore>,
  work: (store: CredentialStore) => Promise<unknown>,
): Promise<Figure[]> {
  const candidates = Object.entries(stores).map(([name, store]) => ({
    name,
    async run(times: number) {
      for (let index = 0; index < times; index += 1) await work(store)
    },
  }))
  return measure(candidates, 21, 10, 1e6)
}

async function rateTable(settings: Readonly<Record<string, object>>): Promise<Table> {
  const rates: { readonly name: string; readonly value: number }[] = []
  for (const [store, options] of Object.entries(settings)) {
    const count = await compete(store, options)
    rates.push({ name: names[store] ?? store, value: count / (durationMs / 1000) })
  }
  const rows = rates.map(({ name, value }): Row => [name, value.toFixed(0)])
  const bars = rates.map((rate) => ({ ...rate, label: rate.value.toFixed(0), own: true }))
  const title = `Renewals of one login through the lock by ${workers} processes`
  const alt = `How many renewals per second ${workers} processes make through the lock of each store, where the authorization server answers at once.`
  const chart: BarChart = { kind: 'bars', alt, unit: 'renewals per second', groups: [{ bars }] }
  return { id: 'store-locks', title, columns: ['renewals per second'], rows, chart }
}

const names: Readonly<Record<string, string>> = {
  file: 'encrypted files',
  keychain: 'keychain (gnome-keyring)',
  redis: 'Redis (appendfsync always)',
  postgres: 'PostgreSQL',
}

/** What a store adds to the first answer of a new process, whose login is still valid. */
async function coldStarts(
  settings: Readonly<Record<string, object>>,
  stores: Readonly<Record<string, CredentialStore>>,
): Promise<Table> {
  const server = await startLoginServer()
  const { access_token: accessToken } = server.tokens()
  const login: CredentialRecord = {
    version: 1,
    provider: 'authorizationCode',
    generation: 1,
    issuer: server.origin,
    obtainedAt: Date.now(),
    expiresAt: Date.now() + 3_600_000,
    data: { accessToken, tokenType: 'bearer', clientId: 'bench' },
  }
  const key = `${server.url.href} | default`
  for (const store of Object.values(stores)) await store.set(key, login)
  const once = async (kind: string | undefined) => {
    const setting = { url: server.url.href, store: kind, options: settings[kind ?? ''] }
    const file = new URL('cold-start.mjs', import.meta.url)
    const child = fork(file, [JSON.stringify(setting)], { execArgv: [] })
    const { status, ms } = (await next(child)) as { status: number; ms: number }
    if (status !== 200) throw new Error(`The cold start was answered with ${status}.`)
    return ms
  }
  const kinds = [undefined, ...Object.keys(settings)].map((kind) => ({
    kind,
    name: kind === undefined ? 'bearer(), no store' : (names[kind] ?? kind),
  }))
  const samples = await inRounds(kinds, effort(9, 1), ({ kind }) => once(kind))
  await server.close()
  const figures = samples.map((each) => figure(each.name, each.samples))
  const title = 'Cold start of a process to its first answer, with a login from a store'
  const alt =
    'The time from the start of a process to the answer to its first request, with bearer() and no store, and with a login from each store.'
  return figureTable({ id: 'store-cold-start', title, unit: 'ms', alt }, figures)
}

async function compete(store: string, options: object): Promise<number> {
  const settings = JSON.stringify({ store, options, ms: durationMs })
  const file = new URL('lock-worker.mjs', import.meta.url)
  const children = Array.from({ length: workers }, () => fork(file, [settings], { execArgv: [] }))
  await Promise.all(children.map(next))
  const counts = children.map(next)
  for (const child of children) child.send('go')
  return (await Promise.all(counts)).reduce<number>((sum, count) => sum + Number(count), 0)
}

function next(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('exit', (code) => reject(new Error(`A process ended with status ${code}.`)))
  })
}
