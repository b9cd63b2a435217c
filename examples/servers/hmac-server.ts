import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Request } from 'express'
import { type HostOptions, type RunningServer, startMcpServer, type Verdict } from './mcp-server.ts'

/** Options of {@link startHmacServer}. */
export interface HmacServerOptions extends HostOptions {
  /**
   * The secret of each client, whose name is the key id and becomes the subject. `X-Key-Id` may be
   * left out when there is only one.
   */
  readonly secrets: Readonly<Record<string, string>>
  /** Seconds by which the client's time may differ, 300 unless told. */
  readonly window?: number
  /**
   * Demands a nonce in this header and signs `{timestamp}.{nonce}.{body}`, instead of
   * `{timestamp}.{body}`. Clients that share a secret need it: their equal requests within a second
   * would pass for replays.
   */
  readonly nonceHeader?: string
  /** The clock, in milliseconds since the epoch: `Date.now` unless told. */
  readonly now?: () => number
}

/** A server whose secrets can be rotated. */
export interface HmacServer extends RunningServer {
  /** From now on only these secrets are valid. */
  replaceSecrets(secrets: Readonly<Record<string, string>>): void
}

/** Why a request was refused, as the challenge says it. */
type Problem = 'missing_signature' | 'invalid_signature' | 'stale_timestamp' | 'replayed'

/** Starts an MCP server that verifies a signature over the bytes of every request. */
export async function startHmacServer(options: HmacServerOptions): Promise<HmacServer> {
  const { secrets: firstSecrets, window = 300, nonceHeader, now = Date.now, ...host } = options
  let secrets = firstSecrets
  const seen = replayMemory()

  const authenticate = (request: Request, rawBody: Buffer): Verdict => {
    const names = Object.keys(secrets)
    const subject = request.get('X-Key-Id') ?? (names.length === 1 ? names[0] : undefined)
    const timestamp = request.get('X-Timestamp') ?? ''
    const signature = request.get('X-Signature') ?? ''
    const nonce = nonceHeader === undefined ? undefined : (request.get(nonceHeader) ?? '')
    if (subject === undefined || !/^\d{1,12}$/.test(timestamp) || nonce === '') {
      return refusal('missing_signature')
    }
    if (!/^[0-9a-f]{64}$/.test(signature)) return refusal('missing_signature')

    // An unknown client costs as much time as a wrong signature.
    const secret = Object.hasOwn(secrets, subject) ? secrets[subject] : undefined
    const expected = createHmac('sha256', secret ?? 'unknown')
      .update(nonce === undefined ? `${timestamp}.` : `${timestamp}.${nonce}.`)
      .update(rawBody)
      .digest()
    const isGenuine = timingSafeEqual(expected, Buffer.from(signature, 'hex'))
    if (secret === undefined || !isGenuine) return refusal('invalid_signature')

    const seconds = now() / 1000
    if (Math.abs(seconds - Number(timestamp)) > window) return refusal('stale_timestamp')
    // The method is no part of the message, and a GET and a DELETE have the same empty body.
    const isNew = seen.add(`${request.method} ${signature}`, Number(timestamp) + window, seconds)
    return isNew ? { identity: { subject } } : refusal('replayed')
  }

  const server = await startMcpServer({ ...host, authenticate })
  return {
    ...server,
    replaceSecrets(next) {
      secrets = next
    },
  }
}

function refusal(problem: Problem): Verdict {
  return { challenge: `HMAC-SHA256 realm="example", error="${problem}"` }
}

/** Remembers what was accepted, until its timestamp is refused anyway. */
function replayMemory() {
  const forgetAt = new Map<string, number>()
  return {
    /** `false` when it was there already; times are in seconds since the epoch. */
    add(key: string, until: number, now: number): boolean {
      for (const [old, end] of forgetAt) if (end < now) forgetAt.delete(old)
      if (forgetAt.has(key)) return false
      forgetAt.set(key, until)
      return true
    },
  }
}
