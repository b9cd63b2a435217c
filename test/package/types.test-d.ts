// Checked by `tsc` alone: what must compile, and what must not.
import type { FetchLike as Version2FetchLike } from '@modelcontextprotocol/client'
import {
  SSEClientTransport as Version2Sse,
  StreamableHTTPClientTransport as Version2Streamable,
} from '@modelcontextprotocol/client'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { FetchLike as Version1FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js'
import {
  all,
  authorizedFetch,
  bearer,
  type CredentialSelector,
  type FetchLike,
  firstAvailable,
  perTenant,
  rotating,
  TokenManager,
  withCredentials,
} from 'mcp-credentials'

const resource = 'https://mcp.example.com/mcp'
const provider = bearer('token')

declare const version1: Version1FetchLike
declare const version2: Version2FetchLike
// Bun adds a function to `fetch` and members to its options.
declare const bun: {
  (
    input: string | URL | Request,
    init?: RequestInit & { verbose?: boolean; tls?: { rejectUnauthorized?: boolean } },
  ): Promise<Response>
  preconnect(url: string | URL): void
}

// The option `fetch` takes what the SDKs and the platforms call a fetch, and our own result.
const authorized = authorizedFetch(provider, { resource, fetch: version1 })
for (const fetch of [version2, bun, globalThis.fetch, authorized]) {
  authorizedFetch(provider, { resource, fetch })
}

// The result is a fetch for all of them, and for what takes the platform's.
export const fetches: [Version1FetchLike, Version2FetchLike, FetchLike, (url: Request) => unknown] =
  [authorized, authorized, authorized, authorized]
export const platform: (input: string | URL | Request, init?: RequestInit) => Promise<Response> =
  authorized

// The options spread into the constructors of both SDKs.
const options = withCredentials(provider)
const url = new URL(resource)
export const transports = [
  new StreamableHTTPClientTransport(url, options),
  new StreamableHTTPClientTransport(url, { ...options, sessionId: '1' }),
  new SSEClientTransport(url, { ...options }),
  new Version2Streamable(url, options),
  new Version2Streamable(url, { ...options, fetch: authorized }),
  new Version2Sse(url, { ...options }),
]

/** The owner is disposed of at the end of a block. */
export async function disposes(): Promise<void> {
  await using fetch = authorizedFetch(provider, { resource })
  await using owned = withCredentials(provider)
  await fetch(resource)
  await owned.login({ signal: AbortSignal.timeout(1000) })
}

// @ts-expect-error: only withCredentials() may leave the resource to the first request.
authorizedFetch(provider)
// @ts-expect-error: the same with options.
authorizedFetch(provider, { account: 'work' })

// A selector chooses for one request, so only those who see requests take it.
const selector: CredentialSelector = perTenant(
  () => 'acme',
  () => provider,
)
authorizedFetch(selector, { resource })
withCredentials(selector)
// @ts-expect-error: it has no credential to put beside another.
all(provider, selector)
// @ts-expect-error: nor one to try first.
firstAvailable(selector, provider)
// @ts-expect-error: nor one to rotate.
rotating([selector])
// @ts-expect-error: nor one to keep fresh.
new TokenManager(selector, { resource })
const nested = () => selector
// @ts-expect-error: nor does a tenant have tenants.
perTenant(() => 'acme', nested)
