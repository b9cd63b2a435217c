import type { FetchLike } from '../../src/index.ts'

/** One request as it reached the network. */
export interface Sent {
  readonly url: string
  readonly init: RequestInit
  readonly headers: Headers
}

export interface Wire {
  readonly sent: Sent[]
  /** A `fetch` that records what it is given. */
  readonly fetch: FetchLike
  /** The `Authorization` headers, in order. */
  readonly authorizations: () => (string | null)[]
}

/** A network that keeps what it is sent, without a socket. */
export function wire(
  answer: (sent: Sent, count: number) => Response | Promise<Response> = () => new Response('ok'),
): Wire {
  const sent: Sent[] = []
  return {
    sent,
    async fetch(input, init = {}) {
      const one = { url: String(input), init, headers: new Headers(init.headers) }
      sent.push(one)
      return answer(one, sent.length)
    },
    authorizations: () => sent.map(({ headers }) => headers.get('Authorization')),
  }
}
