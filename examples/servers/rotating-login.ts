import { randomBytes } from 'node:crypto'
import { authorizedFetch, type CredentialStore } from 'mcp-credentials'
import { authorizationCode } from 'mcp-credentials/oauth'
import { startAuthorizationServer } from './authorization-server.ts'
import { startOAuthServer } from './oauth-server.ts'

/** An MCP server with access tokens that live for five seconds, and single-use refresh tokens. */
export interface RotatingLogin {
  readonly url: URL
  /** A key for a store, as `openssl rand -base64 32` makes one. */
  readonly key: string
  /** Simulates a user who logs in, and stores the login. */
  logIn(store: CredentialStore): Promise<void>
  /** Prints the outcome, and fails if a refresh token was used twice or the user had to log in again. */
  check(): void
  close(): Promise<void>
}

/** Starts such a server, and its authorization server. */
export async function startRotatingLogin(): Promise<RotatingLogin> {
  const authorizationServer = await startAuthorizationServer({ tokenLifetime: 5 })
  const { issuer, approve, tokenRequests } = authorizationServer
  const server = await startOAuthServer({ issuer })
  return {
    url: server.url,
    key: randomBytes(32).toString('base64'),
    async logIn(store) {
      const login = authorizationCode({ onAuthorizationUrl: approve })
      const fetch = authorizedFetch(login, { resource: server.url, store })
      await fetch.login()
      await fetch.close()
      console.log('the user has logged in, and the login is stored')
    },
    check() {
      const renewals = tokenRequests.filter(({ grantType }) => grantType === 'refresh_token')
      const used = renewals.map(({ parameters }) => parameters['refresh_token'])
      const logins = tokenRequests.length - renewals.length
      console.log(`all processes together: ${logins} login, ${renewals.length} renewals`)
      console.log(`each refresh token was used once: ${new Set(used).size === used.length}`)
      const allSucceeded = tokenRequests.every(({ status }) => status === 200)
      if (logins !== 1 || !allSucceeded || new Set(used).size !== used.length) {
        throw new Error('The login was not shared as it should be.')
      }
    },
    async close() {
      await server.close()
      await authorizationServer.close()
    },
  }
}
