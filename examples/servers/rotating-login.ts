import { randomBytes } from 'node:crypto'
import { authorizedFetch, type CredentialStore } from 'mcp-credentials'
import { authorizationCode } from 'mcp-credentials/oauth'
import { startAuthorizationServer } from './authorization-server.ts'
import { startOAuthServer } from './oauth-server.ts'

/** An MCP server whose tokens live for five seconds, and whose refresh tokens are good for one use. */
export interface RotatingLogin {
  readonly url: URL
  /** A key for a store, as `openssl rand -base64 32` makes one. */
  readonly key: string
  /** Plays a person who logs in, and puts the login into a store. */
  logIn(store: CredentialStore): Promise<void>
  /** Prints what came of the login, and fails if a refresh token was used twice or somebody had to log in again. */
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
      console.log('a person has logged in, and the login is in the store')
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
