/**
 * Which providers log a user in.
 *
 * @module
 */

/** The providers whose records are the login of a user; any of them can continue what another began. */
export const loginProviders: ReadonlySet<string> = new Set([
  'authorizationCode',
  'deviceCode',
  'refreshToken',
  'savedLogin',
  'webLogins',
])
