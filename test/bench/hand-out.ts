import {
  bearerTokenAuthenticationPolicy,
  createHttpHeaders,
  createPipelineRequest,
} from '@azure/core-rest-pipeline'
import { OAuth2Client as BadgatewayClient, OAuth2Fetch } from '@badgateway/oauth2-client'
import { StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import {
  doesIdentityRequireRefresh,
  isIdentityExpired,
  memoizeIdentityProvider,
} from '@smithy/core'
import { OAuth2Client } from 'google-auth-library'
import { bearer, TokenManager } from 'mcp-credentials'
import { sdkProvider } from './peers.ts'
import { figureTable, type Table } from './report.ts'
import { type Candidate, measure, repeated } from './rounds.ts'

const resource = 'https://mcp.example.com/mcp'

/** What it costs to hand out a credential that is already there. */
export async function benchHandOut(): Promise<Table[]> {
  const manager = new TokenManager(bearer('t'.repeat(900)), { resource })
  await manager.credential()
  const google = new OAuth2Client()
  google.setCredentials({ access_token: 't'.repeat(900), expiry_date: Date.now() + 3_600_000 })
  const synchronous: Candidate = {
    name: 'current()',
    async run(times: number) {
      for (let index = 0; index < times; index += 1) manager.current()
    },
  }
  const token = 't'.repeat(900)
  const expiration = new Date(Date.now() + 3_600_000)
  const smithy = memoizeIdentityProvider(
    async () => ({ token, expiration }),
    isIdentityExpired,
    doesIdentityRequireRefresh,
  )
  const stored = { accessToken: token, refreshToken: 'r', expiresAt: expiration.getTime() }
  const badgateway = new OAuth2Fetch({
    client: new BadgatewayClient({ clientId: 'bench', tokenEndpoint: resource }),
    scheduleRefresh: false,
    getNewToken: () => null,
    getStoredToken: () => stored,
  })
  const policy = bearerTokenAuthenticationPolicy({
    scopes: 'bench',
    credential: { getToken: async () => ({ token, expiresOnTimestamp: expiration.getTime() }) },
  })
  // Its token cycler is not exported, so the policy is measured with a network that answers at once.
  const request = createPipelineRequest({ url: resource })
  const answer = Promise.resolve({ request, status: 200, headers: createHttpHeaders() })
  const authProvider = sdkProvider(stored) as never
  // A private method, but the only place where the SDKs ask their provider for a token.
  const headersOf = (transport: object) =>
    (transport as { _commonHeaders(): Promise<Headers> })._commonHeaders()
  const v1 = new TransportV1(new URL(resource), { authProvider })
  const v2 = new TransportV2(new URL(resource), { authProvider })
  const figures = await measure(
    [
      synchronous,
      repeated('await credential()', () => manager.credential()),
      repeated('@smithy/core memoizeIdentityProvider', () => smithy?.()),
      repeated('google-auth-library getAccessToken()', () => google.getAccessToken()),
      repeated('@badgateway/oauth2-client getAccessToken()', () => badgateway.getAccessToken()),
      repeated('@azure/core-rest-pipeline, bearer policy', () =>
        policy.sendRequest(request, () => answer),
      ),
      repeated('SDK 1.x, headers from its provider', () => headersOf(v1)),
      repeated('SDK 2.x, headers from its provider', () => headersOf(v2)),
    ],
    41,
    20_000,
  )
  const title = 'Handing out a credential that is already there'
  const alt =
    'The time in which this library and others hand out a token that they have already. The SDKs read it from their provider for each request.'
  return [figureTable({ id: 'hand-out', title, unit: 'ns', alt }, figures)]
}
