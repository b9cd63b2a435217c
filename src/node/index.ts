/**
 * Parts that need Node.
 *
 * @module mcp-credentials/node
 */
export { type MutualTlsFetch, type MutualTlsOptions, mutualTls } from './mtls.ts'
export { publicFetch } from './public-fetch.ts'
