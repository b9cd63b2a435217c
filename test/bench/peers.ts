import {
  bearerTokenAuthenticationPolicy,
  createHttpHeaders,
  createPipelineRequest,
  type PipelineResponse,
} from '@azure/core-rest-pipeline'
import { OAuth2Client as BadgatewayClient, OAuth2Fetch } from '@badgateway/oauth2-client'
import { StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { memoizeIdentityProvider } from '@smithy/core'
import { OAuth2Client as GoogleClient } from 'google-auth-library'
import { authorizedFetch, type CredentialProvider } from 'mcp-credentials'

/** A token as an issuer grants it. */
export interface Grant {
  readonly accessToken: string
  readonly refreshToken: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** Where a peer gets its tokens, and where it sends its requests. */
export interface Surroundings {
  /** The token that the client starts with. */
  readonly first: Grant
  readonly resource: string
  readonly tokenEndpoint: string
  /** Redeems a refresh token at the token endpoint. */
  renew(refreshToken: string): Promise<Grant>
}

/** Somebody's way to keep a token fresh. */
export interface Peer {
  readonly name: string
  /** Makes a client; each call sends one request and resolves to its status. */
  client(surroundings: Surroundings): Promise<() => Promise<number>>
}

const post = { method: 'POST', body: '{"jsonrpc":"2.0","method":"notifications/bench"}' }
const headers = { 'content-type': 'application/json' }

async function send(resource: string, token: string): Promise<Response> {
  const authorization = `Bearer ${token}`
  const response = await fetch(resource, { ...post, headers: { ...headers, authorization } })
  await response.text()
  return response
}

const ours: Peer = {
  name: 'mcp-credentials',
  async client({ first, resource, renew }) {
    let grant = first
    let isFirst = true
    const provider: CredentialProvider = {
      name: 'bench',
      async acquire(context) {
        if (!isFirst) {
          await context.commit()
          grant = await renew(grant.refreshToken)
        }
        isFirst = false
        const { accessToken, expiresAt } = grant
        return {
          expiresAt,
          obtainedAt: expiresAt - 3_600_000,
          apply: (request) => request.headers.set('authorization', `Bearer ${accessToken}`),
        }
      },
    }
    // The first token was good when it was obtained, also where it has expired since.
    let clock = () => first.expiresAt - 3_000_000
    const authorized = authorizedFetch(provider, { resource, now: () => clock() })
    await authorized.manager.credential()
    clock = Date.now
    return async () => {
      const response = await authorized(resource, { ...post, headers })
      await response.text()
      return response.status
    }
  },
}

const azure: Peer = {
  name: '@azure/core-rest-pipeline',
  async client({ first, resource, renew }) {
    let grant = first
    let isFirst = true
    const policy = bearerTokenAuthenticationPolicy({
      scopes: 'bench',
      credential: {
        async getToken() {
          if (!isFirst) grant = await renew(grant.refreshToken)
          isFirst = false
          return { token: grant.accessToken, expiresOnTimestamp: grant.expiresAt }
        },
      },
    })
    const request = () => {
      const made = createPipelineRequest({ url: resource })
      // The policy insists on https; nothing is sent to this address.
      made.url = resource.replace('http:', 'https:')
      return made
    }
    const primed = request()
    const headersOfNone = createHttpHeaders()
    await policy.sendRequest(primed, async () => ({
      request: primed,
      status: 200,
      headers: headersOfNone,
    }))
    return async () => {
      const response = await policy.sendRequest(
        request(),
        async (sent): Promise<PipelineResponse> => {
          const token = sent.headers.get('authorization')?.slice('Bearer '.length) ?? ''
          const { status } = await send(resource, token)
          // The challenge that this library answers by itself.
          const challenge = 'Bearer error="insufficient_claims", claims="e30="'
          const answer = status === 401 ? { 'www-authenticate': challenge } : {}
          return { request: sent, status, headers: createHttpHeaders(answer) }
        },
      )
      return response.status
    }
  },
}

const smithy: Peer = {
  name: '@smithy/core, forced by hand on a 401',
  async client({ first, resource, renew }) {
    let grant = first
    let isFirst = true
    const identity = memoizeIdentityProvider(
      async () => {
        if (!isFirst) grant = await renew(grant.refreshToken)
        isFirst = false
        return { token: grant.accessToken, expiration: new Date(grant.expiresAt) }
      },
      ({ expiration }) => expiration !== undefined && expiration.getTime() - Date.now() < 300_000,
      ({ expiration }) => expiration !== undefined,
    )
    if (identity === undefined) throw new Error('no provider')
    await identity()
    return async () => {
      const { status } = await send(resource, (await identity()).token)
      if (status !== 401) return status
      return (await send(resource, (await identity({ forceRefresh: true })).token)).status
    }
  },
}

const google: Peer = {
  name: 'google-auth-library',
  async client({ first, resource, tokenEndpoint }) {
    const client = new GoogleClient({
      clientId: 'bench',
      endpoints: { oauth2TokenUrl: tokenEndpoint },
      forceRefreshOnFailure: true,
    })
    client.setCredentials({
      access_token: first.accessToken,
      refresh_token: first.refreshToken,
      expiry_date: first.expiresAt,
    })
    return async () => (await client.request({ url: resource, ...post, headers })).status
  },
}

const badgateway: Peer = {
  name: '@badgateway/oauth2-client',
  async client({ first, resource, tokenEndpoint }) {
    const client = new BadgatewayClient({ clientId: 'bench', tokenEndpoint })
    const wrapper = new OAuth2Fetch({
      client,
      scheduleRefresh: false,
      getNewToken: () => null,
      getStoredToken: () => ({ ...first }),
    })
    return async () => {
      const response = await wrapper.fetch(resource, { ...post, headers })
      await response.text()
      return response.status
    }
  },
}

/** The store of the SDKs' own OAuth provider: it keeps what it is given. */
export function sdkProvider(first: Grant): object {
  let tokens: object = {
    access_token: first.accessToken,
    refresh_token: first.refreshToken,
    token_type: 'Bearer',
  }
  return {
    redirectUrl: 'http://127.0.0.1/callback',
    clientMetadata: { redirect_uris: ['http://127.0.0.1/callback'] },
    clientInformation: () => ({ client_id: 'bench' }),
    tokens: () => tokens,
    saveTokens(next: object) {
      tokens = next
    },
    redirectToAuthorization() {},
    saveCodeVerifier() {},
    codeVerifier: () => '',
  }
}

const sdk = (
  name: string,
  open: (resource: URL, authProvider: never) => Pick<TransportV1, 'start' | 'send'>,
): Peer => ({
  name,
  async client({ first, resource }) {
    const transport = open(new URL(resource), sdkProvider(first) as never)
    await transport.start()
    return async () => {
      await transport.send({ jsonrpc: '2.0', method: 'notifications/bench' })
      return 202
    }
  },
})

/** Who takes part in the comparison of renewals. */
export const peers: readonly Peer[] = [
  ours,
  azure,
  smithy,
  google,
  badgateway,
  sdk('SDK 1.x, its authProvider', (url, authProvider) => new TransportV1(url, { authProvider })),
  sdk(
    'SDK 2.x, its authProvider',
    (url, authProvider) => new TransportV2(url, { authProvider }) as never,
  ),
]
