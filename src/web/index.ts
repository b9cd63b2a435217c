/**
 * Logins of the users of a web application.
 *
 * @module mcp-credentials/web
 * @group API: Logins and OAuth
 */
export type { ReturningLoginOptions } from '../oauth/pending-login.ts'
export type { SealingOptions, WebLoginsOptions } from './options.ts'
export type { FinishedLogin } from './redemption.ts'
export {
  type BeginLoginOptions,
  type BegunLogin,
  type FinishLoginOptions,
  type WebLogins,
  webLogins,
} from './web-logins.ts'
