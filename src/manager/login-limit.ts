/**
 * Limits how often a user is asked to log in without a call of `login()`.
 *
 * @module
 */
import type { AcquireReason } from '../credential.ts'
import { LoginRequiredError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import { RateWindow } from '../rate-window.ts'

/**
 * The limit of logins when the MCP server rejects the credential of the last one, or requires more scopes. A
 * tool that always responds with 401 leads to pauses first, so that other tools keep working.
 */
const maxAfterRejection = 5

/** The purpose of a login. */
export interface LoginPurpose {
  readonly provider: string
  readonly resource: URL
  readonly tenant: string | undefined
  readonly reason: AcquireReason
}

/**
 * The logins of one user at one MCP server. A server whose logins end immediately, or that refuses each
 * renewal, must not open the browser again and again.
 */
export class LoginLimit {
  readonly #now: () => number
  readonly #logins = new RateWindow()

  constructor(now: () => number) {
    this.#now = now
  }

  /**
   * Counts a login without a call of `login()`, whether it succeeds or not.
   *
   * @throws `LoginRequiredError` when three have begun within the last ten minutes; five, when the MCP server
   * rejected the credential of the last one or requires more scopes.
   */
  begin({ provider, resource, tenant, reason }: LoginPurpose): void {
    const now = this.#now()
    const isStepUp = reason === 'insufficient_scope'
    const limit = isStepUp || reason === 'rejected' ? maxAfterRejection : undefined
    if (this.#logins.isFull(now, limit)) {
      const { length: count } = this.#logins.recent(now)
      throw new LoginRequiredError(
        isStepUp ? 'step_up' : 'grant_rejected',
        `${provider}: the user was asked to log in to ${resourceLabel(resource)} ${count} times within ten minutes, and each login ended early.`,
        {
          resource,
          provider,
          tenant,
          remedy:
            'The user was not asked again. Find out why logins end so soon, then call `login()`.',
        },
      )
    }
    this.#logins.add(now)
  }

  /** Resets the count, after a logout. */
  clear(): void {
    this.#logins.clear()
  }
}
