/**
 * A `fetch` that connects only to public addresses.
 *
 * @module
 */
import dns from 'node:dns'
import type { LookupFunction } from 'node:net'
import type { buildConnector } from 'undici'
import { CredentialError, isCredentialError } from '../errors.ts'
import { addressRange } from '../oauth/address.ts'
import { loadUndici, plainRequest } from './undici.ts'

/**
 * Creates a `fetch` that refuses to connect to this machine, to private networks and to other reserved
 * addresses, for servers whose users choose the MCP servers. Pass it as the option `fetch`; it then applies
 * to the MCP server, its authorization server and all metadata documents.
 *
 * The checked address is the one to which it connects, so a DNS change in between has no effect. It does
 * not use a proxy. It requires the package `undici`, version 7 or later. Responses are of undici's class.
 * Idle connections close after a few seconds, and do not keep the process alive.
 *
 * @returns A `fetch` that throws `CredentialError` with the code `private_address` instead of connecting;
 *   otherwise the errors of `fetch`.
 * @see MCP 2026-07-28, Security Best Practices, Server-Side Request Forgery
 *
 * @example
 * ```ts
 * import { withCredentials } from 'mcp-credentials'
 * import { publicFetch } from 'mcp-credentials/node'
 * import { savedLogin } from 'mcp-credentials/oauth'
 *
 * declare const serverOfUser: string
 * const options = withCredentials(savedLogin(), { resource: serverOfUser, fetch: publicFetch() })
 * ```
 * @group Certificates and addresses
 */
export function publicFetch(): typeof fetch {
  let agent: import('undici').Agent | undefined
  return async (input, init) => {
    const { Agent, buildConnector, fetch } = await loadUndici('publicFetch')
    agent ??= new Agent({ connect: publicConnector(buildConnector({ lookup: publicLookup })) })
    const [url, plain] = await plainRequest(input, init)
    try {
      // The types of undici and of the platform differ in irrelevant details.
      const options = { ...(plain as object), dispatcher: agent }
      return (await fetch(url, options)) as unknown as Response
    } catch (error) {
      const { cause } = error as { cause?: unknown }
      throw isCredentialError(cause) ? cause : error
    }
  }
}

/** Checks literal addresses, which need no lookup, including those of redirects. */
function publicConnector(connect: buildConnector.connector): buildConnector.connector {
  return (options, done) => {
    try {
      checkAddress(options.hostname, options.hostname)
    } catch (refusal) {
      return done(refusal as Error, null)
    }
    connect(options, done)
  }
}

const publicLookup: LookupFunction = (hostname, options, callback) => {
  dns.lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, [])
    try {
      for (const { address } of addresses) checkAddress(hostname, address)
    } catch (refusal) {
      return callback(refusal as Error, [])
    }
    const [first] = addresses
    if (options.all === true || first === undefined) return callback(null, addresses)
    callback(null, first.address, first.family)
  })
}

/** @throws `CredentialError` when the address is not public. */
function checkAddress(hostname: string, address: string): void {
  const range = addressRange(address)
  if (range === undefined || range === 'unicast') return
  throw new CredentialError(
    'private_address',
    `publicFetch: ${hostname} has an address that is not public (${range}), so no connection was made.`,
    { remedy: 'Use another `fetch` for servers in your own network.' },
  )
}
