/**
 * Helpers for the official SDK, versions 1 and 2.
 *
 * @example
 * ```ts
 * import { Client } from '@modelcontextprotocol/client'
 * import { apiKey, env } from 'mcp-credentials'
 * import { connect } from 'mcp-credentials/mcp'
 *
 * const client = new Client({ name: 'agent', version: '1.0.0' })
 * await connect(client, 'https://mcp.example.com/mcp', apiKey({ value: env('MCP_API_KEY') }))
 * ```
 *
 * @module mcp-credentials/mcp
 * @group API: SDK, Node and AWS
 */
export {
  type SdkAuthProvider,
  type SdkOAuthClientProvider,
  toAuthProvider,
  toOAuthClientProvider,
} from './auth-provider.ts'
export {
  type ConnectedTransport,
  type ConnectOptions,
  connect,
} from './connect.ts'
export { stdioEnvironment } from './stdio-environment.ts'
export {
  type ToolArgumentsOptions,
  withToolArguments,
} from './tool-arguments.ts'
