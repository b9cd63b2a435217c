import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CredentialRecord, CredentialStore } from 'mcp-credentials'
import { encryptedFileStore } from 'mcp-credentials/file'
import { keychainStore } from 'mcp-credentials/keychain'
import { redisStore } from 'mcp-credentials/redis'
import { memoryStore } from 'mcp-credentials/testing'
import { redisServer } from '../support/redis-server.ts'
import { startSecretService } from '../support/secret-service.ts'
import { startLoginServer } from './login-server.ts'
import { measure, print } from './rounds.ts'

const record: CredentialRecord = {
  version: 1,
  provider: 'bench',
  issuer: 'https://login.example.com',
  data: { accessToken: 't'.repeat(900), refreshToken: 'r'.repeat(200), clientId: 'bench' },
}
const workers = 8
const durationMs = 4000

/** What it costs to keep a record of about 1.2 KB, alone and with eight processes. */
export async function benchStores(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-stores-'))
  const session = await startSecretService()
  Object.assign(process.env, session.env)
  const redis = await redisServer()
  await redis.start()
  const key = randomBytes(32).toString('base64')
  const settings = {
    file: { key, directory: join(folder, 'files') },
    keychain: { service: 'mcp-credentials-bench', directory: join(folder, 'locks') },
    redis: { url: redis.url, key },
  }
  const stores: Record<string, CredentialStore> = {
    memoryStore: memoryStore(),
    encryptedFileStore: encryptedFileStore(settings.file),
    keychainStore: keychainStore(settings.keychain),
    redisStore: redisStore(settings.redis),
  }
  for (const store of Object.values(stores)) await store.set('bench', record)
  await table('Read a record', stores, (store) => store.get('bench'))
  await table('Write a record, durably', stores, (store) => store.set('bench', record))
  await table('Take and release the lock', stores, (store) => store.lock('bench', async () => {}))

  console.log(`\nRenewals through the lock by ${workers} processes (read, write, release)\n`)
  console.log('| | renewals/s |\n|---|---|')
  for (const [store, options] of Object.entries(settings)) {
    const count = await compete(store, options)
    console.log(`| ${store} | ${(count / (durationMs / 1000)).toFixed(0)} |`)
  }
  await coldStarts(settings, stores)
  await redis.remove()
  await session.stop()
  await rm(folder, { recursive: true, force: true })
}

/** What a store adds to the first answer of a new process, whose login is still good. */
async function coldStarts(
  settings: Readonly<Record<string, object>>,
  stores: Readonly<Record<string, CredentialStore>>,
): Promise<void> {
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
  const once = async (store: string | undefined) => {
    const setting = { url: server.url.href, store, options: settings[store ?? ''] }
    const file = new URL('cold-start.mjs', import.meta.url)
    const child = fork(file, [JSON.stringify(setting)], { execArgv: [] })
    const { status, ms } = (await next(child)) as { status: number; ms: number }
    if (status !== 200) throw new Error(`The cold start was answered with ${status}.`)
    return ms
  }
  const kinds = [undefined, ...Object.keys(settings)]
  const samples = kinds.map(() => [] as number[])
  for (let round = 0; round < 7; round += 1) {
    for (const [index, kind] of kinds.entries()) samples[index]?.push(await once(kind))
  }
  await server.close()
  const figures = kinds.map((kind, index) => {
    const sorted = (samples[index] ?? []).sort((left, right) => left - right)
    return {
      name: kind ?? 'bearer(), no store',
      minimum: sorted[0] ?? Number.NaN,
      median: sorted[3] ?? Number.NaN,
    }
  })
  print('Cold start of a process, to its first answer', 'ms', figures, 0)
}

async function table(
  title: string,
  stores: Record<string, CredentialStore>,
  work: (store: CredentialStore) => Promise<unknown>,
): Promise<void> {
  const candidates = Object.entries(stores).map(([name, store]) => ({
    name,
    async run(times: number) {
      for (let index = 0; index < times; index += 1) await work(store)
    },
  }))
  const figures = await measure(candidates, 11, 10)
  const scaled = figures.map((row) => ({
    ...row,
    minimum: row.minimum / 1000,
    median: row.median / 1000,
  }))
  print(title, 'µs', scaled, 0)
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
  return new Promise((resolve) => child.once('message', resolve))
}
