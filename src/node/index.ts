/**
 * Parts that require Node.
 *
 * @example
 * ```ts
 * import { auto } from 'mcp-credentials/auto'
 * import { bridge } from 'mcp-credentials/node'
 *
 * const { url } = await bridge(auto(), { resource: 'https://mcp.example.com/mcp' })
 * console.log(url.href) // for a client that accepts only a URL
 * ```
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
