/**
 * Detects servers that require no credential, for commands that print headers.
 *
 * @module
 */
import type { Invocation } from './command.ts'
import { isNothingStored } from './command-errors.ts'
import { findServer, type Server } from './server.ts'
import { abortable, withTimeLimit } from './time-limit.ts'
import { fetchOption } from './verbose-fetch.ts'

/** The time for a response without a credential, in milliseconds. */
const limitMs = 5000

/** The headers of a server. */
interface ServerHeaders {
  readonly server: Server
  readonly headers: Readonly<Record<string, string>>
}

/**
 * Runs a task that determines the headers of a server.
 *
 * @returns No headers if there is no credential and the server requires none.
 * @throws The error of the task, in all other cases.
 */
export async function headersOrNone(
  given: string,
  invocation: Invocation,
  task: () => Promise<ServerHeaders>,
): Promise<ServerHeaders> {
  try {
    return await task()
  } catch (error) {
    if (!isNothingStored(error)) throw error
    const { defaultStore } = await import('../auto/index.ts')
    const server = await findServer(given, invocation, defaultStore())
    if (await worksWithoutCredential(server, invocation)) return { server, headers: {} }
    throw error
  }
}

async function worksWithoutCredential(server: Server, invocation: Invocation): Promise<boolean> {
  const { openSession } = await import('./mcp-session.ts')
  const { signal } = invocation
  const send = fetchOption(invocation).fetch ?? ((input, init) => fetch(input, init))
  try {
    await withTimeLimit(limitMs, signal, (limited) =>
      abortable(openSession(server, send, limited), limited),
    )
    return true
  } catch {
    signal.throwIfAborted()
    return false
  }
}
