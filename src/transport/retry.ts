/**
 * When and how often a request is sent again.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'

/**
 * Which responses are retried, and how often.
 *
 * @group Authenticated requests
 */
export interface RetryPolicy {
  /**
   * The maximum number of retries of one request, from 0 to 10. Default 1, or the number of further keys of
   * `rotating`. With 0 a 401 is returned unchanged.
   */
  readonly maxRetries?: number
  /**
   * The statuses that are retried besides 401, which always is. 403 renews the credential, as 401 does;
   * others only repeat the request, so list temporary failures such as 503. Default: none.
   */
  readonly statusCodes?: readonly number[]
  /**
   * Seconds before a retry, doubled each time: `backoffFactor * 2^(n-1)`. The first retry with a
   * renewed credential does not wait. Default 0.5.
   */
  readonly backoffFactor?: number
  /**
   * The maximum of `Retry-After` in seconds; when the server requests more, its response is returned instead.
   * Default 60.
   */
  readonly maxRetryAfter?: number
}

/** A policy with every default filled in. */
export interface ResolvedRetryPolicy {
  readonly maxRetries: number
  readonly statusCodes: ReadonlySet<number>
  readonly backoffFactor: number
  readonly maxRetryAfter: number
  /** Whether the options set the number of retries; they are then made even without a renewal. */
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
        'retry.statusCodes must contain statuses from 400 to 599.',
      )
    }
  }
  if (!(backoffFactor >= 0 && Number.isFinite(backoffFactor))) {
    throw new ConfigurationError(
      'retry.backoffFactor',
      'retry.backoffFactor must be a number of seconds, 0 or more.',
    )
  }
  if (!(maxRetryAfter >= 0 && Number.isFinite(maxRetryAfter))) {
    throw new ConfigurationError(
      'retry.maxRetryAfter',
      'retry.maxRetryAfter must be a number of seconds, 0 or more.',
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
 * Milliseconds to wait before the n-th retry; `undefined` when the server requests more than allowed.
 *
 * @param renewed - Whether the credential was renewed for this retry.
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
