/**
 * When to renew and when to try again, as pure functions of time.
 *
 * @module
 */

/** Upper bounds of the renewal windows. */
export interface RenewalWindows {
  /** Maximum seconds before expiry from which a credential is renewed in the background. */
  readonly earlyWindow: number
  /** Maximum seconds before expiry from which callers wait for the renewal. */
  readonly hardMargin: number
  /** The share of the early window by which the start of a renewal varies. */
  readonly jitter: number
}

/** The moments, in milliseconds since the epoch, at which a credential changes its state. */
export interface RenewalDeadlines {
  readonly refreshAt: number
  readonly hardAt: number
  readonly expiresAt: number
}

/** The lifetime of a credential, in milliseconds since the epoch. */
export interface CredentialLife {
  readonly obtainedAt: number
  /** `undefined`: it does not expire. */
  readonly expiresAt: number | undefined
  /** When its issuer recommends renewing it; ignored where it is out of range. */
  readonly advice: number | undefined
}

const neverExpires: RenewalDeadlines = {
  refreshAt: Infinity,
  hardAt: Infinity,
  expiresAt: Infinity,
}

/**
 * Computes the deadlines. Both windows scale with the granted lifetime, so that they fit a token of 60
 * seconds as well as one of a day.
 *
 * @param random - A number in [0, 1), drawn once for each credential, so that the renewals of a fleet are spread.
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
 * and 30 seconds, and never less than the server requested.
 */
export function backOff(attempt: number, random: number, retryAfter = 0): number {
  const ceiling = Math.min(30_000, 1000 * 2 ** Math.min(attempt - 1, 30))
  return Math.max(shortestBackOff, random * ceiling, retryAfterMs(retryAfter))
}

/** Milliseconds that a server requests, at most an hour. */
export function retryAfterMs(seconds: number | undefined): number {
  return seconds !== undefined && seconds > 0 ? Math.min(seconds, 3600) * 1000 : 0
}

/** Milliseconds during which rejections cause no renewal, after `useless` renewals without effect. */
export function rejectionPause(useless: number): number {
  return Math.min(300_000, 1000 * 2 ** Math.min(useless - 1, 30))
}
