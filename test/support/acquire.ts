import type {
  AcquireContext,
  Credential,
  CredentialProvider,
  OutgoingRequest,
} from '../../src/index.ts'

/** The context of a first acquisition, for a provider that is tested alone. */
export function acquireContext(overrides: Partial<AcquireContext> = {}): AcquireContext {
  const time = Date.UTC(2026, 0, 1)
  return {
    resource: new URL('https://mcp.example.com/mcp'),
    reason: 'missing',
    scope: undefined,
    challenges: [],
    previous: undefined,
    interactive: true,
    fetch: async () => {
      throw new Error('this provider has nothing to fetch')
    },
    signal: new AbortController().signal,
    commit: async () => {},
    salvage: () => {},
    records: { get: async () => undefined, set: async () => {}, delete: async () => false },
    now: () => time,
    serverNow: () => time,
    random: () => 0.5,
    ...overrides,
  }
}

/** A request as it reaches a credential. */
export function outgoing(overrides: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return {
    method: 'POST',
    url: new URL('https://mcp.example.com/mcp?x=1'),
    headers: new Headers(),
    body: new TextEncoder().encode('{}'),
    streamed: false,
    attempt: 1,
    now: Date.UTC(2026, 0, 1),
    signal: undefined,
    ...overrides,
  }
}

/** A request with the provider's credential on it. */
export async function applied(
  provider: CredentialProvider,
  context: Partial<AcquireContext> = {},
): Promise<{ request: OutgoingRequest; credential: Credential }> {
  const credential = await provider.acquire(acquireContext(context))
  const request = outgoing()
  await credential.apply(request)
  return { request, credential }
}
