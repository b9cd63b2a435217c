/**
 * The config files of MCP clients, with references to credentials instead of literal secrets.
 *
 * @example
 * ```ts
 * import { loadConfig } from 'mcp-credentials/config'
 *
 * const config = await loadConfig()
 * console.log(config.servers.map(({ name }) => name))
 * ```
 *
 * @module mcp-credentials/config
 * @group API: auto() and config
 */
export type { Config, ConfigClient } from './config.ts'
export type { ClientRegistration } from './entry.ts'
export type { ConfigWarning, ConfigWarningKind } from './files.ts'
export { type LoadConfigOptions, loadConfig } from './load.ts'
export type { ReviewedServer } from './review.ts'
export type { ConfiguredServer } from './servers.ts'
export { inTenant } from './tenants.ts'
export type { ConfigFile, TrustOption } from './trust.ts'
