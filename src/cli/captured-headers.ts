/**
 * The headers that a request to a server would carry, without sending it.
 *
 * @module
 */
import {
  type AuthorizedFetchOptions,
  authorizedFetch,
  ConfigurationError,
  type FetchLike,
} from '../index.ts'
import type { Invocation } from './command.ts'
import { inCommandWords } from './command-errors.ts'
import { fetchOption } from './conversation.ts'
import { commandWord } from './labels.ts'
import { accountOption, asTenant, findServer, providerFor, type Server } from './server.ts'

/** What would be sent. */
export interface CapturedHeaders {
  readonly server: Server
  readonly headers: Readonly<Record<string, string>>
}

const marker = 'x-mcp-credentials-captured'

/**
 * Puts the credential of a server on a request, renews it where that is due, and keeps the request.
 *
 * @throws `ConfigurationError` when the credential is not one of headers; `CredentialError` when there is none.
 */
export async function capturedHeaders(
  given: string,
  invocation: Invocation,
): Promise<CapturedHeaders> {
  const { defaultStore } = await import('../auto/index.ts')
  const store = defaultStore()
  const server = await findServer(given, invocation, store)
  const provider = await providerFor(server, invocation, store)
  const send: FetchLike = fetchOption(invocation).fetch ?? ((input, init) => fetch(input, init))
  let captured: { readonly url: URL; readonly headers: Headers } | undefined
  const options: AuthorizedFetchOptions = {
    resource: server.url,
    store,
    ...accountOption(invocation),
    async fetch(input, init) {
      const headers = new Headers(init?.headers)
      if (!headers.has(marker)) return send(input, init)
      captured = { url: new URL(input instanceof Request ? input.url : input), headers }
      return new Response()
    },
  }
  const authorized = await inCommandWords(server, invocation, () =>
    authorizedFetch(provider, options),
  )
  try {
    const { signal } = invocation
    const url = new URL(server.url)
    const init = { method: 'POST', headers: { [marker]: '1' }, body: '', signal }
    await inCommandWords(server, invocation, () =>
      asTenant(server, invocation, () => authorized(url, init)),
    )
    if (captured === undefined) throw new Error('The request was not made.')
    if (captured.url.search !== url.search) throw inQuery(server)
    captured.headers.delete(marker)
    // What `fetch` says of the body, which is not ours.
    captured.headers.delete('content-type')
    return { server, headers: Object.fromEntries(captured.headers) }
  } finally {
    await authorized.close()
  }
}

function inQuery({ label }: Server): ConfigurationError {
  return new ConfigurationError(
    'server',
    `The key for ${label} is sent in the address, and not in a header.`,
    {
      remedy: `Use \`npx mcp-credentials proxy ${commandWord(label)}\` for a client that cannot do that.`,
    },
  )
}

/** A credential that is bound to a key proves itself anew for each request, so that its headers cannot be lent. */
export function refuseProof({ server, headers }: CapturedHeaders): void {
  const isProof = headers['dpop'] !== undefined || 'signature-input' in headers
  if (!isProof) return
  throw new ConfigurationError(
    'server',
    `Each request to ${server.label} is signed with a key, so that headers of one do not serve another.`,
    { remedy: `Use \`npx mcp-credentials proxy ${commandWord(server.label)}\` instead.` },
  )
}
