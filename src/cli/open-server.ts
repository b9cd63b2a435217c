/**
 * Servers that ask for no credential, for commands that print one.
 *
 * @module
 */
import type { Invocation } from './command.ts'
import { isNothingStored } from './command-errors.ts'
import { fetchOption } from './conversation.ts'
import { findServer, type Server } from './server.ts'
import { orAborted, withinTime } from './time-limit.ts'

/** Milliseconds that a server has to answer without a credential. */
const limitMs = 5000

/** The headers of a server. */
interface ServerHeaders {
  readonly server: Server
  readonly headers: Readonly<Record<string, string>>
}

/**
 * Runs a task that finds the headers of a server.
 *
 * @returns No headers where nothing provides a credential, and the server answers without one.
 * @throws What the task throws otherwise.
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
    if (await answersWithout(server, invocation)) return { server, headers: {} }
    throw error
  }
}

async function answersWithout(server: Server, invocation: Invocation): Promise<boolean> {
  const { openSession } = await import('./mcp-session.ts')
  const { signal } = invocation
  const send = fetchOption(invocation).fetch ?? ((input, init) => fetch(input, init))
  try {
    await withinTime(limitMs, signal, (limited) =>
      orAborted(openSession(server, send, limited), limited),
    )
    return true
  } catch {
    signal.throwIfAborted()
    return false
  }
}
