/**
 * The extensions of the protocol that this folder implements.
 *
 * @module
 */

/**
 * The extensions that a client declares in its capabilities when it authenticates with `clientCredentials()`,
 * `enterpriseManaged()` or, for workload identity, `jwtBearer()`: pass it as `capabilities: { extensions: oauthExtensions }` to the client.
 *
 * @see MCP 2026-07-28, Extensions
 *
 * @example
 * ```ts
 * import { Client } from '@modelcontextprotocol/sdk/client/index.js'
 * import { oauthExtensions } from 'mcp-credentials/oauth'
 *
 * const client = new Client(
 *   { name: 'agent', version: '1.0.0' },
 *   { capabilities: { extensions: oauthExtensions } },
 * )
 * ```
 * @group Discovery and policy
 */
export const oauthExtensions: Readonly<Record<string, object>> = {
  'io.modelcontextprotocol/oauth-client-credentials': {},
  'io.modelcontextprotocol/enterprise-managed-authorization': {},
  'io.modelcontextprotocol/auth/wif': {},
}
