import { createHmac, createPrivateKey, createSecretKey, randomBytes } from 'node:crypto'
import {
  bearerTokenAuthenticationPolicy,
  createHttpHeaders,
  createPipelineRequest,
} from '@azure/core-rest-pipeline'
import { OAuth2Client as BadgatewayClient, OAuth2Fetch } from '@badgateway/oauth2-client'
import { StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import {
  doesIdentityRequireRefresh,
  isIdentityExpired,
  memoizeIdentityProvider,
} from '@smithy/core'
import { createSigner } from 'fast-jwt'
import { OAuth2Client } from 'google-auth-library'
import * as jose from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import {
  bearer,
  generateSigningKey,
  hmac,
  type JwtOptions,
  jwt,
  TokenManager,
  withCredentials,
} from 'mcp-credentials'
import { acquireContext } from 'mcp-credentials/testing'
import { sdkProvider } from './peers.ts'
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
  const token = 't'.repeat(900)
  const expiration = new Date(Date.now() + 3_600_000)
  const smithy = memoizeIdentityProvider(
    async () => ({ token, expiration }),
    isIdentityExpired,
    doesIdentityRequireRefresh,
  )
  const stored = { accessToken: token, refreshToken: 'r', expiresAt: expiration.getTime() }
  const badgateway = new OAuth2Fetch({
    client: new BadgatewayClient({ clientId: 'bench', tokenEndpoint: resource }),
    scheduleRefresh: false,
    getNewToken: () => null,
    getStoredToken: () => stored,
  })
  const policy = bearerTokenAuthenticationPolicy({
    scopes: 'bench',
    credential: { getToken: async () => ({ token, expiresOnTimestamp: expiration.getTime() }) },
  })
  // Its token cycler is not exported, so the policy is measured with a network that answers at once.
  const request = createPipelineRequest({ url: resource })
  const answer = Promise.resolve({ request, status: 200, headers: createHttpHeaders() })
  const authProvider = sdkProvider(stored) as never
  // A private method, but the only place where the SDKs ask their provider for a token.
  const headersOf = (transport: object) =>
    (transport as { _commonHeaders(): Promise<Headers> })._commonHeaders()
  const v1 = new TransportV1(new URL(resource), { authProvider })
  const v2 = new TransportV2(new URL(resource), { authProvider })
  const figures = await measure(
    [
      synchronous,
      repeated('await credential()', () => manager.credential()),
      repeated('@smithy/core memoizeIdentityProvider', () => smithy?.()),
      repeated('google-auth-library getAccessToken()', () => google.getAccessToken()),
      repeated('@badgateway/oauth2-client getAccessToken()', () => badgateway.getAccessToken()),
      repeated('@azure/core-rest-pipeline, bearer policy', () =>
        policy.sendRequest(request, () => answer),
      ),
      repeated('SDK 1.x, headers from its provider', () => headersOf(v1)),
      repeated('SDK 2.x, headers from its provider', () => headersOf(v2)),
    ],
    41,
    20_000,
  )
  print('A credential that is already there', 'ns', figures, 0)
}

/** Minting against jose used by hand with an imported key. */
export async function benchJwt(): Promise<void> {
  for (const algorithm of ['HS256', 'RS256', 'ES256', 'EdDSA'] as const) {
    const { options, key } = await signer(algorithm)
    const claims = { roles: ['reader'], tenant: 'acme', permissions: ['notes:read'] }
    const context = acquireContext({ resource: new URL(resource) })
    const credential = await jwt({ ...options, claims, perRequest: true }).acquire(context)
    const request = {
      method: 'POST',
      url: new URL(resource),
      headers: new Headers(),
      body: undefined,
      streamed: false,
      attempt: 1,
      signal: undefined,
      now: Date.now(),
    }
    const byHand = () =>
      new jose.SignJWT({ ...claims, jti: crypto.randomUUID() })
        .setProtectedHeader({ typ: 'JWT', alg: algorithm })
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(key)
    const figures = await measure(
      [
        repeated('jose by hand', byHand),
        repeated('jwt()', () => credential.apply(request)),
        ...others(algorithm, options, claims),
      ],
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

/** Other libraries, each with its key imported once; both sign on the event loop and block it. */
function others(algorithm: Algorithm, options: JwtOptions, claims: object): Candidate[] {
  const key =
    algorithm === 'HS256'
      ? createSecretKey(options.secret as Uint8Array)
      : createPrivateKey(options.key as string)
  const material = algorithm === 'HS256' ? Buffer.from(options.secret as Uint8Array) : options.key
  const fast = createSigner({ algorithm, key: material as never, expiresIn: 300_000 })
  const payload = () => ({ ...claims, jti: crypto.randomUUID() })
  const list = [repeated('fast-jwt', () => fast(payload()))]
  if (algorithm === 'EdDSA') return list
  const signOptions = { algorithm, expiresIn: 300 }
  return [...list, repeated('jsonwebtoken', () => jsonwebtoken.sign(payload(), key, signOptions))]
}

/** Signing against bare `createHmac` over the same bytes. */
export async function benchHmac(): Promise<void> {
  const secret = randomBytes(32).toString('hex')
  const key = createSecretKey(Buffer.from(secret))
  const credential = await hmac({ secret }).acquire(acquireContext({ resource: new URL(resource) }))
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
      signal: undefined,
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
  const fetch = withCredentials(bearer('token'), { fetch: async () => new Response(null) }).fetch
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

type Algorithm = 'HS256' | 'RS256' | 'ES256' | 'EdDSA'

async function signer(algorithm: Algorithm) {
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
