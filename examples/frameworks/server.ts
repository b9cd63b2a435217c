import { testAuthorizationServer } from 'mcp-credentials/testing'
import { type RunningServer, startMcpServer } from '../servers/mcp-server.ts'

/** What came of one call. */
interface Outcome {
  readonly text: string
  /** `ok`, or what went wrong. */
  readonly outcome: string
}

/** A server with sessions, and the record of what a framework did with it. */
export interface FrameworkServer extends RunningServer {
  readonly issuer: string
  /** What the server saw. */
  report(): {
    readonly calls: Readonly<Record<string, string>>
    /** Requests `initialize`, which begin a session, that were accepted. */
    readonly sessions: number
    /** Requests `tools/list` that were accepted. */
    readonly lists: number
    /** What was refused after the first call. */
    readonly refusals: readonly string[]
    readonly tokenRequests: number
  }
  /** What differs from what should happen; `undefined`: nothing. */
  problem(): string | undefined
}

/** Starts an MCP server that keeps sessions and accepts tokens which live for five seconds. */
export async function startFrameworkServer(isVerbose: boolean): Promise<FrameworkServer> {
  const authorizationServer = await testAuthorizationServer({ tokenLifetime: 5 })
  const outcomes: Outcome[] = []
  let firstCall = 0
  const server = await startMcpServer({
    authenticate(request) {
      const [, token = ''] = /^Bearer (\S+)$/i.exec(request.get('authorization') ?? '') ?? []
      if (authorizationServer.inspect(token) !== undefined)
        return { identity: { subject: 'agent' } }
      return { challenge: 'Bearer error="invalid_token"' }
    },
    configure(app) {
      app.post('/revoke', (_request, response) => {
        authorizationServer.expireTokens()
        response.end()
      })
      app.post('/outcome', (request, response) => {
        if (outcomes.length === 0) firstCall = server.requests.length
        outcomes.push(JSON.parse(String(request.body)) as Outcome)
        response.end()
      })
    },
    ...(isVerbose ? { announce: (line: string) => console.log(`  server: ${line}`) } : {}),
  })
  const mcpRequests = () => server.requests.filter(({ path }) => path === '/mcp')
  const accepted = (method: string) =>
    mcpRequests().filter(({ body, status }) => status === 200 && body.includes(`"${method}"`))
  const report = () => ({
    calls: Object.fromEntries(outcomes.map(({ text, outcome }) => [text, outcome])),
    sessions: accepted('initialize').length,
    lists: accepted('tools/list').length,
    refusals: server.requests
      .slice(firstCall)
      .filter(({ path, status }) => path === '/mcp' && status >= 400)
      .map(
        ({ method, status, body }) =>
          `${method} ${/"method":"([^"]*)"/.exec(body)?.[1] ?? ''} ${status}`,
      ),
    tokenRequests: authorizationServer.tokenRequests().length,
  })
  return {
    ...server,
    issuer: authorizationServer.issuer,
    report,
    problem() {
      const { calls, sessions, lists } = report()
      const failed = Object.entries(calls).filter(([, outcome]) => outcome !== 'ok')
      if (outcomes.length < 4) return `${outcomes.length} of 4 calls were made`
      if (failed.length > 0)
        return failed.map(([text, outcome]) => `${text}: ${outcome}`).join('; ')
      if (lists === 0) return 'the tools were not listed'
      // Some frameworks open a session for each call, whatever the credential.
      return sessions === 1 || sessions > outcomes.length ? undefined : `there were ${sessions} sessions`
    },
    async close() {
      await Promise.all([server.close(), authorizationServer.close()])
    },
  }
}
