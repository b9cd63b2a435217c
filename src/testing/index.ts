/**
 * Tests of stores, providers and agents: contracts, a store in memory, and servers in this process. Needs
 * Node.
 *
 * @module mcp-credentials/testing
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
