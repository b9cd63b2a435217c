/**
 * A static API key, in a header or in the query.
 *
 * @module
 */
import type { CredentialProvider, Secret } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { checkSecret, describeSecret, readSecret } from '../secret.ts'
import { checkHeaderName } from './checks.ts'

const defaultHeader = 'X-API-Key'

/**
 * Sends a static API key.
 *
 * @example
 * ```ts
 * import { apiKey, env } from 'mcp-credentials'
 *
 * const inHeader = apiKey({ value: env('MCP_API_KEY') })
 * const inQuery = apiKey({ value: env('MCP_API_KEY'), query: 'api_key' })
 * ```
 *
 * @throws {@link ConfigurationError} when the key is empty or cannot be sent in a header, when `header` is
 * not a header name, or when both `header` and `query` are given.
 * @group Keys, tokens and passwords
 */
export function apiKey(
  options:
    | {
        /** The key. */
        readonly value: Secret
        /** The header that carries it. Default `X-API-Key`. */
        readonly header?: string
        /** Not together with `header`. */
        readonly query?: never
      }
    | {
        /** The key. */
        readonly value: Secret
        /**
         * The query parameter that carries it. URLs appear in access logs, proxies and error messages: use
         * this only when the server accepts no header.
         */
        readonly query: string
        /** Not together with `query`. */
        readonly header?: never
      },
): CredentialProvider {
  checkApiKeyOptions(options)
  const { value, query, header = defaultHeader } = options
  return {
    name: 'apiKey',
    source: describeSecret(value),
    async acquire({ signal }) {
      const key = await readSecret('apiKey.value', value, { signal })
      if (query === undefined) return { apply: ({ headers }) => headers.set(header, key) }
      return {
        apply(request) {
          const url = new URL(request.url)
          url.searchParams.set(query, key)
          request.url = url
        },
      }
    },
  }
}

function checkApiKeyOptions(options: Parameters<typeof apiKey>[0]): void {
  checkOptions('apiKey', options, ['value', 'header', 'query'])
  const { value, query, header = defaultHeader } = options
  if (query !== undefined && options.header !== undefined) {
    throw new ConfigurationError(
      'apiKey.query',
      'apiKey: give either `header` or `query`, not both.',
    )
  }
  if (query !== undefined && (typeof query !== 'string' || query === '')) {
    throw new ConfigurationError(
      'apiKey.query',
      'apiKey.query is empty; pass the name of the parameter.',
    )
  }
  checkHeaderName('apiKey.header', header)
  checkSecret('apiKey.value', value)
}
