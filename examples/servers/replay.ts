import type { RecordedRequest, RunningServer } from './mcp-server.ts'

/** What an attacker changes in a recorded request. */
export interface Change {
  /** A part of the body, and what takes its place. */
  readonly body?: readonly [string, string]
  readonly path?: string
}

/** Replays the last accepted tool call, as an attacker with a recording would, and returns the response. */
export async function sendAgain(server: RunningServer, change: Change = {}): Promise<string> {
  const recorded = server.requests.findLast(
    ({ authenticated, body }) => authenticated && body.includes('tools/call'),
  )
  if (recorded === undefined) throw new Error('No tool has been called.')
  const [from = '', to = ''] = change.body ?? []
  const response = await fetch(new URL(change.path ?? '', server.url), {
    method: recorded.method,
    headers: headersOf(recorded),
    body: recorded.body.replace(from, to),
  })
  return `${response.status} ${response.headers.get('WWW-Authenticate') ?? ''}`
}

function headersOf(request: RecordedRequest): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    const isOwn = ['host', 'connection', 'content-length', 'transfer-encoding'].includes(name)
    if (!isOwn && typeof value === 'string') headers.set(name, value)
  }
  return headers
}
