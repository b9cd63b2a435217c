/**
 * A message of the client, from its arrival until all its requests are answered.
 *
 * @module
 */
import type { LoginConsent } from './login-input.ts'
import { keyOf, type Message, type RequestPart, requestsOf } from './message.ts'

/** Receives the text of a message for the client. Resolves when the client can receive more. */
export type Sink = (text: string, about: { readonly isLast: boolean }) => Promise<void>

/** A message of the client that contains requests. */
export interface Exchange {
  readonly message: Message
  /** The unanswered requests. */
  readonly open: ReadonlyMap<string, RequestPart>
  readonly sink: Sink
  readonly signal: AbortSignal
  /** The user's response to the request to log in; `undefined`: the user was not asked. */
  readonly consent: LoginConsent | undefined
  /** Resolves when all requests are answered. */
  readonly answered: Promise<void>
  /** Whether it may have reached the server. */
  wasSent: boolean
  /** Marks a request as answered. */
  settle(key: string): void
  /** Aborts sending it and reading its responses. */
  abort(): void
}

/** Starts an exchange. */
export function startExchange(
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
    wasSent: false,
    settle(key) {
      open.delete(key)
      if (open.size === 0) finish()
    },
    abort: () => controller.abort(),
  }
}
