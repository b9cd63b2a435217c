/**
 * Requests signed for AWS. Needs the package `aws4fetch`.
 *
 * @module mcp-credentials/aws
 * @group API: SDK, Node and AWS
 */
export { type AwsSigV4Options, awsSigV4 } from './sig-v4.ts'
