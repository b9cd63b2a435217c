import { testAuthorizationServer } from 'mcp-credentials/testing'
import { type RunningServer, startMcpServer } from '../servers/mcp-server.ts'

/** What a framework did in one session, as the server saw it. */
export interface Measurement {
  /** What came of each call: `ok`, or what went wrong. */
  readonly calls: Readonly<Record<string, string>>
  /** Requests `initialize` that were accepted: each begins a session. */
  readonly sessions: number
  /** Requests `tools/list` that were accepted. */
  readonly lists: number
  /** What the server refused after the first call. */
  readonly refusals: readonly string[]
  readonly tokenRequests: number
}

/** An MCP server with sessions, and the record of what a framework did with it. */
export interface FrameworkServer extends RunningServer {
  readonly issuer: string
  measurement(): Measurement
}

/** Starts an MCP server that keeps sessions and accepts tokens which live this many seconds. */
export async function startFrameworkServer(
  tokenLifetime: number,
  announce: (line: string) => void,
): Promise<FrameworkServer> {
  const authorizationServer = await testAuthorizationServer({ tokenLifetime })
  const { issuer, inspect, tokenRequests } = authorizationServer
  const calls: Record<string, string> = {}
  let firstCall = 0
  const server = await startMcpServer({
    announce,
    authenticate(request) {
      const [, token = ''] = /^Bearer (\S+)$/i.exec(request.get('authorization') ?? '') ?? []
      if (inspect(token) !== undefined) return { identity: { subject: 'agent' } }
      return { challenge: 'Bearer error="invalid_token"' }
    },
    configure(app) {
      app.post('/revoke', (_request, response) => {
        authorizationServer.expireTokens()
        response.end()
      })
      app.post('/outcome', (request, response) => {
        const { text, outcome } = JSON.parse(String(request.body)) as Record<string, string>
        if (Object.keys(calls).length === 0) firstCall = server.requests.length
        calls[String(text)] = String(outcome)
        response.end()
      })
    },
  })
  const requests = (from = 0) => server.requests.slice(from).filter(({ path }) => path === '/mcp')
  const accepted = (method: string) =>
    requests().filter(({ body, status }) => status === 200 && methodOf(body) === method).length
  return {
    ...server,
    issuer,
    measurement: () => ({
      calls,
      sessions: accepted('initialize'),
      lists: accepted('tools/list'),
      refusals: requests(firstCall)
        .filter(({ status }) => status >= 400)
        .map(({ method, body, status }) => `${method} ${methodOf(body)} ${status}`),
      tokenRequests: tokenRequests().length,
    }),
    async close() {
      await Promise.all([server.close(), authorizationServer.close()])
    },
  }
}

/** What differs from what should happen; `undefined`: nothing. */
export function problemOf({ calls, sessions, lists }: Measurement): string | undefined {
  const outcomes = Object.entries(calls)
  const failed = outcomes.filter(([, outcome]) => outcome !== 'ok')
  if (outcomes.length < 4) return `${outcomes.length} of 4 calls were made`
  if (failed.length > 0) return failed.map(([text, outcome]) => `${text}: ${outcome}`).join('; ')
  if (lists === 0) return 'the tools were not listed'
  // Some frameworks open a session for each call, whatever the credential.
  const isAsExpected = sessions === 1 || sessions > outcomes.length
  return isAsExpected ? undefined : `there were ${sessions} sessions`
}

const methodOf = (body: string): string => /"method":"([^"]*)"/.exec(body)?.[1] ?? ''
