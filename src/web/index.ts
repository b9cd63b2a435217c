/**
 * Logins of the users of a web application.
 *
 * @example
 * ```ts
 * import { env } from 'mcp-credentials'
 * import { postgresStore } from 'mcp-credentials/postgres'
 * import { webLogins } from 'mcp-credentials/web'
 * import { Pool } from 'pg'
 *
 * const store = postgresStore({ pool: new Pool(), key: env('MCP_STORE_KEY') })
 * const logins = webLogins({
 *   store,
 *   key: env('LOGIN_KEY'),
 *   redirectUri: 'https://app.example.com/callback',
 * })
 * ```
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
