/**
 * A message of the client, from its arrival until everything in it is answered.
 *
 * @module
 */
import { keyOf, type Message, type RequestPart, requestsOf } from './message.ts'

/** Takes the text of a message for the client. Resolves when the client can take more. */
export type Sink = (text: string, about: { readonly isLast: boolean }) => Promise<void>

/** A message of the client with requests in it. */
export interface Exchange {
  readonly message: Message
  /** The requests that are not answered yet. */
  readonly open: ReadonlyMap<string, RequestPart>
  readonly sink: Sink
  readonly signal: AbortSignal
  /** Resolves when none is left. */
  readonly answered: Promise<void>
  /** It may have reached the server. */
  isOnItsWay: boolean
  /** Counts a request as answered. */
  settle(key: string): void
  /** Gives it up: nothing that belongs to it is sent or read any more. */
  abort(): void
}

/** Begins an exchange. */
export function beginExchange(message: Message, sink: Sink): Exchange {
  const controller = new AbortController()
  const open = new Map(requestsOf(message).map((request) => [keyOf(request.id), request]))
  let finish = () => {}
  const answered = new Promise<void>((resolve) => {
    finish = resolve
  })
  return {
    message,
    open,
    sink,
    signal: controller.signal,
    answered,
    isOnItsWay: false,
    settle(key) {
      open.delete(key)
      if (open.size === 0) finish()
    },
    abort: () => controller.abort(),
  }
}
