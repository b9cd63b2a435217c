/**
 * Requests signed for AWS. Needs the package `aws4fetch`.
 *
 * @example
 * ```ts
 * import { withCredentials } from 'mcp-credentials'
 * import { awsSigV4 } from 'mcp-credentials/aws'
 *
 * const options = withCredentials(awsSigV4({ region: 'eu-central-1', service: 'execute-api' }))
 * ```
 *
 * @module mcp-credentials/aws
 * @group API: SDK, Node and AWS
 */
export { type AwsSigV4Options, awsSigV4 } from './sig-v4.ts'
