/**
 * Credentials for stdio servers, which read them from environment variables.
 *
 * @module
 */
import type { CredentialProvider, FetchLike, Secret } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { readSecret } from '../secret.ts'
import { abortable } from '../waiting.ts'
import { bareToken, checkValue, isProvider } from './bare-token.ts'
import { manage } from './managed.ts'

// These variables change which program runs or what it loads. Their names are not case-sensitive on Windows.
const dangerous =
  /^(?:PATH|PATHEXT|COMSPEC|SYSTEMROOT|HOME|SHELL|IFS|ENV|BASH_ENV|LD_.*|DYLD_.*|NODE_.*|PYTHON(?:PATH|HOME|STARTUP)|PERL5(?:LIB|OPT)|RUBY(?:LIB|OPT)|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|GIT_SSH.*|__PROTO__)$/i

/**
 * Reads credentials as environment variables for a stdio server. MCP authorization is for HTTP; a stdio
 * server reads its credentials from the environment.
 *
 * Returns only these variables. Newer releases of the SDK add the few that a program needs, such as `PATH`;
 * older releases of version 1 do not, so spread `getDefaultEnvironment()` too. Never spread `process.env`,
 * which would pass all your other secrets to the server.
 *
 * The environment of a running process does not change. When a token in it expires, start the server again
 * with a new environment.
 *
 * @param values - The value of each variable: a {@link Secret}, or a provider, whose bearer token is used.
 * @param options.resource - The URL for which the token of a provider is issued. Only providers require it.
 * @param options.acquireTimeout - The time limit of one acquisition in seconds. Default 30, or 300 with
 *   user interaction.
 * @param options.fetch - The `fetch` for the provider's own requests. Default: the platform's.
 * @param options.signal - Aborts with the signal's reason.
 * @throws `ConfigurationError` when a name is not valid, or determines what the process loads (`PATH`,
 *   `NODE_OPTIONS`, `LD_PRELOAD`), when a value is empty or contains a NUL character, or when a provider
 *   has no `resource`; `CredentialError` when a credential cannot be read or acquired.
 * @see MCP 2025-11-25, Authorization, Protocol Requirements
 *
 * @example
 * ```ts
 * import {
 *   getDefaultEnvironment,
 *   StdioClientTransport,
 * } from '@modelcontextprotocol/sdk/client/stdio.js'
 * import { env } from 'mcp-credentials'
 * import { stdioEnvironment } from 'mcp-credentials/mcp'
 *
 * const credentials = await stdioEnvironment({ MCP_API_KEY: env('PROD_KEY') })
 * const transport = new StdioClientTransport({
 *   command: 'my-mcp-server',
 *   env: { ...getDefaultEnvironment(), ...credentials },
 * })
 * ```
 * @group Environment and tool arguments
 */
export async function stdioEnvironment(
  values: Readonly<Record<string, Secret | CredentialProvider>>,
  options: {
    readonly resource?: string | URL
    readonly acquireTimeout?: number
    readonly fetch?: FetchLike
    readonly signal?: AbortSignal | undefined
  } = {},
): Promise<Record<string, string>> {
  checkOptions('stdioEnvironment', options, ['resource', 'acquireTimeout', 'fetch', 'signal'])
  const entries = Object.entries(values)
  for (const [name, value] of entries) {
    checkName(name)
    checkValue(name, value, problemOf)
    if (isProvider(value) && options.resource === undefined) throw resourceMissing(name)
  }
  const { signal } = options
  signal?.throwIfAborted()
  const ending = new AbortController()
  try {
    const readings = entries.map(async ([name, value]): Promise<[string, string]> => {
      return [name, await readValue(name, value, options, ending.signal)]
    })
    return Object.fromEntries(await abortable(Promise.all(readings), signal))
  } finally {
    // If one fails, the others are not needed.
    ending.abort(signal?.reason)
  }
}

type Options = NonNullable<Parameters<typeof stdioEnvironment>[1]>

function readValue(
  name: string,
  value: Secret | CredentialProvider,
  options: Options,
  signal: AbortSignal,
): Promise<string> {
  if (isProvider(value)) return readToken(value, options, signal)
  return readSecret(name, value, { signal, problemOf })
}

async function readToken(
  provider: CredentialProvider,
  { resource = '', signal: _, ...rest }: Options,
  signal: AbortSignal,
): Promise<string> {
  // Nothing is sent to the resource here, so it may be any URL.
  const { manager, port } = manage(provider, { ...rest, resource }, true)
  try {
    return await bareToken(await port.credential(signal), port)
  } finally {
    void manager.close()
  }
}

function checkName(name: string): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new ConfigurationError(
      name,
      'stdioEnvironment: the name of a variable must consist of letters, digits and underscores, such as MCP_API_KEY.',
    )
  }
  if (dangerous.test(name)) {
    throw new ConfigurationError(
      name,
      `stdioEnvironment: ${name} determines what the process runs or loads, so it cannot contain a credential; choose another name, such as MCP_API_KEY.`,
    )
  }
}

function resourceMissing(name: string): ConfigurationError {
  return new ConfigurationError(
    'resource',
    `stdioEnvironment: ${name} has a provider; pass \`resource\`, the URL for which its token is issued.`,
  )
}

function problemOf(text: string): string | undefined {
  if (text === '') return 'is empty'
  return text.includes('\0') ? 'contains a NUL character' : undefined
}
