/**
 * Reads server-sent events (HTML, section 9.2).
 *
 * @module
 */
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { maxMessageBytes } from './body.ts'
import { MessageTooLongError } from './message.ts'

const maxEventLines = 1_000_000

/** The callbacks for a stream of events. */
export interface EventListener {
  /** Receives an event; the next one is read when it resolves. */
  onEvent(event: EventSourceMessage): Promise<void> | void
  /** Receives the milliseconds that the server requests before a reconnection. */
  onRetry(milliseconds: number): void
}

/**
 * Reads the events of a response until it ends.
 *
 * @throws `MessageTooLongError`, and the errors of the stream, such as a lost connection.
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
  const lines = new EventLines()
  for await (const chunk of response.body) {
    const text = decoder.decode(chunk, { stream: true })
    lines.count(text)
    parser.feed(text)
    for (const event of waiting.splice(0)) await onEvent(event)
    if (isTooLong) throw new MessageTooLongError('is longer than 64 MB')
  }
}

/** Limits the lines of one event: the parser keeps a string for each, even for empty ones. */
class EventLines {
  #lines = 0
  #isEmptyLine = true
  #wasReturn = false

  /** @throws `MessageTooLongError`. */
  count(chunk: string): void {
    if (chunk === '') return
    const rest = this.#wasReturn && chunk.startsWith('\n') ? chunk.slice(1) : chunk
    this.#wasReturn = chunk.endsWith('\r')
    const text = rest.includes('\r') ? rest.replace(/\r\n?/g, '\n') : rest
    let start = 0
    for (;;) {
      const end = text.indexOf('\n', start)
      if (end !== start && start < text.length) this.#isEmptyLine = false
      if (end === -1) return
      this.#endLine()
      start = end + 1
    }
  }

  #endLine(): void {
    this.#lines = this.#isEmptyLine ? 0 : this.#lines + 1
    this.#isEmptyLine = true
    if (this.#lines > maxEventLines) throw new MessageTooLongError('has more than a million lines')
  }
}

/** The media type of a response, without its parameters. */
export function mediaTypeOf({ headers }: Response): string {
  return (headers.get('Content-Type') ?? '').split(';', 1).join('').trim().toLowerCase()
}
