import { sameSecret } from './constant-time.ts'
import { type HostOptions, type RunningServer, startMcpServer } from './mcp-server.ts'

/** Options of {@link startBasicServer}. */
export interface BasicServerOptions extends HostOptions {
  /** The password of each user. */
  readonly users: Readonly<Record<string, string>>
}

/** Starts an MCP server that wants `Authorization: Basic`, in UTF-8. */
export function startBasicServer(options: BasicServerOptions): Promise<RunningServer> {
  const { users, ...host } = options
  return startMcpServer({
    ...host,
    authenticate: (request) => {
      const encoded = /^basic +(\S+)$/i.exec(request.get('authorization') ?? '')?.[1] ?? ''
      const given = Buffer.from(encoded, 'base64').toString('utf8')
      let subject: string | undefined
      // The pair is compared as one text against every user, so the time taken tells nothing.
      for (const [user, password] of Object.entries(users)) {
        if (sameSecret(`${user}:${password}`, given)) subject = user
      }
      return subject === undefined
        ? { challenge: 'Basic realm="example", charset="UTF-8"' }
        : { identity: { subject } }
    },
  })
}
