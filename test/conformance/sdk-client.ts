// The same scenarios with nothing but what the official SDKs have built in, for comparison: the provider of
// their documentation, which keeps everything in memory, and what they offer for machines.
import {
  Client,
  ClientCredentialsProvider as CredentialsV2,
  CrossAppAccessProvider,
  PrivateKeyJwtProvider as PrivateKeyV2,
  requestJwtAuthorizationGrant,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import {
  ClientCredentialsProvider as CredentialsV1,
  PrivateKeyJwtProvider as PrivateKeyV1,
} from '@modelcontextprotocol/sdk/client/auth-extensions.js'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const url = new URL(process.argv.at(-1) ?? '')
const scenario = process.env['MCP_CONFORMANCE_SCENARIO'] ?? ''
const given = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as Record<string, string>
const { client_id: clientId = '', client_secret: clientSecret = '' } = given
const isOld = process.env['MCP_SDK'] === 'v1'

/** A provider as the SDKs' documentation has it. */
function inMemory() {
  const redirectUrl = 'http://localhost:3000/callback'
  let information: object | undefined = clientId === '' ? undefined : given
  let tokens: object | undefined
  let verifier = ''
  let discovery: object | undefined
  let callback = new URLSearchParams()
  return {
    redirectUrl,
    clientMetadataUrl: 'https://conformance-test.local/client-metadata.json',
    clientMetadata: {
      client_name: 'sdk-conformance',
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    },
    clientInformation: () => information,
    saveClientInformation(next: object) {
      information = next
    },
    tokens: () => tokens,
    saveTokens(next: object) {
      tokens = next
    },
    async redirectToAuthorization(page: URL) {
      const response = await fetch(page, { redirect: 'manual' })
      callback = new URL(response.headers.get('location') ?? '', page).searchParams
    },
    saveCodeVerifier(next: string) {
      verifier = next
    },
    codeVerifier: () => verifier,
    saveDiscoveryState(next: object) {
      discovery = next
    },
    discoveryState: () => discovery,
    invalidateCredentials(scope: string) {
      if (scope === 'all' || scope === 'tokens') tokens = undefined
      if (scope === 'all' || scope === 'client') information = undefined
      if (scope === 'all' || scope === 'discovery') discovery = undefined
    },
    callback: () => callback,
  }
}

function machine(): unknown {
  if (scenario === 'auth/client-credentials-basic') {
    const secret = { clientId, clientSecret }
    return isOld ? new CredentialsV1(secret) : new CredentialsV2(secret)
  }
  if (scenario === 'auth/client-credentials-jwt') {
    const key = {
      clientId,
      privateKey: given['private_key_pem'] ?? '',
      algorithm: given['signing_algorithm'] ?? '',
    }
    return isOld ? new PrivateKeyV1(key) : new PrivateKeyV2(key)
  }
  if (scenario !== 'auth/enterprise-managed-authorization' || isOld) return undefined
  return new CrossAppAccessProvider({
    clientId,
    clientSecret,
    assertion: async (context) => {
      const { jwtAuthGrant } = await requestJwtAuthorizationGrant({
        tokenEndpoint: given['idp_token_endpoint'] ?? '',
        audience: String(context.authorizationServerUrl),
        resource: String(context.resourceUrl),
        idToken: given['idp_id_token'] ?? '',
        clientId: given['idp_client_id'] ?? '',
        ...(context.scope === undefined ? {} : { scope: context.scope }),
        fetchFn: context.fetchFn,
      })
      return jwtAuthGrant
    },
  })
}

const provider = inMemory()
const authProvider = (machine() ?? provider) as never
const info = { name: 'sdk-conformance', version: '1.0.0' }

// As in their documentation: connect, and where that wants a login, finish it and connect again.
for (let attempt = 0; ; attempt += 1) {
  const client = isOld
    ? new ClientV1(info)
    : new Client(info, { versionNegotiation: { mode: 'auto' } })
  const transport = isOld
    ? new TransportV1(url, { authProvider })
    : new StreamableHTTPClientTransport(url, { authProvider })
  try {
    await client.connect(transport as never)
    await client.listTools()
    await client.callTool({ name: 'test-tool', arguments: {} })
    await client.close()
    break
  } catch (error) {
    const needsLogin = (error as Error).constructor.name === 'UnauthorizedError'
    if (!needsLogin || attempt === 2) {
      if (scenario === 'auth/scope-retry-limit') break
      throw error
    }
    const callback = provider.callback()
    if (isOld) await (transport as TransportV1).finishAuth(callback.get('code') ?? '')
    else await (transport as StreamableHTTPClientTransport).finishAuth(callback)
  }
}
