/**
 * What errors have in common that only a change of the set-up cures.
 *
 * @module
 */

/** They do not pass by themselves, but trying costs nothing, so that a cure is noticed within a second. */
export const setUpError = { retryable: false, retryAfter: 1 } as const
