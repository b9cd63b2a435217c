/**
 * Limits how long a user may take to log in.
 *
 * @module
 */
import { LoginRequiredError } from '../errors.ts'
import { abortable, withTimeLimit } from '../waiting.ts'
import type { GrantSession } from './grant.ts'

/**
 * Makes the error for a user who takes too long.
 *
 * @param seconds - The time limit.
 * @param did - The action that was not completed in that time.
 * @param remedy - What to do about it.
 */
export function userTimeoutError(
  { name, context }: GrantSession,
  seconds: number,
  did: string,
  remedy = 'Call `login()` to try again.',
): LoginRequiredError {
  return new LoginRequiredError(
    'login_failed',
    `${name}: the user did not ${did} within ${seconds} s.`,
    { resource: context.resource, provider: name, remedy },
  )
}

/**
 * Waits for a user.
 *
 * @param seconds - The time limit.
 * @param timeoutError - The error after the time limit.
 * @param task - Gets a signal that aborts when the time is over or the acquisition is cancelled; it need
 * not listen to it.
 * @throws `timeoutError` when the time is over; otherwise what the task throws.
 */
export function withUserTimeLimit<T>(
  { context }: GrantSession,
  seconds: number,
  timeoutError: LoginRequiredError,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return withTimeLimit(
    seconds * 1000,
    context.signal,
    (signal) => abortable(task(signal), signal),
    () => timeoutError,
  )
}
