// The client that the official suite tests: it starts this file with the URL of a server, and says in
// the environment which scenario it plays. All that is particular to a scenario is its provider.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { type CredentialProvider, withCredentials } from 'mcp-credentials'
import {
  authorizationCode,
  clientCredentials,
  discover,
  enterpriseManaged,
  jwtBearer,
  privateKeyJwt,
} from 'mcp-credentials/oauth'

const url = new URL(process.argv.at(-1) ?? '')
const scenario = process.env['MCP_CONFORMANCE_SCENARIO'] ?? ''
/** What the suite tells the client in advance, as a person would write it into a configuration. */
const given = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as Record<string, string>
const { client_id: clientId = '', client_secret: clientSecret = '' } = given

const login = {
  clientMetadataUrl: 'https://conformance-test.local/client-metadata.json',
  // The suite has no pages: whoever follows its redirects has logged in.
  onAuthorizationUrl: (page: URL) => fetch(page),
}

const providers: Record<string, () => Promise<CredentialProvider>> = {
  'auth/client-credentials-basic': async () =>
    clientCredentials({ clientId, clientSecret, issuer: (await discover(url)).issuer }),

  'auth/client-credentials-jwt': async () =>
    clientCredentials({
      clientId,
      clientAuth: privateKeyJwt({
        key: given['private_key_pem'] ?? '',
        algorithm: given['signing_algorithm'] as 'ES256',
      }),
    }),

  'auth/pre-registration': async () =>
    authorizationCode({ ...login, clientId, clientSecret, issuer: (await discover(url)).issuer }),

  'auth/enterprise-managed-authorization': async () =>
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

  'auth/wif-jwt-bearer': async () =>
    jwtBearer({
      clientId,
      issuer: (await discover(url)).issuer,
      assertion: given['valid_jwt'] ?? '',
    }),

  'auth/dpop': async () => authorizationCode({ ...login, dpop: true }),
  'auth/dpop-nonce': async () => authorizationCode({ ...login, dpop: true }),
}

const provider = (await providers[scenario]?.()) ?? authorizationCode(login)
const options = withCredentials(provider)
const info = { name: 'mcp-credentials-conformance', version: '1.0.0' }

const isOld = process.env['MCP_SDK'] === 'v1'
const client = isOld
  ? new ClientV1(info)
  : new Client(info, { versionNegotiation: { mode: 'auto' } })
const transport = isOld
  ? new TransportV1(url, options)
  : new StreamableHTTPClientTransport(url, options)

await client.connect(transport as never)
await client.listTools()
// One scenario never lets the call through, and wants to see the client give up.
await client.callTool({ name: 'test-tool', arguments: {} }).catch((error: unknown) => {
  if (scenario !== 'auth/scope-retry-limit') throw error
})
await client.close()
