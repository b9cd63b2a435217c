/**
 * How long a user may take to log in.
 *
 * @module
 */
import { LoginRequiredError } from '../errors.ts'
import { abortable, withTimeLimit } from '../waiting.ts'
import type { GrantSession } from './grant.ts'

/**
 * Waits for a user.
 *
 * @param seconds - What the user has.
 * @param did - What the user did not do in that time.
 * @param task - Gets a signal that aborts when the time is over or the acquisition is cancelled; it need
 * not listen to it.
 * @param hint - What else may help.
 * @throws `LoginRequiredError` when the time is over; otherwise what the task throws.
 */
export function withUserTimeLimit<T>(
  { name, context }: GrantSession,
  seconds: number,
  did: string,
  task: (signal: AbortSignal) => Promise<T>,
  hint?: string,
): Promise<T> {
  const remedy = ['Call `login()` to try again.', hint].filter(Boolean).join(' ')
  const tooLate = () =>
    new LoginRequiredError(
      'no_credential',
      `${name}: the user did not ${did} within ${seconds} s.`,
      { resource: context.resource, provider: name, remedy },
    )
  return withTimeLimit(
    seconds * 1000,
    context.signal,
    (signal) => abortable(task(signal), signal),
    tooLate,
  )
}
