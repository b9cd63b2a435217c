/**
 * Tests of stores, providers and agents: contracts, a store in memory, and servers in this process. Needs
 * Node.
 *
 * @example
 * ```ts
 * import { bearer, withCredentials } from 'mcp-credentials'
 * import { testMcpServer } from 'mcp-credentials/testing'
 *
 * const server = await testMcpServer({ bearer: 'token-1' })
 * const options = withCredentials(bearer('token-1'), { resource: server.url })
 * ```
 *
 * @module mcp-credentials/testing
 * @group API: Testing
 */
export { memoryStore } from '../stores/memory.ts'
export { acquireContext } from './acquire-context.ts'
export { type TestAuthorizationServer, testAuthorizationServer } from './authorization-server.ts'
export type { ContractCase } from './contract-case.ts'
export type { TestRequest } from './http.ts'
export { type TestMcpServer, testMcpServer } from './mcp-server.ts'
export { providerContract } from './provider-contract.ts'
export { testServers } from './servers.ts'
export { storeContract } from './store-contract.ts'
