/**
 * Talks to a server as a client does that has no credential.
 *
 * @module
 */
import type { Asker, Outcome } from './ask.ts'
import { initialize, inSession, isEventStream, openStream, rpcOf, serverOf } from './messages.ts'
import type { Conversation } from './seen.ts'

/** Sends what a client sends first, and finds out which path answers if this one does not. */
export async function examineConversation(asker: Asker, url: URL): Promise<Conversation> {
  const post = await asker.ask(url, initialize)
  if (post.kind === 'reply' && serverOf(post) !== undefined) {
    const { initialized, listTools, end } = inSession(post)
    await asker.ask(url, initialized)
    const tools = await asker.ask(url, listTools)
    if (end !== undefined) await asker.ask(url, end)
    return { post, tools, elsewhere: [] }
  }
  const get = needsStream(post) ? await asker.ask(url, openStream) : undefined
  const isHere = [post, get].some((outcome) => outcome !== undefined && looksLikeMcp(outcome))
  const elsewhere = isHere || isSilent(post) ? [] : await searchPaths(asker, url)
  return { post, ...(get === undefined ? {} : { get }), elsewhere }
}

/** Whether the older transport may be there: it answers the first POST with an error (MCP, Transports). */
function needsStream(post: Outcome): boolean {
  if (post.kind === 'silence') return post.isLate
  return rpcOf(post) === undefined && post.status !== 401 && post.status !== 403
}

function isSilent(post: Outcome): boolean {
  return post.kind === 'silence' || post.status >= 500
}

function looksLikeMcp(outcome: Outcome): boolean {
  if (outcome.kind === 'silence') return false
  const { status } = outcome
  return status === 401 || status === 403 || rpcOf(outcome) !== undefined || isEventStream(outcome)
}

/** Asks the usual paths, all at once. */
async function searchPaths(asker: Asker, url: URL): Promise<Conversation['elsewhere']> {
  const found = await Promise.all(
    usualPaths(url).map(async (path) => {
      const candidate = new URL(path, url.origin)
      const kind = /\/sse\/?$/.test(path) ? 'sse' : 'http'
      const outcome = await asker.ask(candidate, kind === 'sse' ? openStream : initialize)
      return looksLikeMcp(outcome) ? [{ url: candidate, kind } as const] : []
    }),
  )
  return found.flat()
}

/** The paths at which MCP servers usually are, without the one that was asked. */
export function usualPaths({ pathname }: URL): readonly string[] {
  const base = pathname.replace(/\/$/, '')
  const other = pathname.endsWith('/') ? base : `${base}/`
  const paths = [other, '/mcp', '/sse', `${base}/mcp`, `${base}/sse`, '/']
  return [...new Set(paths)].filter((path) => path !== '' && path !== pathname)
}
