/**
 * The first requests of an MCP session, without an SDK.
 *
 * @module
 */

/** The protocol version that the client offers. */
const protocolVersion = '2025-11-25'

/** A request that opens a session. */
export function initializeRequest(): RequestInit {
  return rpcRequest({
    id: 1,
    method: 'initialize',
    params: {
      protocolVersion,
      capabilities: {},
      clientInfo: { name: 'mcp-credentials', version: '0' },
    },
  })
}

/** A request with one JSON-RPC message. */
export function rpcRequest(
  message: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>> = {},
): RequestInit {
  return {
    method: 'POST',
    headers: {
      Accept: 'application/json, text/event-stream',
      'Content-Type': 'application/json',
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
  }
}
