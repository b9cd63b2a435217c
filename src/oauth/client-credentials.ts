/**
 * Tokens for the client itself.
 *
 * @module
 */
import type { CredentialProvider, Secret } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { type Bound, readBound } from './bound.ts'
import type { GrantSession } from './grant.ts'
import { bindOptions, checkOAuthOptions, type OAuthOptions, required } from './options.ts'
import { oauthProvider } from './provider.ts'
import { refusedRemedies } from './refused-remedies.ts'
import type { RegisteredClient } from './registration.ts'
import { clientGrant } from './saved-client.ts'

/**
 * Obtains tokens for the client itself, with its secret or its key, without a user.
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
 * @throws `ConfigurationError` when an option is invalid, or a secret is given without `issuer`.
 * @see RFC 6749, section 4.4; MCP extension io.modelcontextprotocol/oauth-client-credentials
 * @group Grants without a user
 */
export function clientCredentials(
  options: OAuthOptions & {
    /** The client identifier that the authorization server knows. */
    readonly clientId: string
    /**
     * Keeps the client's secret in the store with the tokens, so that `savedLogin()` and `auto()` renew them in
     * processes that have only the store. Default `false`: the store contains only the tokens.
     */
    readonly keepSecret?: boolean
  },
): CredentialProvider {
  const name = clientGrant
  checkOAuthOptions(name, options, ['keepSecret'])
  required(name, 'clientId', options.clientId, 'pass the identifier that the server knows')
  const proof = options.clientSecret ?? options.clientAuth
  required(name, 'clientSecret', proof, 'this grant requires client authentication')
  const { keepSecret = false, ...shared } = options
  checkKeepSecret(name, options)
  const bound = bindOptions(shared).clientSecret
  return oauthProvider({
    name,
    options: shared,
    interactive: false,
    refusedRemedy: refusedRemedies.supply,
    offline: false,
    async run(session) {
      const isKept = keepSecret && bound !== undefined
      const client = isKept ? await keptClient(shared.clientId, bound, session) : undefined
      const connection = await session.connect(client)
      const response = await connection.requestTokens('client_credentials', session.parameters)
      return { response, connection }
    },
  })
}

function checkKeepSecret(
  name: string,
  { keepSecret, clientSecret }: Pick<OAuthOptions, 'clientSecret'> & { keepSecret?: unknown },
): void {
  if (keepSecret === undefined || keepSecret === false) return
  const option = `${name}.keepSecret`
  if (keepSecret !== true) throw new ConfigurationError(option, `${option} must be true or false.`)
  required(name, 'keepSecret', clientSecret, 'it needs `clientSecret`; keys are not stored')
}

/** The client with its secret, for its record. */
async function keptClient(
  clientId: string,
  secret: Bound<Secret>,
  { name, context }: GrantSession,
): Promise<RegisteredClient> {
  const clientSecret = await readBound(`${name}.clientSecret`, secret, context.signal)
  return { clientId, clientSecret, method: undefined, isDynamic: false }
}
