/**
 * Shows the HTTP conversation, for `--verbose`: what was asked and answered, and no values that may be secret.
 *
 * @module
 */
import type { FetchLike } from '../index.ts'
import type { Invocation } from './command.ts'
import { labelOf } from './labels.ts'

/** The option `fetch` of the library: one that shows what it does, if the user wants to see it. */
export function fetchOption({ terminal, global }: Pick<Invocation, 'terminal' | 'global'>): {
  readonly fetch?: FetchLike
} {
  if (global.verbose !== true) return {}
  const note = (text: string) => terminal.note(terminal.style.dim(text))
  return { fetch: shownFetch(note, (input, init) => fetch(input, init)) }
}

/** Makes a `fetch` that describes each request and its answer. Headers appear by their names alone. */
export function shownFetch(note: (line: string) => void, send: FetchLike): FetchLike {
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
      note(`< no answer after ${duration()}`)
      throw error
    }
  }
}

function namesOf(headers: Headers): string {
  const names = [...new Set(headers.keys())].filter((name) => /^[\w-]{1,64}$/.test(name))
  return names.length === 0 ? 'no headers' : names.join(', ')
}
