/**
 * When to renew and when to try again: pure functions of time, so that they can be read as a table.
 *
 * @module
 */

/** Upper bounds of the renewal windows. */
export interface RenewalWindows {
  /** Seconds before expiry from which a credential is renewed in the background, at most. */
  readonly earlyWindow: number
  /** Seconds before expiry from which callers wait for the renewal, at most. */
  readonly hardMargin: number
  /** By what share of the early window the start of a renewal varies. */
  readonly jitter: number
}

/** The moments, in milliseconds since the epoch, at which a credential changes its state. */
export interface RenewalDeadlines {
  readonly refreshAt: number
  readonly hardAt: number
  readonly expiresAt: number
}

/** What is known of a credential's life, in milliseconds since the epoch. */
export interface CredentialLife {
  readonly obtainedAt: number
  /** `undefined`: it does not expire. */
  readonly expiresAt: number | undefined
  /** When its issuer advises to renew it; ignored where it makes no sense. */
  readonly advice: number | undefined
}

const neverExpires: RenewalDeadlines = {
  refreshAt: Infinity,
  hardAt: Infinity,
  expiresAt: Infinity,
}

/**
 * Places the windows. Both scale with the life that was granted, so that a token of 60 seconds is
 * served as well as one of a day.
 *
 * @param random - A number in [0, 1), drawn once for each credential: a fleet spreads by itself.
 */
export function deadlines(
  { obtainedAt, expiresAt, advice = Number.NaN }: CredentialLife,
  windows: RenewalWindows,
  random: number,
): RenewalDeadlines {
  if (expiresAt === undefined || expiresAt === Infinity) {
    return advice > obtainedAt ? { ...neverExpires, refreshAt: advice } : neverExpires
  }
  const life = Math.max(0, expiresAt - obtainedAt) / 1000
  const early = Math.min(windows.earlyWindow, Math.max(0.2 * life, Math.min(30, life / 2)))
  const hard = Math.min(windows.hardMargin, life / 10, early)
  const hardAt = expiresAt - hard * 1000
  const planned = expiresAt - early * 1000 + random * windows.jitter * early * 1000
  const isUsable = advice > obtainedAt && advice < hardAt
  return { refreshAt: Math.min(isUsable ? advice : planned, hardAt), hardAt, expiresAt }
}

/** The shortest pause after a failure, in milliseconds. */
export const shortestBackOff = 250

/**
 * Milliseconds to wait after the n-th failure in a row: exponential with full jitter, between 0.25
 * and 30 seconds, and never less than the server asked for.
 */
export function backOff(attempt: number, random: number, retryAfter = 0): number {
  const ceiling = Math.min(30_000, 1000 * 2 ** Math.min(attempt - 1, 30))
  return Math.max(shortestBackOff, random * ceiling, retryAfterMs(retryAfter))
}

/** Milliseconds that a server asks for, at most an hour. */
export function retryAfterMs(seconds: number | undefined): number {
  return seconds !== undefined && seconds > 0 ? Math.min(seconds, 3600) * 1000 : 0
}

/** Milliseconds during which further rejections cause no renewal, after `useless` useless ones. */
export function rejectionPause(useless: number): number {
  return Math.min(300_000, 1000 * 2 ** Math.min(useless - 1, 30))
}
