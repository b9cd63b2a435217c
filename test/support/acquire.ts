import type {
  AcquireContext,
  Credential,
  CredentialProvider,
  OutgoingRequest,
} from '../../src/index.ts'
import { acquireContext } from '../../src/testing/acquire-context.ts'

/** The time at which {@link applied} acquires, in milliseconds since the epoch. */
export const testTime = Date.UTC(2026, 0, 1)

/** A request as it reaches a credential. */
export function outgoing(overrides: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return {
    method: 'POST',
    url: new URL('https://mcp.example.com/mcp?x=1'),
    headers: new Headers(),
    body: new TextEncoder().encode('{}'),
    streamed: false,
    attempt: 1,
    now: testTime,
    signal: undefined,
    ...overrides,
  }
}

/** A request with the provider's credential on it. */
export async function applied(
  provider: CredentialProvider,
  context: Partial<AcquireContext> = {},
): Promise<{ request: OutgoingRequest; credential: Credential }> {
  const credential = await provider.acquire(
    acquireContext({ now: () => testTime, random: () => 0.5, ...context }),
  )
  const request = outgoing()
  await credential.apply(request)
  return { request, credential }
}
