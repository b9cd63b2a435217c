/**
 * What to do when an authorization server refuses a grant.
 *
 * @module
 */

/** What grants state as their `refusedRemedy`. */
export const refusedRemedies = {
  /** The provider can log the user in. */
  login: 'Log in again, with `login()` where the user is.',
  /** It only uses what another one has brought. */
  loginElsewhere:
    'Log in again with the provider that made this login, or with beginLogin() in a web application.',
  /** There is no user. */
  supply: 'The grant has expired or is invalid; supply a new one.',
} as const
