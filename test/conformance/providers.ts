// What is particular to a scenario of the official suite: its provider. The suite says in the environment which
// scenario a client plays.
import type { CredentialProvider } from 'mcp-credentials'
import {
  authorizationCode,
  clientCredentials,
  discover,
  enterpriseManaged,
  jwtBearer,
  privateKeyJwt,
} from 'mcp-credentials/oauth'

/** The scenario that is played. */
export const scenario = process.env['MCP_CONFORMANCE_SCENARIO'] ?? ''

/** What the suite tells the client in advance, as a person would write it into a configuration. */
const given = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as Record<string, string>
const { client_id: clientId = '', client_secret: clientSecret = '' } = given

const login = {
  clientMetadataUrl: 'https://conformance-test.local/client-metadata.json',
  // The suite has no pages: whoever follows its redirects has logged in.
  onAuthorizationUrl: (page: URL) => fetch(page),
}

const providers: Record<string, (url: URL) => Promise<CredentialProvider>> = {
  'auth/client-credentials-basic': async (url) =>
    clientCredentials({ clientId, clientSecret, issuer: (await discover(url)).issuer }),

  'auth/client-credentials-jwt': async () =>
    clientCredentials({
      clientId,
      clientAuth: privateKeyJwt({
        key: given['private_key_pem'] ?? '',
        algorithm: given['signing_algorithm'] as 'ES256',
      }),
    }),

  'auth/pre-registration': async (url) =>
    authorizationCode({ ...login, clientId, clientSecret, issuer: (await discover(url)).issuer }),

  'auth/enterprise-managed-authorization': async (url) =>
    enterpriseManaged({
      clientId,
      clientSecret,
      issuer: (await discover(url)).issuer,
      identityProvider: {
        issuer: given['idp_issuer'] ?? '',
        tokenEndpoint: given['idp_token_endpoint'] ?? '',
        clientId: given['idp_client_id'] ?? '',
      },
      subjectToken: given['idp_id_token'] ?? '',
    }),

  'auth/wif-jwt-bearer': async (url) =>
    jwtBearer({
      clientId,
      issuer: (await discover(url)).issuer,
      assertion: given['valid_jwt'] ?? '',
    }),

  'auth/dpop': async () => authorizationCode({ ...login, dpop: true }),
  'auth/dpop-nonce': async () => authorizationCode({ ...login, dpop: true }),
}

/** The provider for the server of the scenario that is played. */
export async function providerFor(url: URL): Promise<CredentialProvider> {
  return (await providers[scenario]?.(url)) ?? authorizationCode(login)
}
