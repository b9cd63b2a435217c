/**
 * The headers that a request to a server would carry, for those who send it themselves.
 *
 * @module
 */
import { headersOf } from '../index.ts'
import type { Invocation } from './command.ts'
import { inCommandWords } from './command-errors.ts'
import { fetchOption } from './conversation.ts'
import { accountOption, asTenant, findServer, providerFor, type Server } from './server.ts'

/** What would be sent. */
export interface LentHeaders {
  readonly server: Server
  readonly headers: Readonly<Record<string, string>>
}

/**
 * Gets the headers of a server's credential, and renews it where that is due.
 *
 * @throws `ConfigurationError` when the credential is not one of headers; `CredentialError` when there is none.
 */
export async function lentHeaders(given: string, invocation: Invocation): Promise<LentHeaders> {
  const { defaultStore } = await import('../auto/index.ts')
  const store = defaultStore()
  const server = await findServer(given, invocation, store)
  const provider = await providerFor(server, invocation, store)
  const { signal } = invocation
  const options = { resource: server.url, store, signal }
  const headers = await inCommandWords(server, invocation, () =>
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
