/**
 * Reads the beginning of an event stream.
 *
 * @module
 */
import { createParser } from 'eventsource-parser'

/** One event. */
export interface StreamEvent {
  /** Its type; `message` unless it says another. */
  readonly type: string
  readonly data: string
}

/** The complete events at the beginning of a stream. */
export function eventsIn(text: string): readonly StreamEvent[] {
  const events: StreamEvent[] = []
  const parser = createParser({
    onEvent: ({ event = 'message', data }) => {
      // Servers begin with an empty event, from which a client may resume.
      if (data !== '') events.push({ type: event, data })
    },
  })
  parser.feed(text)
  return events
}

/** Whether enough of a stream was read: where the older transport posts to, or the answer to a request. */
export function hasAnswer(text: string): boolean {
  return eventsIn(text).some(
    ({ type, data }) => type === 'endpoint' || /"(?:result|error)"\s*:/.test(data),
  )
}
