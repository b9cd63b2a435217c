/**
 * The headers that belong to the transport.
 *
 * @module
 */

// A credential that replaced one would break the protocol (MCP 2026-07-28, Streamable HTTP) or the
// connection.
const reserved =
  /^(?:mcp-.*|accept|content-type|content-length|content-encoding|host|connection|transfer-encoding|upgrade|te|trailer|last-event-id)$/i

/** Whether a header belongs to the transport or to HTTP itself, so that no credential may set it. */
export function isTransportHeader(name: string): boolean {
  return reserved.test(name)
}
