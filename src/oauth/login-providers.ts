/**
 * The providers that log a user in.
 *
 * @module
 */

/** The providers whose records are the login of a user; any of them can continue the login of another. */
export const loginProviders: ReadonlySet<string> = new Set([
  'authorizationCode',
  'deviceCode',
  'refreshToken',
  'savedLogin',
  'webLogins',
])
