/**
 * The remedies when an authorization server refuses a grant.
 *
 * @module
 */

/** The values of `refusedRemedy`. */
export const refusedRemedies = {
  /** The provider can log the user in. */
  login: 'Call `login()`, so that the user can log in again.',
  /** The provider only uses the login of another. */
  loginElsewhere:
    'Log in again with the provider of this login, or with beginLogin() in a web application.',
  /** There is no user. */
  supply: 'The grant has expired or is invalid; supply a new one.',
} as const
