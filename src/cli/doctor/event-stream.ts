/**
 * Reads the beginning of an event stream.
 *
 * @module
 */
import { createParser } from 'eventsource-parser'

/** One event. */
export interface StreamEvent {
  /** Its type; `message` by default. */
  readonly type: string
  readonly data: string
}

/** The complete events at the beginning of a stream. */
export function eventsIn(text: string): readonly StreamEvent[] {
  const events: StreamEvent[] = []
  const parser = createParser({
    onEvent: ({ event = 'message', data }) => {
      // Servers start with an empty event, from which a client can resume.
      if (data !== '') events.push({ type: event, data })
    },
  })
  parser.feed(text)
  return events
}

/**
 * Whether a stream contains the endpoint of the older transport or a JSON-RPC response, so that reading can
 * stop.
 */
export function hasResponse(text: string): boolean {
  return eventsIn(text).some(
    ({ type, data }) => type === 'endpoint' || /"(?:result|error)"\s*:/.test(data),
  )
}
