import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Request } from 'express'
import { type HostOptions, type RunningServer, startMcpServer, type Verdict } from './mcp-server.ts'

/** Options of {@link startSigV4Server}. */
export interface SigV4ServerOptions extends HostOptions {
  /** `us-west-2` unless told. */
  readonly region?: string
  /** `bedrock-agentcore` unless told. */
  readonly service?: string
  /** Seconds by which the client's time may differ, 900 unless told. */
  readonly window?: number
  /** The clock, in milliseconds since the epoch: `Date.now` unless told. */
  readonly now?: () => number
}

/** Credentials in the format of the AWS SDK for JavaScript. */
export interface SessionCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  readonly expiration: Date
}

/** A server that also issues credentials, as AWS's Security Token Service does. */
export interface SigV4Server extends RunningServer {
  /** Makes credentials for a subject that expire after so many seconds. */
  issue(subject: string, seconds: number): SessionCredentials
  /** From now on no credentials of a subject are valid but those issued later. */
  revoke(subject: string): void
}

/** Why a request was refused, by AWS's names. */
type Problem =
  | 'MissingAuthenticationTokenException'
  | 'IncompleteSignatureException'
  | 'UnrecognizedClientException'
  | 'ExpiredTokenException'
  | 'InvalidSignatureException'

interface Issued extends SessionCredentials {
  readonly subject: string
}

interface Authorization {
  readonly keyId: string
  readonly scope: readonly string[]
  readonly signedHeaders: readonly string[]
  readonly signature: string
}

/**
 * Starts an MCP server that verifies AWS Signature Version 4 over the bytes of every request. Like
 * AWS it responds with 403, without a challenge, and does not remember what it has seen: within the window
 * a recorded request can be sent again.
 */
export async function startSigV4Server(options: SigV4ServerOptions = {}): Promise<SigV4Server> {
  const {
    region = 'us-west-2',
    service = 'bedrock-agentcore',
    window = 900,
    now = Date.now,
    ...host
  } = options
  const issued = new Map<string, Issued>()

  const authenticate = (request: Request, rawBody: Buffer): Verdict => {
    const header = request.get('Authorization')
    if (header === undefined) return refusal('MissingAuthenticationTokenException', now())
    const authorization = parseAuthorization(header)
    const date = request.get('X-Amz-Date') ?? ''
    if (authorization === undefined || !isComplete(authorization, request)) {
      return refusal('IncompleteSignatureException', now())
    }
    const known = issued.get(authorization.keyId)
    if (known === undefined || request.get('X-Amz-Security-Token') !== known.sessionToken) {
      return refusal('UnrecognizedClientException', now())
    }
    const scope = [date.slice(0, 8), region, service, 'aws4_request']
    const hash = createHash('sha256').update(rawBody).digest('hex')
    const expected = sign(
      known.secretAccessKey,
      date,
      scope,
      canonical(request, authorization, hash),
    )
    const isGenuine =
      scope.join() === authorization.scope.join() &&
      hash === request.get('X-Amz-Content-Sha256') &&
      timingSafeEqual(expected, Buffer.from(authorization.signature, 'hex'))
    if (!isGenuine || Math.abs(now() - parseDate(date)) > window * 1000) {
      return refusal('InvalidSignatureException', now())
    }
    if (now() >= known.expiration.getTime()) return refusal('ExpiredTokenException', now())
    return { identity: { subject: known.subject } }
  }

  const server = await startMcpServer({ ...host, authenticate })
  return {
    ...server,
    issue(subject, seconds) {
      const credentials = {
        accessKeyId: `ASIA${randomBytes(8).toString('hex').toUpperCase()}`,
        secretAccessKey: randomBytes(30).toString('base64'),
        sessionToken: randomBytes(60).toString('base64'),
        expiration: new Date(now() + seconds * 1000),
      }
      issued.set(credentials.accessKeyId, { ...credentials, subject })
      return credentials
    },
    revoke(subject) {
      for (const [id, entry] of issued) if (entry.subject === subject) issued.delete(id)
    },
  }
}

// The responses contain the server's time, because clients learn the time from them.
function refusal(problem: Problem, now: number): Verdict {
  return {
    status: 403,
    headers: { 'X-Amzn-ErrorType': problem, Date: new Date(now).toUTCString() },
  }
}

function parseAuthorization(header: string): Authorization | undefined {
  const match =
    /^AWS4-HMAC-SHA256 Credential=([\w/-]+), SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.exec(
      header,
    )
  const [, credential = '', headers = '', signature] = match ?? []
  const [keyId, ...scope] = credential.split('/')
  if (signature === undefined || keyId === undefined) return undefined
  return { keyId, scope, signedHeaders: headers.split(';'), signature }
}

/** AWS demands that the host, and every header that begins with `X-Amz-`, is signed. */
function isComplete({ signedHeaders }: Authorization, request: Request): boolean {
  const must = Object.keys(request.headers).filter((name) => name.startsWith('x-amz-'))
  return ['host', 'x-amz-date', ...must].every((name) => signedHeaders.includes(name))
}

/** The canonical request. */
function canonical(request: Request, { signedHeaders }: Authorization, hash: string): string {
  const [path = '', query = ''] = request.originalUrl.split('?')
  const headers = signedHeaders.map(
    (name) => `${name}:${(request.get(name) ?? '').trim().replace(/ +/g, ' ')}\n`,
  )
  return [
    request.method,
    // Encoded once more than it was sent, as for every service but S3.
    path.split('/').map(encode).join('/'),
    [...new URLSearchParams(query)]
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join('&'),
    headers.join(''),
    signedHeaders.join(';'),
    hash,
  ].join('\n')
}

function sign(secret: string, date: string, scope: readonly string[], request: string): Buffer {
  const key = scope.reduce<string | Buffer>(
    (outer, part) => createHmac('sha256', outer).update(part).digest(),
    `AWS4${secret}`,
  )
  const hash = createHash('sha256').update(request).digest('hex')
  const text = ['AWS4-HMAC-SHA256', date, scope.join('/'), hash].join('\n')
  return createHmac('sha256', key).update(text).digest()
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function parseDate(date: string): number {
  const iso = date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z')
  // What cannot be read is as far from now as can be.
  return Date.parse(iso) || -Infinity
}
