/**
 * Parts that need Node.
 *
 * @module mcp-credentials/node
 * @group API: SDK, Node and AWS
 */
export {
  type Bridge,
  type BridgeOptions,
  bridge,
  type CommonBridgeOptions,
  type LoginOffer,
  type LoginRequest,
  type OnLoginRequired,
  type StdioBridge,
  type StdioBridgeOptions,
  stdioBridge,
} from '../bridge/index.ts'
export { type MutualTlsFetch, type MutualTlsOptions, mutualTls } from './mtls.ts'
export { publicFetch } from './public-fetch.ts'
