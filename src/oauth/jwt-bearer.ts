/**
 * Workload identity: a workload authenticates with the token of its platform.
 *
 * @module
 */
import type { CredentialProvider, Secret } from '../credential.ts'
import { checkSecret } from '../secret.ts'
import { bind, readBound } from './bound.ts'
import { checkOAuthOptions, type OAuthOptions, required } from './options.ts'
import { oauthProvider } from './provider.ts'
import { refusedRemedies } from './refused-remedies.ts'

/** The grant type of an assertion (RFC 7523, section 2.1). */
export const jwtBearerGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/**
 * Obtains tokens for a JWT that the platform issued to this workload, without a client secret.
 *
 * @example
 * ```ts
 * import { file, withCredentials } from 'mcp-credentials'
 * import { jwtBearer } from 'mcp-credentials/oauth'
 *
 * const options = withCredentials(
 *   jwtBearer({
 *     clientId: 'reporting-job',
 *     issuer: 'https://login.example.com',
 *     assertion: file('/var/run/secrets/tokens/mcp'),
 *   }),
 * )
 * ```
 *
 * @throws `ConfigurationError` when an option is invalid or missing. A refused assertion is not retried, and
 * no other grant is tried.
 * @see RFC 7523, section 2.1
 * @group Grants without a user
 */
export function jwtBearer(
  options: OAuthOptions & {
    /** The client identifier that the authorization server knows. */
    readonly clientId: string
    /** The authorization server; the assertion is sent to no other. */
    readonly issuer: string
    /**
     * The assertion: `file('/var/run/secrets/tokens/mcp')` for Kubernetes' projected token, `env(…)`, or a
     * function. Read again for each token request, so a replaced file is used.
     */
    readonly assertion: Secret
  },
): CredentialProvider {
  const name = 'jwtBearer'
  checkOAuthOptions(name, options, ['assertion'])
  required(name, 'clientId', options.clientId, 'pass the identifier that the server knows')
  required(name, 'issuer', options.issuer, 'pass the server that the assertion may be sent to')
  const { assertion: secret, issuer } = options
  checkSecret(`${name}.assertion`, secret)
  const configured = bind('assertion', secret, issuer)
  return oauthProvider({
    name,
    options,
    interactive: false,
    refusedRemedy: refusedRemedies.supply,
    offline: false,
    async run(session) {
      const connection = await session.connect()
      const { signal } = session.context
      const assertion = await readBound(`${name}.assertion`, configured, signal)
      const parameters = { ...session.parameters, assertion }
      const response = await connection.requestTokens(jwtBearerGrant, parameters)
      return { response, connection }
    },
  })
}
