/**
 * A message of the client, from its arrival until everything in it is answered.
 *
 * @module
 */
import type { LoginConsent } from './login-input.ts'
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
  /** What the user answered who was asked to log in for it; `undefined`: nobody was asked. */
  readonly consent: LoginConsent | undefined
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
export function beginExchange(
  message: Message,
  sink: Sink,
  consent: LoginConsent | undefined,
): Exchange {
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
    consent,
    answered,
    isOnItsWay: false,
    settle(key) {
      open.delete(key)
      if (open.size === 0) finish()
    },
    abort: () => controller.abort(),
  }
}
