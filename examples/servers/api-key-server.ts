import { findBySecret } from './constant-time.ts'
import { type HostOptions, type RunningServer, startMcpServer } from './mcp-server.ts'

/** Options of {@link startApiKeyServer}. */
export interface ApiKeyServerOptions extends HostOptions {
  /** The subject of each key. */
  readonly keys: Readonly<Record<string, string>>
  /** `X-API-Key` unless told. */
  readonly header?: string
  /** The query parameter that holds the key; the header is then read only if it is named too. */
  readonly query?: string
}

/** A server whose keys can be rotated. */
export interface ApiKeyServer extends RunningServer {
  /** From now on only these keys are valid. */
  replaceKeys(keys: Readonly<Record<string, string>>): void
}

/** Starts an MCP server that wants an API key in a header or in the query. */
export async function startApiKeyServer(options: ApiKeyServerOptions): Promise<ApiKeyServer> {
  const { keys: firstKeys, query, header, ...host } = options
  const headerName = header ?? (query === undefined ? 'X-API-Key' : undefined)
  let keys = firstKeys
  const server = await startMcpServer({
    ...host,
    authenticate: (request) => {
      const inQuery = query === undefined ? undefined : request.query[query]
      const inHeader = headerName === undefined ? undefined : request.get(headerName)
      const key = inHeader ?? inQuery
      const subject = typeof key === 'string' ? findBySecret(keys, key) : undefined
      return subject === undefined ? {} : { identity: { subject } }
    },
  })
  return {
    ...server,
    replaceKeys: (next) => {
      keys = next
    },
  }
}
