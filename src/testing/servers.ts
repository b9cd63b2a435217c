/**
 * An MCP server and its authorization server, for tests of a whole login.
 *
 * @module
 */
import { type TestAuthorizationServer, testAuthorizationServer } from './authorization-server.ts'
import { type TestMcpServer, testMcpServer } from './mcp-server.ts'

/**
 * Starts an MCP server and its authorization server. The MCP server names the authorization server in its
 * metadata (RFC 9728), so that clients can discover it. See {@link testMcpServer} and
 * {@link testAuthorizationServer} for how to control each of them.
 *
 * @param options - As for {@link testAuthorizationServer}.
 * @throws As {@link testAuthorizationServer}.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { authorizedFetch } from 'mcp-credentials'
 * import { authorizationCode, savedLogin } from 'mcp-credentials/oauth'
 * import { memoryStore, testServers } from 'mcp-credentials/testing'
 *
 * const { resource, authorizationServer, mcp, close } = await testServers()
 * const store = memoryStore()
 * const interactive = authorizationCode({ onAuthorizationUrl: authorizationServer.visit })
 * const login = authorizedFetch(interactive, { resource, store })
 * await login.login()
 * await login.close()
 *
 * const fetch = authorizedFetch(savedLogin(), { resource, store })
 * const ping = { method: 'POST', body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' }
 * assert.equal((await fetch(resource, ping)).status, 200)
 * mcp.expireTokens()
 * authorizationServer.refuse(1) // The login has ended: what does the application tell its user?
 * await assert.rejects(fetch(resource, ping), { code: 'login_required' })
 *
 * await fetch.close()
 * await close()
 * ```
 * @group Servers
 */
export async function testServers(
  options: Parameters<typeof testAuthorizationServer>[0] = {},
): Promise<{
  /** The URL of the MCP server. */
  readonly resource: URL
  /** The authorization server. */
  readonly authorizationServer: TestAuthorizationServer
  /** The MCP server. */
  readonly mcp: TestMcpServer
  /** Ends the connections of both servers. */
  readonly close: () => Promise<void>
}> {
  const authorizationServer = await testAuthorizationServer(options)
  let resource = ''
  const mcp = await testMcpServer({
    authorizationServers: [authorizationServer.issuer],
    accept(headers) {
      const token = /^Bearer (.+)$/.exec(headers.get('Authorization') ?? '')?.[1] ?? ''
      const grant = authorizationServer.inspect(token)
      // A token for another server is invalid here (RFC 8707, section 2).
      const isForUs = grant?.resource === '' || grant?.resource === resource
      return grant !== undefined && isForUs ? { scope: grant.scope } : false
    },
  })
  resource = mcp.url.href
  const close = async () => {
    await Promise.all([mcp.close(), authorizationServer.close()])
  }
  return { resource: mcp.url, authorizationServer, mcp, close }
}
