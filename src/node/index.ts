/**
 * Parts that need Node.
 *
 * @module mcp-credentials/node
 */
export { type MutualTlsFetch, type MutualTlsOptions, mutualTls } from './mtls.ts'
