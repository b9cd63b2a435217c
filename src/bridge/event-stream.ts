/**
 * Server-sent events (HTML, section 9.2).
 *
 * @module
 */
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { maxMessageBytes } from './body.ts'
import { MessageTooLongError } from './message.ts'

/** What reads a stream of events. */
export interface EventListener {
  /** The next event is not read before this resolves. */
  onEvent(event: EventSourceMessage): Promise<void> | void
  /** The server says how many milliseconds to wait before a reconnection. */
  onRetry(milliseconds: number): void
}

/**
 * Reads the events of a response until it ends.
 *
 * @throws `MessageTooLongError`, and whatever ends the stream early, such as a lost connection.
 */
export async function readEvents(
  response: Response,
  { onEvent, onRetry }: EventListener,
): Promise<void> {
  if (response.body === null) return
  const waiting: EventSourceMessage[] = []
  let isTooLong = false
  const parser = createParser({
    onEvent: (event) => waiting.push(event),
    onRetry,
    onError({ type }) {
      if (type === 'max-buffer-size-exceeded') isTooLong = true
    },
    maxBufferSize: maxMessageBytes,
  })
  const decoder = new TextDecoder()
  for await (const chunk of response.body) {
    parser.feed(decoder.decode(chunk, { stream: true }))
    for (const event of waiting.splice(0)) await onEvent(event)
    if (isTooLong) throw new MessageTooLongError('is longer than 64 MB')
  }
}

/** The media type of a response, without its parameters. */
export function mediaTypeOf({ headers }: Response): string {
  return (headers.get('Content-Type') ?? '').split(';', 1).join('').trim().toLowerCase()
}
