/**
 * How often a user is asked to log in who did not call `login()`.
 *
 * @module
 */
import type { AcquireReason } from '../credential.ts'
import { LoginRequiredError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import { RateWindow } from '../rate-window.ts'

/** One tool that answers 401 for ever is answered with pauses first, so that the others go on. */
const maxAfterRejection = 5

/** What a login is for. */
export interface LoginPurpose {
  readonly provider: string
  readonly resource: URL
  readonly tenant: string | undefined
  readonly reason: AcquireReason
}

/**
 * The logins of one user at one MCP server. A server whose logins end at once, or that refuses each renewal,
 * must not open a browser for ever.
 */
export class LoginLimit {
  readonly #now: () => number
  readonly #logins = new RateWindow()

  constructor(now: () => number) {
    this.#now = now
  }

  /**
   * A login that nobody called `login()` for begins, whether it succeeds or not.
   *
   * @throws `LoginRequiredError` when three have begun within the last ten minutes; five, when the MCP server
   * rejected the last one.
   */
  begin({ provider, resource, tenant, reason }: LoginPurpose): void {
    const now = this.#now()
    if (this.#logins.isFull(now, reason === 'rejected' ? maxAfterRejection : undefined)) {
      const { length: count } = this.#logins.recent(now)
      throw new LoginRequiredError(
        'grant_rejected',
        `${provider}: the user was asked to log in to ${resourceLabel(resource)} ${count} times within ten minutes, and no login lasted.`,
        {
          resource,
          provider,
          tenant,
          remedy:
            'Nobody was asked again. Find out why logins end so soon there, then call `login()`.',
        },
      )
    }
    this.#logins.add(now)
  }

  /** A user who logs out starts anew. */
  clear(): void {
    this.#logins.clear()
  }
}
