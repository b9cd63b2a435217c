/**
 * A workload proves who it is with the token of its platform.
 *
 * @module
 */
import * as client from 'openid-client'
import type { CredentialProvider, Secret } from '../credential.ts'
import { checkSecret, readSecret } from '../secret.ts'
import { checkOAuthOptions, type OAuthOptions, required } from './options.ts'
import { oauthProvider } from './provider.ts'

/** The grant type of an assertion (RFC 7523, section 2.1). */
export const jwtBearerGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/**
 * Gets tokens for a JWT that the platform issued to this workload, with no secret of its own.
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
 * @throws `ConfigurationError` when an option is wrong or missing. A refused assertion is not
 * tried again by itself, nor is another grant.
 * @see RFC 7523, section 2.1
 */
export function jwtBearer(
  options: OAuthOptions & {
    /** The client identifier that the authorization server knows. */
    readonly clientId: string
    /** The authorization server; the assertion is sent to no other. */
    readonly issuer: string
    /**
     * The assertion: `file('/var/run/secrets/tokens/mcp')` for Kubernetes' projected token, `env(…)`, or a
     * function. Read anew for each token request, so a replaced file is picked up.
     */
    readonly assertion: Secret
  },
): CredentialProvider {
  const name = 'jwtBearer'
  checkOAuthOptions(name, options, ['assertion'])
  required(name, 'clientId', options.clientId, 'pass the identifier that the server knows')
  required(name, 'issuer', options.issuer, 'pass the server that the assertion may be sent to')
  const { assertion: secret } = options
  checkSecret(`${name}.assertion`, secret)
  return oauthProvider({
    name,
    options,
    interactive: false,
    offline: false,
    async run(session) {
      const connection = await session.connect()
      const assertion = await readSecret(`${name}.assertion`, secret, {
        signal: session.context.signal,
      })
      const { configuration, proof } = connection
      const parameters = { ...session.parameters, assertion }
      const response = await client.genericGrantRequest(
        configuration,
        jwtBearerGrant,
        parameters,
        proof,
      )
      return { response, connection }
    },
  })
}
