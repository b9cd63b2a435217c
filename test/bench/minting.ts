import { createPrivateKey, createSecretKey, randomBytes } from 'node:crypto'
import { createSigner } from 'fast-jwt'
import * as jose from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import { generateSigningKey, type JwtOptions, jwt } from 'mcp-credentials'
import { acquireContext } from 'mcp-credentials/testing'
import { isOwn, type Row, short, type Table } from './report.ts'
import { type Candidate, type Figure, measure, repeated } from './rounds.ts'

const resource = 'https://mcp.example.com/mcp'
const algorithms = ['HS256', 'RS256', 'ES256', 'EdDSA'] as const
type Algorithm = (typeof algorithms)[number]

/** Minting against jose used by hand with an imported key. */
export async function benchJwt(): Promise<Table[]> {
  const measured = new Map<Algorithm, Figure[]>()
  for (const algorithm of algorithms) measured.set(algorithm, await figuresOf(algorithm))
  const names = measured.get('HS256')?.map(({ name }) => name) ?? []
  const cell = (name: string, algorithm: Algorithm) => {
    const figures = measured.get(algorithm) ?? []
    const mine = figures.find((each) => each.name === name)?.minimum
    if (mine === undefined) return '–'
    const best = Math.min(...figures.map(({ minimum }) => minimum))
    const text = `${short(mine)} (${(mine / (figures[0]?.minimum ?? 1)).toFixed(2)})`
    return mine === best ? `**${text}**` : text
  }
  const rows = names.map((name): Row => [name, ...algorithms.map((each) => cell(name, each))])
  const groups = algorithms.map((name) => ({
    name,
    bars: (measured.get(name) ?? []).map((each) => ({
      name: each.name,
      value: each.minimum,
      own: isOwn(each.name),
    })),
  }))
  const alt =
    'The time in which this library, jose by hand, fast-jwt and jsonwebtoken mint one token, for each of four algorithms.'
  const title = 'Minting one token'
  const columns = algorithms.map((algorithm) => `${algorithm}, µs (ratio)`)
  return [{ id: 'minting', title, columns, rows, chart: { kind: 'bars', alt, unit: 'µs', groups } }]
}

async function figuresOf(algorithm: Algorithm): Promise<Figure[]> {
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
  const candidates = [
    repeated('jose by hand', byHand),
    repeated('jwt()', () => credential.apply(request)),
    ...others(algorithm, options, claims),
  ]
  return measure(candidates, 21, algorithm === 'RS256' ? 50 : 400, 1000)
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
