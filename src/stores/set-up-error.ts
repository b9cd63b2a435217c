/**
 * Shared options of errors that require a change of the set-up.
 *
 * @module
 */

/** They are not retryable, but trying is cheap, so a correction is noticed within a second. */
export const setUpError = { retryable: false, retryAfter: 1 } as const
