import { sameSecret } from './constant-time.ts'
import { type HostOptions, type RunningServer, startMcpServer } from './mcp-server.ts'

/** Options of {@link startTenantServer}. */
export interface TenantServerOptions extends HostOptions {
  /** The session token of each tenant. */
  readonly tenants: Readonly<Record<string, string>>
}

/** Starts an MCP server that wants `X-Tenant-ID` together with that tenant's `X-Session-Token`. */
export function startTenantServer(options: TenantServerOptions): Promise<RunningServer> {
  const { tenants, ...host } = options
  return startMcpServer({
    ...host,
    authenticate: (request) => {
      const tenant = request.get('x-tenant-id') ?? ''
      const token = request.get('x-session-token')
      const expected = Object.hasOwn(tenants, tenant) ? tenants[tenant] : undefined
      if (token === undefined || expected === undefined) return {}
      return sameSecret(expected, token) ? { identity: { subject: tenant, tenant } } : {}
    },
  })
}
