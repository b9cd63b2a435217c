/**
 * Helpers that need the official SDK, of version 1 or 2.
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
