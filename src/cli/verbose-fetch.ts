/**
 * Logs HTTP requests and responses for `--verbose`, without values that may be secret.
 *
 * @module
 */
import type { FetchLike } from '../index.ts'
import type { Invocation } from './command.ts'
import { labelOf } from './labels.ts'

/** The option `fetch` of the library: a `fetch` that logs, if `--verbose` is set. */
export function fetchOption({ terminal, global }: Pick<Invocation, 'terminal' | 'global'>): {
  readonly fetch?: FetchLike
} {
  if (global.verbose !== true) return {}
  const note = (text: string) => terminal.note(terminal.style.dim(text))
  return { fetch: loggingFetch(note, (input, init) => fetch(input, init)) }
}

/** Returns a `fetch` that logs each request and its response. Only the names of headers are logged. */
export function loggingFetch(note: (line: string) => void, send: FetchLike): FetchLike {
  return async (input, init) => {
    const request = input instanceof Request ? input : undefined
    const method = init?.method ?? request?.method ?? 'GET'
    const label = labelOf(request?.url ?? (input as string | URL))
    note(`> ${method} ${label} (${namesOf(new Headers(init?.headers ?? request?.headers))})`)
    const start = performance.now()
    const duration = () => `${Math.round(performance.now() - start)} ms`
    try {
      const response = await send(input, init)
      note(`< ${response.status} after ${duration()} (${namesOf(response.headers)})`)
      return response
    } catch (error) {
      note(`< no response after ${duration()}`)
      throw error
    }
  }
}

function namesOf(headers: Headers): string {
  const names = [...new Set(headers.keys())].filter((name) => /^[\w-]{1,64}$/.test(name))
  return names.length === 0 ? 'no headers' : names.join(', ')
}
