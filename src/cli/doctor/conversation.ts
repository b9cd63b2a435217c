/**
 * Sends the requests of a client without a credential.
 *
 * @module
 */

import {
  initialize,
  inSession,
  isEventStream,
  openStream,
  rpcOf,
  serverDescriptionOf,
} from './messages.ts'
import type { Conversation } from './observations.ts'
import type { Outcome, Requester } from './requests.ts'

/** Sends the first requests of a client, and searches other paths if this one has no MCP server. */
export async function examineConversation(requester: Requester, url: URL): Promise<Conversation> {
  const post = await requester.send(url, initialize)
  if (post.kind === 'response' && serverDescriptionOf(post) !== undefined) {
    const { initialized, listTools, end } = inSession(post)
    await requester.send(url, initialized)
    const tools = await requester.send(url, listTools)
    if (end !== undefined) await requester.send(url, end)
    return { post, tools, elsewhere: [] }
  }
  const get = needsStream(post) ? await requester.send(url, openStream) : undefined
  const isHere = [post, get].some((outcome) => outcome !== undefined && looksLikeMcp(outcome))
  const elsewhere = isHere || isSilent(post) ? [] : await searchPaths(requester, url)
  return { post, ...(get === undefined ? {} : { get }), elsewhere }
}

/**
 * Whether the server may have the older transport, which responds to the first POST with an error (MCP,
 * Transports).
 */
function needsStream(post: Outcome): boolean {
  if (post.kind === 'no-response') return post.isLate
  return rpcOf(post) === undefined && post.status !== 401 && post.status !== 403
}

function isSilent(post: Outcome): boolean {
  return post.kind === 'no-response' || post.status >= 500
}

function looksLikeMcp(outcome: Outcome): boolean {
  if (outcome.kind === 'no-response') return false
  const { status } = outcome
  return status === 401 || status === 403 || rpcOf(outcome) !== undefined || isEventStream(outcome)
}

/** Tries the usual paths in parallel. */
async function searchPaths(requester: Requester, url: URL): Promise<Conversation['elsewhere']> {
  const found = await Promise.all(
    usualPaths(url).map(async (path) => {
      const candidate = new URL(path, url.origin)
      const kind = /\/sse\/?$/.test(path) ? 'sse' : 'http'
      const outcome = await requester.send(candidate, kind === 'sse' ? openStream : initialize)
      return looksLikeMcp(outcome) ? [{ url: candidate, kind } as const] : []
    }),
  )
  return found.flat()
}

/** The usual paths of MCP servers, without the requested one. */
export function usualPaths({ pathname }: URL): readonly string[] {
  const base = pathname.replace(/\/$/, '')
  const other = pathname.endsWith('/') ? base : `${base}/`
  const paths = [other, '/mcp', '/sse', `${base}/mcp`, `${base}/sse`, '/']
  return [...new Set(paths)].filter((path) => path !== '' && path !== pathname)
}
