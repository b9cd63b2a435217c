/**
 * When and how often a request is sent again.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'

/**
 * Which responses are worth another attempt.
 *
 * @group Authenticated requests
 */
export interface RetryPolicy {
  /**
   * Retries of one request, at most, from 0 to 10. Default 1, or as many as `rotating` has further keys. With
   * 0 a 401 is returned as it is.
   */
  readonly maxRetries?: number
  /**
   * The statuses that are retried besides 401, which always is. 403 renews the credential, as 401 does;
   * others only repeat the request, so list those by which the server means «later». Default: none.
   */
  readonly statusCodes?: readonly number[]
  /**
   * Seconds before a retry, doubled each time: `backoffFactor * 2^(n-1)`. The first retry with a
   * renewed credential does not wait. Default 0.5.
   */
  readonly backoffFactor?: number
  /**
   * Seconds that `Retry-After` may ask for, at most; when the server wants more, its response is
   * returned instead. Default 60.
   */
  readonly maxRetryAfter?: number
}

/** A policy with every default filled in. */
export interface ResolvedRetryPolicy {
  readonly maxRetries: number
  readonly statusCodes: ReadonlySet<number>
  readonly backoffFactor: number
  readonly maxRetryAfter: number
  /** The caller asked for this many retries; they are made even when nothing was renewed. */
  readonly explicit: boolean
}

const knownOptions = ['maxRetries', 'statusCodes', 'backoffFactor', 'maxRetryAfter']

/**
 * Checks a policy.
 *
 * @throws {@link ConfigurationError} when a member is out of range.
 */
export function resolveRetryPolicy(policy: RetryPolicy, alternatives: number): ResolvedRetryPolicy {
  const { maxRetries, statusCodes = [], backoffFactor = 0.5, maxRetryAfter = 60 } = policy
  checkOptions('retry', policy, knownOptions)
  if (
    maxRetries !== undefined &&
    !(Number.isInteger(maxRetries) && maxRetries >= 0 && maxRetries <= 10)
  ) {
    throw new ConfigurationError(
      'retry.maxRetries',
      'retry.maxRetries must be an integer from 0 to 10.',
    )
  }
  for (const status of statusCodes) {
    if (!(Number.isInteger(status) && status >= 400 && status <= 599)) {
      throw new ConfigurationError(
        'retry.statusCodes',
        'retry.statusCodes takes statuses from 400 to 599.',
      )
    }
  }
  if (!(backoffFactor >= 0 && Number.isFinite(backoffFactor))) {
    throw new ConfigurationError(
      'retry.backoffFactor',
      'retry.backoffFactor is seconds, 0 or more.',
    )
  }
  if (!(maxRetryAfter >= 0 && Number.isFinite(maxRetryAfter))) {
    throw new ConfigurationError(
      'retry.maxRetryAfter',
      'retry.maxRetryAfter is seconds, 0 or more.',
    )
  }
  return {
    maxRetries: maxRetries ?? alternatives,
    statusCodes: new Set([401, ...statusCodes]),
    backoffFactor,
    maxRetryAfter,
    explicit: maxRetries !== undefined && maxRetries > 1,
  }
}

/**
 * Milliseconds to wait before the n-th retry; `undefined` when the server asks for more than allowed.
 *
 * @param renewed - The credential was renewed for this very retry.
 */
export function retryDelay(
  policy: ResolvedRetryPolicy,
  retry: number,
  renewed: boolean,
  retryAfter: number | undefined,
): number | undefined {
  if (retryAfter !== undefined && retryAfter > policy.maxRetryAfter) return undefined
  const own = renewed && retry === 1 ? 0 : policy.backoffFactor * 2 ** (retry - 1)
  return Math.max(own, retryAfter ?? 0) * 1000
}
