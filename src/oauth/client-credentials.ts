/**
 * The client acts for itself.
 *
 * @module
 */
import type { CredentialProvider } from '../credential.ts'
import { checkOAuthOptions, type OAuthOptions, required } from './options.ts'
import { oauthProvider } from './provider.ts'
import { refusedRemedies } from './refused-remedies.ts'

/**
 * Gets tokens for the client itself, with its secret or its key. Nobody logs in.
 *
 * @example
 * ```ts
 * import { env, withCredentials } from 'mcp-credentials'
 * import { clientCredentials } from 'mcp-credentials/oauth'
 *
 * const options = withCredentials(
 *   clientCredentials({
 *     clientId: 'nightly-agent',
 *     clientSecret: env('MCP_CLIENT_SECRET'),
 *     issuer: 'https://login.example.com',
 *   }),
 * )
 * ```
 *
 * @throws `ConfigurationError` when an option is wrong, or a secret is given without `issuer`.
 * @see RFC 6749, section 4.4; MCP extension io.modelcontextprotocol/oauth-client-credentials
 */
export function clientCredentials(
  options: OAuthOptions & {
    /** The client identifier that the authorization server knows. */
    readonly clientId: string
  },
): CredentialProvider {
  const name = 'clientCredentials'
  checkOAuthOptions(name, options, [])
  required(name, 'clientId', options.clientId, 'pass the identifier that the server knows')
  const proof = options.clientSecret ?? options.clientAuth
  required(name, 'clientSecret', proof, 'this grant is for clients that can prove who they are')
  return oauthProvider({
    name,
    options,
    interactive: false,
    refusedRemedy: refusedRemedies.supply,
    offline: false,
    async run(session) {
      const connection = await session.connect()
      const response = await connection.requestTokens('client_credentials', session.parameters)
      return { response, connection }
    },
  })
}
