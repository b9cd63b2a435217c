import { describe, expect, it } from 'vitest'
import { lineClient } from '../support/bridge-client.ts'
import { type ScriptedMcp, scriptedMcp } from '../support/scripted-mcp.ts'

/** Refuses every call of a tool with a status and a body. */
function refusingCalls(server: ScriptedMcp, status: number, body: string): void {
  server.on('tools/call', ({ response }) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  })
}

const errorBody = (code: number, message: string, id: unknown = null) =>
  JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } })

describe('an answer with status 400', () => {
  it.each([
    ['mentions a session', errorBody(-32000, 'The shopping session could not be booked.')],
    ['names a session that is not found', errorBody(-32602, 'Session not found')],
    ['begins as those of the SDK do', errorBody(-32000, 'Bad Request: Server not initialized yet')],
    ['is addressed to the request', errorBody(-32000, 'Bad Request: Server not initialized', 1)],
    ['is a text about a session', 'The session is gone.'],
  ])('leaves the session alone and the call is not sent again when it %s', async (_what, body) => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)
    await client.initialize()
    refusingCalls(server, 400, body)

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })

    expect(await client.next()).toMatchObject({ id: 1, error: {} })
    expect(server.postsOf('tools/call')).toHaveLength(1)
    expect(server.postsOf('initialize')).toHaveLength(1)
  })

  it.each([
    ['not initialized', errorBody(-32000, 'Bad Request: Server not initialized')],
    ['without the header', errorBody(-32000, 'Bad Request: Mcp-Session-Id header is required')],
    ['without a session', errorBody(-32000, 'Bad Request: No valid session ID provided')],
    ['without a session, in plain text', 'Bad Request: No valid session ID provided'],
    ['of an unknown session', errorBody(-32001, 'Session not found')],
  ])('ends the session when it is what the official SDKs answer: %s', async (_what, body) => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)
    await client.initialize()
    refusingCalls(server, 400, body)

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })

    expect(await client.next()).toMatchObject({ id: 1, error: {} })
    expect(server.postsOf('tools/call')).toHaveLength(2)
    expect(server.postsOf('initialize')).toHaveLength(2)
  })
})
