import { createHmac, createSecretKey, randomBytes } from 'node:crypto'
import { OAuth2Client } from 'google-auth-library'
import * as jose from 'jose'
import {
  type AcquireContext,
  authorizedFetch,
  bearer,
  generateSigningKey,
  hmac,
  type JwtOptions,
  jwt,
  TokenManager,
} from 'mcp-credentials'
import { type Candidate, measure, print } from './rounds.ts'

const resource = 'https://mcp.example.com/mcp'

function repeated(name: string, work: () => unknown): Candidate {
  return {
    name,
    async run(times) {
      for (let index = 0; index < times; index += 1) await work()
    },
  }
}

/** What it costs to hand out a credential that is already there. */
export async function benchHandOut(): Promise<void> {
  const manager = new TokenManager(bearer('t'.repeat(900)), { resource })
  await manager.credential()
  const google = new OAuth2Client()
  google.setCredentials({ access_token: 't'.repeat(900), expiry_date: Date.now() + 3_600_000 })
  const synchronous: Candidate = {
    name: 'current()',
    async run(times) {
      for (let index = 0; index < times; index += 1) manager.current()
    },
  }
  const figures = await measure(
    [
      synchronous,
      repeated('await credential()', () => manager.credential()),
      repeated('google-auth-library getAccessToken()', () => google.getAccessToken()),
    ],
    41,
    50_000,
  )
  print('A credential that is already there', 'ns', figures, 0)
}

/** Minting against jose used by hand with an imported key. */
export async function benchJwt(): Promise<void> {
  for (const algorithm of ['HS256', 'RS256', 'ES256', 'EdDSA'] as const) {
    const { options, key } = await signer(algorithm)
    const claims = { roles: ['reader'], tenant: 'acme', permissions: ['notes:read'] }
    const context = acquireContext()
    const credential = await jwt({ ...options, claims, perRequest: true }).acquire(context)
    const request = {
      method: 'POST',
      url: new URL(resource),
      headers: new Headers(),
      body: undefined,
      streamed: false,
      attempt: 1,
      now: Date.now(),
    }
    const byHand = () =>
      new jose.SignJWT({ ...claims, jti: crypto.randomUUID() })
        .setProtectedHeader({ typ: 'JWT', alg: algorithm })
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(key)
    const figures = await measure(
      [repeated('jose by hand', byHand), repeated('jwt()', () => credential.apply(request))],
      21,
      algorithm === 'RS256' ? 50 : 400,
    )
    const scaled = figures.map((row) => ({
      ...row,
      minimum: row.minimum / 1000,
      median: row.median / 1000,
    }))
    print(`One token, ${algorithm}`, 'µs', scaled, 1)
  }
}

/** Signing against bare `createHmac` over the same bytes. */
export async function benchHmac(): Promise<void> {
  const secret = randomBytes(32).toString('hex')
  const key = createSecretKey(Buffer.from(secret))
  const credential = await hmac({ secret }).acquire(acquireContext())
  for (const size of [1024, 65_536, 1_048_576]) {
    const body = new Uint8Array(randomBytes(size))
    const now = Date.now()
    const headers = new Headers()
    const request = {
      method: 'POST',
      url: new URL(resource),
      headers,
      body,
      streamed: false,
      attempt: 1,
      now,
    }
    const bare = () => createHmac('sha256', key).update(`${now}.`).update(body).digest('hex')
    const figures = await measure(
      [repeated('createHmac', bare), repeated('hmac()', () => credential.apply(request))],
      21,
      Math.max(20, Math.floor(2_000_000 / size)),
    )
    const scaled = figures.map((row) => ({
      ...row,
      minimum: row.minimum / 1000,
      median: row.median / 1000,
    }))
    print(`One signature over ${size / 1024} KB`, 'µs', scaled, 1)
  }
}

/** Whether anything is left in memory after many requests. */
export async function benchHeap(): Promise<void> {
  const fetch = authorizedFetch(bearer('token'), { fetch: async () => new Response(null) })
  const collect = (globalThis as { gc?: () => void }).gc ?? (() => {})
  const used = async () => {
    for (let request = 0; request < 100_000; request += 1) await fetch(resource)
    collect()
    return process.memoryUsage().heapUsed / 1024
  }
  const first = await used()
  const second = await used()
  console.log(`\nHeap after 100 000 and 200 000 requests: ${(second - first).toFixed(0)} KB more`)
}

async function signer(algorithm: 'HS256' | 'RS256' | 'ES256' | 'EdDSA') {
  if (algorithm === 'HS256') {
    const secret = new Uint8Array(randomBytes(32))
    const options: JwtOptions = { algorithm, secret }
    const hash = { name: 'HMAC', hash: 'SHA-256' }
    return { options, key: await crypto.subtle.importKey('raw', secret, hash, false, ['sign']) }
  }
  const { privateKey } = await generateSigningKey(algorithm)
  const options: JwtOptions = { algorithm, key: privateKey }
  return { options, key: await jose.importPKCS8(privateKey, algorithm) }
}

function acquireContext(): AcquireContext {
  return {
    resource: new URL(resource),
    reason: 'missing',
    scope: undefined,
    challenges: [],
    previous: undefined,
    interactive: false,
    fetch,
    signal: new AbortController().signal,
    commit: async () => {},
    salvage: () => {},
    records: { get: async () => undefined, set: async () => {}, delete: async () => false },
    now: Date.now,
    serverNow: Date.now,
    random: Math.random,
  }
}
