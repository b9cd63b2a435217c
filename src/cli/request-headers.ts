/**
 * The headers of a request to a server, for programs that send it themselves.
 *
 * @module
 */
import { headersOf } from '../index.ts'
import type { Invocation } from './command.ts'
import { withCommandErrors } from './command-errors.ts'
import { accountOption, asTenant, findServer, providerFor, type Server } from './server.ts'
import { fetchOption } from './verbose-fetch.ts'

/** A server, and the headers of a request to it. */
export interface RequestHeaders {
  readonly server: Server
  readonly headers: Readonly<Record<string, string>>
}

/**
 * Returns the headers of a server's credential, which is renewed first if necessary.
 *
 * @throws `ConfigurationError` when the credential is not fixed headers; `CredentialError` when there is
 *   none.
 */
export async function requestHeaders(
  given: string,
  invocation: Invocation,
): Promise<RequestHeaders> {
  const { defaultStore } = await import('../auto/index.ts')
  const store = defaultStore()
  const server = await findServer(given, invocation, store)
  const provider = await providerFor(server, invocation, store)
  const { signal } = invocation
  const options = { resource: server.url, store, signal }
  const headers = await withCommandErrors(server, invocation, () =>
    asTenant(server, invocation, () =>
      headersOf(provider, {
        ...options,
        ...accountOption(invocation),
        ...fetchOption(invocation),
      }),
    ),
  )
  return { server, headers }
}
