import { createHmac, createPrivateKey, createSecretKey, randomBytes } from 'node:crypto'
import { createSignature, webcrypto } from 'http-message-sig'
import { createSigner, httpbis } from 'http-message-signatures'
import { generateSigningKey, hmac, httpSignature } from 'mcp-credentials'
import { acquireContext } from 'mcp-credentials/testing'
import { figureTable, type Table } from './report.ts'
import { measure, repeated } from './rounds.ts'

const resource = new URL('https://mcp.example.com/mcp')

function requestOf(body: Uint8Array) {
  const headers = new Headers({ 'content-type': 'application/json' })
  const now = Date.now()
  const rest = { body, streamed: false, attempt: 1, signal: undefined, now }
  return { method: 'POST', url: resource, headers, ...rest }
}

/** Signing against bare `createHmac` over the same bytes, and against libraries for HTTP signatures. */
export async function benchSigning(): Promise<Table[]> {
  const tables: Table[] = []
  for (const size of [1024, 65_536, 1_048_576]) tables.push(await hmacTable(size))
  return [...tables, await httpSignatureTable()]
}

async function hmacTable(size: number): Promise<Table> {
  const secret = randomBytes(32).toString('hex')
  const key = createSecretKey(Buffer.from(secret))
  const credential = await hmac({ secret }).acquire(acquireContext({ resource }))
  const body = new Uint8Array(randomBytes(size))
  const request = requestOf(body)
  const { now } = request
  const bare = () => createHmac('sha256', key).update(`${now}.`).update(body).digest('hex')
  const figures = await measure(
    [repeated('createHmac', bare), repeated('hmac()', () => credential.apply(request))],
    21,
    Math.max(20, Math.floor(2_000_000 / size)),
    1000,
  )
  const title = `One HMAC signature over ${size / 1024} KB`
  const alt = `The time of one signature over ${size / 1024} KB, with createHmac of Node and with hmac().`
  return figureTable({ id: `hmac-${size / 1024}`, title, unit: 'µs', alt }, figures)
}

/** Ed25519 over method, target and three headers; the digest of the body is made by hand for the others. */
async function httpSignatureTable(): Promise<Table> {
  const { privateKey } = await generateSigningKey('EdDSA')
  const components = ['@method', '@target-uri', 'content-type', 'content-digest']
  const options = { key: privateKey, keyId: 'bench', algorithm: 'ed25519', components } as const
  const credential = await httpSignature(options).acquire(acquireContext({ resource }))
  const body = new Uint8Array(randomBytes(1024))
  const sign = createSigner(createPrivateKey(privateKey), 'ed25519', 'bench')
  const digest = async () => {
    const hash = await crypto.subtle.digest('SHA-256', body)
    return `sha-256=:${Buffer.from(hash).toString('base64')}:`
  }
  const plain = async () => ({
    method: 'POST',
    url: resource.href,
    headers: { 'content-type': 'application/json', 'content-digest': await digest() },
  })
  const first = async () => httpbis.signMessage({ key: sign, fields: components }, await plain())
  const cryptoKey = await crypto.subtle.importKey(
    'pkcs8',
    createPrivateKey(privateKey).export({ type: 'pkcs8', format: 'der' }),
    'Ed25519',
    false,
    ['sign'],
  )
  const signer = webcrypto.signer(cryptoKey)
  const second = async () => {
    const { method, url, headers } = await plain()
    const fields = Object.entries(headers).map(([name, value]) => ({ name, value }))
    const created = Math.floor(Date.now() / 1000)
    const parameters = { created, expires: created + 60, keyid: 'bench', alg: 'ed25519' }
    const message = { kind: 'request', method, targetUri: url, fields } as const
    return createSignature(message, { label: 'sig', components, parameters, signer })
  }
  const figures = await measure(
    [
      repeated('http-message-signatures', first),
      repeated('http-message-sig', second),
      repeated('httpSignature()', () => credential.apply(requestOf(body))),
    ],
    21,
    200,
    1000,
  )
  const title = 'One HTTP message signature (RFC 9421, Ed25519)'
  const alt =
    'The time of one signature over method, target, content type and digest, with two libraries and with httpSignature().'
  return figureTable({ id: 'http-signature', title, unit: 'µs', alt }, figures)
}
