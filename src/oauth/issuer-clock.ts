/**
 * The clock of an authorization server.
 *
 * @module
 */
import type { AcquireContext } from '../credential.ts'
import { clockOffset, largestOffset, smallestOffset } from '../server-date.ts'

/** The offset in a signature's time above which it explains a refusal, in milliseconds. */
const toleratedMs = 60_000

/** The clock of one authorization server, estimated from its responses. */
export class IssuerClock {
  #offsetMs: number | undefined

  /** The server's time minus this machine's, in milliseconds; until it is known, that of the MCP server. */
  offset({ now, serverNow }: Pick<AcquireContext, 'now' | 'serverNow'>): number {
    return this.#offsetMs ?? serverNow() - now()
  }

  /** Updates the offset from the `Date` header of a response; times are in milliseconds since the epoch. */
  observe(headers: Headers, sentAt: number, receivedAt: number): void {
    const reading = { date: headers.get('Date'), age: headers.get('Age'), sentAt, receivedAt }
    const offset = clockOffset(reading)
    if (offset === undefined || Math.abs(offset) > largestOffset) return
    this.#offsetMs = Math.abs(offset) < smallestOffset ? 0 : offset
  }

  /** Whether a request that was signed with this offset, in milliseconds, had a wrong time. */
  contradicts(usedMs: number): boolean {
    return this.#offsetMs !== undefined && Math.abs(this.#offsetMs - usedMs) > toleratedMs
  }
}
