/**
 * Generates the recommended code.
 *
 * @module
 */

/** The parts of the code that depend on the provider. */
export interface CodeParts {
  /** The names to import, by module. */
  readonly imports: Readonly<Record<string, readonly string[]>>
  /** The expression that creates the provider; absent: no provider is required. */
  readonly provider?: string
  /** Whether a user logs in before the connection. */
  readonly isLogin?: boolean
}

/** The code, for each version of the SDK and for `fetch`. */
export interface ShownCode {
  readonly sdkV2: string
  readonly sdkV1: string
  /** Absent: no credential is required. */
  readonly fetch?: string
}

type Transport = 'streamable-http' | 'sse'

const transports = {
  'streamable-http': { name: 'StreamableHTTPClientTransport', file: 'streamableHttp' },
  sse: { name: 'SSEClientTransport', file: 'sse' },
} as const

/** Generates the code for a server. */
export function codeOf(parts: CodeParts, url: string, transport: Transport): ShownCode {
  const { name, file } = transports[transport]
  const v2 = [importLine('@modelcontextprotocol/client', ['Client', name])]
  const v1 = [
    importLine('@modelcontextprotocol/sdk/client/index.js', ['Client']),
    importLine(`@modelcontextprotocol/sdk/client/${file}.js`, [name]),
  ]
  const rest = withSdk(parts, url, name)
  return {
    sdkV2: [...v2, ...rest].join('\n'),
    sdkV1: [...v1, ...rest].join('\n'),
    ...(parts.provider === undefined ? {} : { fetch: withFetch(parts, url).join('\n') }),
  }
}

function withSdk(parts: CodeParts, url: string, transport: string): readonly string[] {
  const { provider, isLogin = false } = parts
  const hasProvider = provider !== undefined
  const store = isLogin ? ', store: defaultStore()' : ''
  return [
    ...(hasProvider ? importLines(parts, 'withCredentials') : []),
    '',
    `const url = new URL(${quotedUrl(url)})`,
    ...(hasProvider
      ? [
          `const provider = ${provider}`,
          `const options = withCredentials(provider, { resource: url${store} })`,
        ]
      : []),
    ...(isLogin ? ['await options.login()'] : []),
    "const client = new Client({ name: 'my-agent', version: '1.0.0' })",
    `await client.connect(new ${transport}(url${hasProvider ? ', options' : ''}))`,
  ]
}

function withFetch(parts: CodeParts, url: string): readonly string[] {
  const { provider, isLogin = false } = parts
  const store = isLogin ? ', store: defaultStore()' : ''
  return [
    ...importLines(parts, 'authorizedFetch'),
    '',
    `const resource = ${quotedUrl(url)}`,
    `const provider = ${provider}`,
    `const fetch = authorizedFetch(provider, { resource${store} })`,
    ...(isLogin ? ['await fetch.login()'] : []),
  ]
}

function importLines({ imports }: CodeParts, core: string): readonly string[] {
  const { 'mcp-credentials': names = [], ...others } = imports
  return [
    importLine('mcp-credentials', [...names, core].sort()),
    ...Object.entries(others).map(([module, each]) => importLine(module, each)),
  ]
}

function importLine(module: string, names: readonly string[]): string {
  return `import { ${names.join(', ')} } from '${module}'`
}

function quotedUrl(url: string): string {
  return url.includes("'") ? JSON.stringify(url) : `'${url}'`
}
